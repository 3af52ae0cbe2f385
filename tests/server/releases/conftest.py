"""A bench whose settings are already live, on SQLite; the contract over both stores is in tests/stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.places import Place
from tests.server.engine.bench import Bench, bench


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(Place("sqlite", f"sqlite:///{tmp_path}/desk.db"), tmp_path) as opened:
        yield opened


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Bench]:
    """On the real clock, because model servers are told apart from dead ones by it."""
    place = Place("sqlite", f"sqlite:///{tmp_path}/desk.db")
    async with bench(place, tmp_path, real_clock=True, releases={"load_timeout_s": 2.0, "drain_s": 60.0}) as opened:
        await opened.releases.publish_configured()
        yield opened
