"""A running desk with sign-in, on SQLite or on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.desk import Desk, open_desk
from tests.server.staff import Staff, open_staff


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


@pytest.fixture
async def staff(tmp_path: Path) -> AsyncIterator[Staff]:
    """The staff's addresses around conversations, on SQLite."""
    async with open_staff(f"sqlite:///{tmp_path / 'desk.db'}") as running:
        yield running


@pytest.fixture
async def both_staff(store_url: str) -> AsyncIterator[Staff]:
    """The staff's addresses around conversations, on each kind of store."""
    async with open_staff(store_url) as running:
        yield running
