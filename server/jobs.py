"""Work that is due by the clock: schedules put jobs into ``job`` lanes, and each job runs alone under its name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog

from server import lanes, shifts
from server.lanes import Lease
from server.store.contract import Fenced, Store, StoreError, Tx

log = structlog.get_logger()

Job = Callable[[Mapping[str, Any]], Awaitable[None]]

STEP_S = 1.0
LEASE_S = 30.0
RETRY_S = 60.0
MAX_ERRORS = 5


class Jobs:
    """Runs registered jobs; ``schedules`` maps a job's name to its cron text (UTC).

    Jobs run one after the other, so they are short; the names in ``long`` run beside them, for as long as they take.
    """

    def __init__(
        self,
        store: Store,
        tenant: str,
        jobs: Mapping[str, Job],
        schedules: Mapping[str, str],
        *,
        long: Collection[str] = (),
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._jobs = jobs
        self._schedules = schedules
        self._long = frozenset(long)
        self._lease_s = lease_s
        self._beside: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep schedules and job lanes moving until the block ends."""

        async def register(tx: Tx) -> None:
            for name, cron in self._schedules.items():
                await lanes.put_schedule(tx, self._tenant, name, cron, {})

        await self._store.write(register)
        idle = partial(asyncio.sleep, STEP_S)
        task = asyncio.create_task(shifts.repeat("scheduler", self.step, idle), name="scheduler")
        try:
            yield
        finally:
            await shifts.end([task, *self._beside])

    async def step(self) -> None:
        """Put what is due and run what is ready; one job after the other, long ones beside."""

        async def unit(tx: Tx) -> list[Lease]:
            await lanes.due(tx, time.time())
            return await lanes.take(tx, "job", 1, self._lease_s, self._store.worker_id, tenant=self._tenant)

        while leases := await self._store.write(unit, order="~"):
            for lease in leases:
                if lease.key not in self._long:
                    await self._run(lease)
                    continue
                task = asyncio.create_task(self._run(lease), name=f"job {lease.key}")
                self._beside.add(task)
                task.add_done_callback(self._beside.discard)

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
        except asyncio.CancelledError:  # the process stops: another one goes on at once
            with suppress(StoreError):
                await self._store.write(lambda tx: lanes.nack(tx, lease, 0.0, error=False))
            raise
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
