"""A conversation with files, on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.places import Place
from tests.server.media.bench import Bench, bench


@pytest.fixture
def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


@pytest.fixture
async def desk(place: Place, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(place, tmp_path, max_bytes=100_000, timeout_s=1.0) as running:
        yield running
