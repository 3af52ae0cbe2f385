"""The sender: leases ready ``out`` lanes, keeps the leases, and delivers the head of each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog

from config.settings import Settings
from server import lanes, shifts
from server.lanes import Lease
from server.outbox import pace
from server.outbox.delivery import Delivery
from server.outbox.failures import AWAY_S
from server.outbox.pace import Bucket
from server.store.contract import Fenced, Store, StoreError, Tx

log = structlog.get_logger()

LONGEST_S = 60.0  # between looks at a lane whose account has been away for long
TELL_S = 60.0  # between log lines about one account


class Sender:
    """Works on ``out`` lanes until stopped; belongs to the worker role, beside the Worker (which reaps for both).

    Wiring: ``delivery = Delivery(store, channels, metrics, settings, feedback=..., person=...)`` and
    ``sender = Sender(store, delivery, settings)``; start ``sender.running`` after the channels' own ``running``.
    """

    def __init__(self, store: Store, delivery: Delivery, settings: Settings) -> None:
        self._store = store
        self._delivery = delivery
        self._tenant = settings.tenant
        self._outbox = settings.outbox
        self._drain_s = settings.http.drain_s
        self._running: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._told: dict[tuple[str, str], float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block ends; then take nothing new, finish what ends in time and give the rest back."""
        stop = self._store.listen(lanes.topic("out"), lambda _topic, _payload: self.wake())
        idle = partial(shifts.waited, self._wake)
        loops = [
            asyncio.create_task(shifts.repeat("send", self.take, idle), name="sender take"),
            asyncio.create_task(shifts.repeat("send beat", self._beat, self._between_beats), name="sender beat"),
        ]
        try:
            yield
        finally:
            stop()
            await self._stop(loops)

    @property
    def active(self) -> int:
        """How many lanes this sender works on now."""
        return len(self._running)

    def wake(self) -> None:
        """Look for work now: something was queued, or an account came back."""
        self._wake.set()

    async def take(self) -> None:
        """Lease what is ready, as far as there is room and the accounts' pace allows, and start on it."""
        self._wake.clear()
        free = self._outbox.concurrency - len(self._running)
        if free <= 0 or self._stopping:
            return
        # takes run last in their group: they lock lanes without their conversations, and buckets that all share
        leases, deferred = await self._store.write(partial(self._lease, limit=free), order="~")
        if deferred:  # lanes of accounts that must wait took places of others: look again at once
            self._wake.set()
        for lease in leases:
            held = self._running.get(lease.key)
            task = asyncio.create_task(self._run(lease, held[1] if held else None), name=f"send {lease.key}")
            self._running[lease.key] = (lease, task)

    async def _lease(self, tx: Tx, limit: int) -> tuple[list[Lease], int]:
        """What may be worked on now, and how many lanes were given back because their account must wait."""
        leases = await lanes.take(tx, "out", limit, self._outbox.lease_s, self._store.worker_id, tenant=self._tenant)
        places = {lease.key: _place(lease) for lease in leases}
        granted: list[Lease] = []
        for place, count in sorted(Counter(places.values()).items()):
            mine = [lease for lease in leases if places[lease.key] == place]
            granted += await self._admit(tx, place, mine, count)
        return granted, len(leases) - len(granted)

    async def _admit(self, tx: Tx, place: tuple[str, str], mine: Sequence[Lease], count: int) -> Sequence[Lease]:
        """Those of an account's lanes that its pace lets through now; the others are given back for their time."""
        limits = self._delivery.limits(*place)
        away_s = await self._away_s(tx, place)
        if limits is None or away_s > 0:
            self._tell(place)
            return await self._put_off(tx, mine, away_s or AWAY_S)
        tokens, wait_s = await pace.debit(tx, Bucket(self._tenant, *place), limits.account_pace, count)
        step_s = 1.0 / limits.account_pace.per_s if limits.account_pace else 0.0
        for number, lease in enumerate(mine[tokens:]):
            await lanes.nack(tx, lease, wait_s + number * step_s, error=False)
        return mine[:tokens]

    async def _away_s(self, tx: Tx, place: tuple[str, str]) -> float:
        """For how long an account is of no use, 0 when it may be."""
        away_s = self._delivery.away_s(*place)
        state = await tx.row("channels.state", tenant=self._tenant, channel=place[0], account=place[1])
        return max(away_s, AWAY_S) if state is not None and state["state"] == "revoked" else away_s

    def _tell(self, place: tuple[str, str]) -> None:
        """Say in the log, now and then, that messages wait for an account."""
        now = time.monotonic()
        if now - self._told.get(place, -TELL_S) >= TELL_S:
            self._told[place] = now
            log.warning("sends_wait", channel=place[0], account=place[1], reason="the account cannot be used now")

    async def _put_off(self, tx: Tx, mine: Sequence[Lease], away_s: float) -> Sequence[Lease]:
        """Give lanes back unread, for longer the longer they wait: thousands of them must not hold up other accounts.

        Those whose message may have run out of time are looked at.
        """
        looked_at = []
        for lease in mine:
            waited_s = tx.now_s - lease.head.created_at
            if waited_s > self._outbox.expiry_s:
                looked_at.append(lease)
            else:
                await lanes.nack(tx, lease, max(away_s, min(LONGEST_S, waited_s / 10)), error=False)
        return looked_at

    async def _run(self, lease: Lease, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:  # our own lease ran out while nothing could be committed: its call may still work
            await asyncio.wait({earlier})
        try:
            await self._delivery.deliver(lease)
        except Fenced as error:
            log.info("send_fenced", conversation=lease.key, why=str(error))
        except StoreError as error:
            # the commit's fate is unknown: whoever takes the lane next sees what is stored
            log.warning("send_left", conversation=lease.key, error=type(error).__name__, reason=str(error))
            await shifts.let_go(self._store, lease, self._outbox.lease_s)
        except Exception as error:
            log.exception("delivery_failed", conversation=lease.key)
            await self._give_back(lease, error)
        finally:
            if self._running.get(lease.key, (None,))[0] is lease:
                del self._running[lease.key]
            self._wake.set()

    async def _give_back(self, lease: Lease, error: Exception) -> None:
        delay_s = min(self._outbox.retry_max_s, self._outbox.retry_base_s * 2 ** min(lease.head.errors, 16))
        log.warning("send_retried", conversation=lease.key, error=type(error).__name__, delay_s=delay_s)
        with contextlib.suppress(StoreError):
            await self._store.write(lambda tx: lanes.nack(tx, lease, delay_s, error=True), order=lease.key)

    async def _beat(self) -> None:
        await asyncio.gather(*(self._keep(lease, task) for lease, task in list(self._running.values())))

    async def _keep(self, lease: Lease, task: asyncio.Task[None]) -> None:
        """Hold a lane; a lost one is finished all the same: what was sent is worth recording."""
        try:
            await self._store.write(partial(lanes.beat, lease=lease, lease_s=self._outbox.lease_s), order=lease.key)
        except Fenced:
            if not task.done() and self._running.get(lease.key, (None,))[0] is lease:
                log.info("send_lease_lost", conversation=lease.key)

    async def _between_beats(self) -> None:
        await asyncio.sleep(self._outbox.lease_s / 3)

    async def _stop(self, loops: Sequence[asyncio.Task[None]]) -> None:
        """A call on its way is waited for; one that takes longer stays marked, and its next holder looks it up."""
        self._stopping = True
        loops[0].cancel()
        await shifts.drain(self._store, self._running.values, self._drain_s)
        await shifts.end(loops)


def _place(lease: Lease) -> tuple[str, str]:
    body = lease.head.body
    return str(body.get("channel", "")), str(body.get("account", ""))
