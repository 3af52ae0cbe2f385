"""Fixtures for every folder: a PostgreSQL cluster per session, an empty store of each kind, no outside settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import postgres


@pytest.fixture(autouse=True)
def no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own settings must not decide a test."""
    for name in [name for name in os.environ if name.startswith("FRONTDESK_") and name != "FRONTDESK_CACHE_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A running PostgreSQL with a migrated template database."""
    with postgres.cluster() as server:
        with ThreadPoolExecutor(1) as thread:  # an async fixture may ask for it while its own loop runs
            thread.submit(lambda: asyncio.run(server.make_template())).result()
        yield server


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=[
                pytest.mark.postgres,
                pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL programs here"),
            ],
        ),
    ]
)
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of an empty store of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'desk.db'}"
        return
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    async with cluster.database() as url:
        yield url
