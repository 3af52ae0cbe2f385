from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.places import Place
from tests.server.outbox.post import Post, post


@pytest.fixture
def place(store_url: str) -> Place:
    """An empty store of each kind."""
    return Place("sqlite" if store_url.startswith("sqlite") else "postgresql", store_url)


@pytest.fixture
async def one(place: Place, tmp_path: Path) -> AsyncIterator[Post]:
    """A sender, a platform, and a customer who has written once."""
    async with post(place, tmp_path) as opened:
        yield opened
