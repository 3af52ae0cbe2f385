"""The demo shop in a database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.contract import Store
from tests import postgres
from tests.server.tools.shopfront import Front, open_front


@pytest.fixture
async def shop_url(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Where an empty shop may be: beside a store on SQLite a file, beside one on PostgreSQL a database of its own."""
    if store.dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    async with cluster.database(empty=True) as url:
        yield url


@pytest.fixture
async def front(store: Store, shop_url: str) -> AsyncIterator[Front]:
    async with open_front(store, shop_url) as opened:
        yield opened
