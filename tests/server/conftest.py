"""A desk with sign-in on both stores; PostgreSQL only where its programs are installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.server.desk import Desk, open_desk


@pytest.fixture(scope="session")
def access_cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as server:
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
    cluster: postgres.Cluster = request.getfixturevalue("access_cluster")
    async with cluster.database(empty=True) as url:
        yield url


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A running desk on SQLite."""
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}") as running:
        yield running


@pytest.fixture
async def both_desk(store_url: str) -> AsyncIterator[Desk]:
    """A running desk on each kind of store."""
    async with open_desk(store_url) as running:
        yield running
