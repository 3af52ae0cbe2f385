"""Works on lanes of one kind: takes what is ready, holds it while it is worked on, gives it back when that failed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import structlog

from server import lanes, shifts
from server.accounts import outcome
from server.lanes import Lease
from server.store.contract import Fenced, Store, StoreError

log = structlog.get_logger()

LEASE_S: Final = 30.0
TOGETHER: Final = 8  # lanes at a time
RETRY_S: Final = 1.0  # after an error; doubles up to RETRY_MAX_S
RETRY_MAX_S: Final = 60.0
MOST_ERRORS: Final = 20

Work = Callable[[Lease], Coroutine[Any, Any, None]]


class LaneWork:
    """One kind of lane in one process; ``work`` acknowledges the lease it is given, or gives it back."""

    def __init__(self, store: Store, tenant: str, kind: str, work: Work) -> None:
        self._store = store
        self._tenant = tenant
        self._kind = kind
        self._work = work
        self._wake = asyncio.Event()
        self._running: dict[str, tuple[Lease, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the block ends; what is begun then is finished, or given back."""
        stop = self._store.listen(lanes.topic(self._kind), lambda _topic, _payload: self._wake.set())
        idle = partial(shifts.waited, self._wake)
        loops = [
            asyncio.create_task(shifts.repeat(self._kind, self._take, idle), name=self._kind),
            asyncio.create_task(shifts.repeat(f"{self._kind} beat", self._beat, _between), name=f"{self._kind} beat"),
        ]
        try:
            yield
        finally:
            stop()
            loops[0].cancel()
            await shifts.drain(self._store, self._running.values, LEASE_S / 3)
            await shifts.end(loops)

    async def _take(self) -> None:
        self._wake.clear()
        free = TOGETHER - len(self._running)
        if free <= 0:
            return
        take = partial(
            lanes.take, kind=self._kind, limit=free, lease_s=LEASE_S, holder=self._store.worker_id, tenant=self._tenant
        )
        for lease in await self._store.write(take, order="~"):
            task = asyncio.create_task(self._run(lease), name=f"{self._kind} {lease.key}")
            self._running[lease.lane_id] = (lease, task)

    async def _run(self, lease: Lease) -> None:
        try:
            error = await outcome(self._work(lease))
            if isinstance(error, Fenced):
                log.info("staff_work_fenced", lane=self._kind, conversation=lease.key, why=str(error))
            elif isinstance(error, StoreError):
                log.warning("staff_work_left", lane=self._kind, conversation=lease.key, error=type(error).__name__)
                await shifts.let_go(self._store, lease, LEASE_S)
            elif error is not None:
                log.error("staff_work_failed", lane=self._kind, conversation=lease.key, exc_info=error)
                await self._give_back(lease, error)
        finally:
            if self._running.get(lease.lane_id, (None,))[0] is lease:
                del self._running[lease.lane_id]
            self._wake.set()

    async def _give_back(self, lease: Lease, error: BaseException) -> None:
        delay_s = min(RETRY_MAX_S, RETRY_S * 2 ** min(lease.head.errors, 6))
        with contextlib.suppress(StoreError):
            if lease.head.errors >= MOST_ERRORS:
                await self._store.write(lambda tx: lanes.park(tx, lease, type(error).__name__, lease.first_seq))
            else:
                await self._store.write(lambda tx: lanes.nack(tx, lease, delay_s, error=True), order=lease.key)

    async def _beat(self) -> None:
        for lease, _ in list(self._running.values()):
            with contextlib.suppress(Fenced):
                await self._store.write(partial(lanes.beat, lease=lease, lease_s=LEASE_S), order=lease.key)


async def _between() -> None:
    await asyncio.sleep(LEASE_S / 3)
