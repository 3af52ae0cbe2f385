"""The staff's part with everything that works by itself at rest, so that a test moves it step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.staff import Staff, open_staff


@pytest.fixture
async def idle_staff(store_url: str) -> AsyncIterator[Staff]:
    async with open_staff(store_url, works=False) as running:
        yield running
