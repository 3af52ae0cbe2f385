"""The addresses of sign-in and access: what strangers reach, and what only admins do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.settings import Settings
from server.entrance import Entrance
from server.routes import Role
from server.store.sqlite import SqliteStore
from server.teams import Teams

OPEN = {"/api/session", "/api/session/code", "/api/session/enrol", "/api/links/look", "/api/links/redeem"}
ADMINS = ("/api/audit", "/api/people", "/api/keys", "/api/invitations")


@pytest.fixture
async def entrance(tmp_path: Path) -> AsyncIterator[Entrance]:
    settings = Settings(data_dir=tmp_path)
    store = SqliteStore(tmp_path / "desk.db", settings.store)
    async with store.running():
        yield Entrance(store, settings, Teams(store, settings.tenant))


async def test_strangers_reach_the_doors_and_nothing_else(entrance: Entrance) -> None:
    table = {(route.method, route.path): route.role for route in entrance.routes()}
    assert len(table) == len(entrance.routes()), "no address twice"
    assert {path for (_, path), role in table.items() if role is Role.PUBLIC} == OPEN
    assert all(role is Role.ADMIN for (_, path), role in table.items() if path.startswith(ADMINS))
