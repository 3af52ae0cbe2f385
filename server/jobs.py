"""Work that is due by the clock: schedules put jobs into ``job`` lanes, and each job runs alone under its name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from server import lanes
from server.lanes import Lease
from server.store.contract import Fenced, Store, StoreError, Tx

log = structlog.get_logger()

Job = Callable[[Mapping[str, Any]], Awaitable[None]]

STEP_S = 1.0
LEASE_S = 30.0
RETRY_S = 60.0
MAX_ERRORS = 5


class Jobs:
    """Runs registered jobs; ``schedules`` maps a job's name to its cron text (UTC)."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        jobs: Mapping[str, Job],
        schedules: Mapping[str, str],
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._jobs = jobs
        self._schedules = schedules
        self._lease_s = lease_s

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep schedules and job lanes moving until the block ends."""

        async def register(tx: Tx) -> None:
            for name, cron in self._schedules.items():
                await lanes.put_schedule(tx, self._tenant, name, cron, {})

        await self._store.write(register)
        task = asyncio.create_task(self._loop(), name="scheduler")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _loop(self) -> None:
        while True:
            try:
                await self.step()
            except StoreError as error:
                log.warning("scheduler_waits", error=type(error).__name__, reason=str(error))
            except Exception:
                log.exception("scheduler_step_failed")
            await asyncio.sleep(STEP_S)

    async def step(self) -> None:
        """Put what is due and run what is ready; one job after the other."""

        async def unit(tx: Tx) -> list[Lease]:
            await lanes.due(tx, time.time())
            return await lanes.take(tx, "job", 1, self._lease_s, self._store.worker_id, tenant=self._tenant)

        while leases := await self._store.write(unit, order="~"):
            for lease in leases:
                await self._run(lease)

    async def _run(self, lease: Lease) -> None:
        job = self._jobs.get(lease.key)
        beating = asyncio.create_task(self._beat(lease))
        try:
            if job is None or lease.head.errors >= MAX_ERRORS:
                reason = "no such job in this version" if job is None else "failed too often"
                await self._store.write(lambda tx: lanes.park(tx, lease, reason, lease.first_seq))
                log.error("job_parked", job=lease.key, reason=reason)
                return
            await job(lease.head.body)
            await self._store.write(lambda tx: lanes.ack(tx, lease, lease.first_seq))
        except StoreError as error:
            log.warning("job_left", job=lease.key, error=type(error).__name__)
        except Exception:
            log.exception("job_failed", job=lease.key)
            with suppress(StoreError):
                await self._store.write(lambda tx: lanes.nack(tx, lease, RETRY_S, error=True))
        finally:
            beating.cancel()

    async def _beat(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self._store.write(lambda tx: lanes.beat(tx, lease, self._lease_s))
            except Fenced:
                return
            except StoreError as error:  # one missed beat is no lost lease
                log.warning("job_beat_missed", job=lease.key, error=type(error).__name__)
