"""Where store tests keep their data, and the clock they move by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from config.settings import StoreSettings
from server.store.contract import Store
from server.store.open import open_store


@dataclass
class FakeClock:
    """Both clocks, moved by hand."""

    lease: float = 1_000.0
    wall: float = 1_700_000_000.0

    def wall_s(self) -> float:
        return self.wall

    def lease_s(self) -> float:
        return self.lease

    def pass_s(self, seconds: float) -> None:
        self.lease += seconds
        self.wall += seconds


@dataclass
class Place:
    """Where a test keeps its data."""

    dialect: str
    url: str
    clock: FakeClock = field(default_factory=FakeClock)

    @asynccontextmanager
    async def open(self, *, real_clock: bool = False, **settings: object) -> AsyncIterator[Store]:
        store = open_store(self.url, StoreSettings.model_validate(settings), clock=None if real_clock else self.clock)
        async with store.running():
            yield store


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
