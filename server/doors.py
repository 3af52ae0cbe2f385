"""How deliveries of platforms fare at our door: counted by account and reason, so that a wrong secret is seen.

A stranger can call a webhook as often as they like, so nothing is written per call: counts are kept in memory and put
into the store every few seconds. The reasons are our own words, of which there are few.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from server.store.contract import Store, StoreError, Tx

log = structlog.get_logger()

FLUSH_S: Final = 5.0
LATEST: Final = 20  # deliveries of an account that this process remembers one by one
REASONS: Final = 200  # different answers counted between two writes; more are of no use to anybody
REASON_CHARACTERS: Final = 200
KEPT_DAYS: Final = 30
SHOWN_DAYS: Final = 7
DAY_S: Final = 86_400.0

Key = tuple[str, str, int, int, str]  # channel, account, day, status, reason


@dataclass(frozen=True, slots=True)
class Call:
    """One delivery: when (epoch seconds), how it was answered, and why it was refused ("" = it was not)."""

    at: float
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """Deliveries answered alike during the last SHOWN_DAYS days."""

    status: int
    reason: str
    deliveries: int
    last_at: float


class Doors:
    """Counts deliveries; ``clock`` is epoch seconds."""

    def __init__(self, store: Store, tenant: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._tenant = tenant
        self._clock = clock
        self._new: dict[Key, tuple[int, float]] = {}
        self._latest: dict[tuple[str, str], deque[Call]] = {}

    def note(self, channel: str, account: str, status: int, reason: str = "") -> None:
        """Count one delivery of a configured account."""
        at, reason = self._clock(), reason[:REASON_CHARACTERS]
        self._latest.setdefault((channel, account), deque(maxlen=LATEST)).append(Call(at, status, reason))
        key = (channel, account, int(at // DAY_S), status, reason)
        if key in self._new or len(self._new) < REASONS:
            self._new[key] = (self._new.get(key, (0, 0.0))[0] + 1, at)

    def latest(self, channel: str, account: str) -> Sequence[Call]:
        """The last deliveries to this process, the newest first."""
        return list(self._latest.get((channel, account), ()))[::-1]

    async def counts(self) -> dict[tuple[str, str], list[Count]]:
        """Deliveries of the last days by account, those counted here and not stored yet included."""
        await self.flush()
        found: dict[tuple[str, str], list[Count]] = {}
        day = int(self._clock() // DAY_S) - SHOWN_DAYS + 1
        for row in await self._store.rows("doors.since", tenant=self._tenant, day=day):
            count = Count(row["status"], row["reason"], int(row["deliveries"]), row["last_at"])
            found.setdefault((row["channel"], row["account"]), []).append(count)
        return found

    async def flush(self) -> None:
        """Put what was counted into the store; raises a StoreError, then it is kept for the next time."""
        counted, self._new = self._new, {}
        if not counted:
            return

        async def unit(tx: Tx) -> None:
            for (channel, account, day, status, reason), (deliveries, last_at) in sorted(counted.items()):
                await tx.run(
                    "doors.count", tenant=self._tenant, channel=channel, account=account, day=day, status=status,
                    reason=reason, deliveries=deliveries, last_at=last_at,
                )  # fmt: skip
            oldest = int(self._clock() // DAY_S) - KEPT_DAYS
            await tx.run("doors.forget", tenant=self._tenant, day=oldest)

        try:
            await self._store.write(unit, order="~doors")
        except StoreError:
            for key, (deliveries, last_at) in counted.items():
                newer = self._new.get(key, (0, last_at))
                self._new[key] = (deliveries + newer[0], newer[1])
            raise

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write counts while the service runs, and once more at its end."""
        task = asyncio.create_task(self._write(), name="doors")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            with suppress(StoreError):
                await self.flush()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except StoreError as error:
                log.info("doors_not_written", error=type(error).__name__)
