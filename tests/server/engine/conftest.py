"""An empty database for tests of the engine; statements run on both stores elsewhere, so SQLite is enough here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.places import Place
from tests.server.engine.bench import Bench, bench


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("sqlite", f"sqlite:///{tmp_path}/desk.db")


@pytest.fixture
def either(store_url: str) -> Place:
    """A place on each kind of store."""
    return Place(store_url.partition(":")[0], store_url)


@pytest.fixture
async def one(place: Place, tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench on a clock moved by hand."""
    async with bench(place, tmp_path) as opened:
        yield opened
