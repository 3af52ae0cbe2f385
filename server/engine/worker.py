"""The worker: leases ready lanes up to the model's sequences, keeps the leases, and runs a turn for each.

A conversation that finds no free sequence simply stays in its durable lane, oldest first; it is told once that it
waits. While the model loads nothing is dispatched at all, so no clock starts and nothing fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from config.settings import Settings
from models.chat import ModelState
from server import lanes, shifts
from server.conversation import ConversationError
from server.crashpoint import reach
from server.engine import record
from server.engine.control import Control, Interrupt
from server.engine.turn import TurnRunner
from server.engine.words import Notice, say
from server.hub import Hub
from server.lanes import Lease
from server.store.contract import Fenced, Row, Store, StoreError, Tx
from server.switch import BotSwitch
from server.telemetry import Metrics

log = structlog.get_logger()

REAP_S = 1.0
OVERDUE_BATCH = 50


class Worker:
    """Runs turns of the ``in`` lanes until stopped; ``model_state`` tells whether any may be dispatched."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        runner: TurnRunner,
        switch: BotSwitch,
        metrics: Metrics,
        settings: Settings,
        model_state: Callable[[], ModelState],
    ) -> None:
        self._store = store
        self._hub = hub
        self._runner = runner
        self._switch = switch
        self._metrics = metrics
        self._engine = settings.engine
        self._slots = settings.model.max_sequences
        self._tenant = settings.tenant
        self._drain_s = settings.http.drain_s
        self._model_state = model_state
        self._running: dict[str, tuple[Lease, Control, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._state_changed = asyncio.Event()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the block ends; then take nothing new, finish what ends in time and give the rest back."""
        stops = [
            self._store.listen("lane:in", lambda _topic, payload: self._on_item(payload)),
            self._store.listen("control", lambda _topic, payload: self._on_control(payload)),
            self._switch.listen(self._on_switch),
        ]
        steps: list[tuple[str, shifts.Step, shifts.Step]] = [
            ("take", self._take, partial(shifts.waited, self._wake)),
            ("beat", self._beat, lambda: asyncio.sleep(self._engine.lease_s / 3)),
            ("reap", self._reap, lambda: asyncio.sleep(REAP_S)),
            ("overdue", self._tell_overdue, partial(shifts.waited, self._state_changed)),
        ]
        loops = [asyncio.create_task(shifts.repeat(*step), name=f"worker {step[0]}") for step in steps]
        try:
            yield
        finally:
            for stop in stops:
                stop()
            await self._stop(loops)

    @property
    def active(self) -> int:
        """How many turns this worker runs now."""
        return len(self._running)

    def model_changed(self) -> None:
        """The model's state changed: look for work again, and let customers see it."""
        self._wake.set()
        self._state_changed.set()

    async def _take(self) -> None:
        self._wake.clear()
        free = self._slots - len(self._running)
        if free <= 0 or self._stopping or self._model_state() is ModelState.LOADING:
            return

        async def unit(tx: Tx) -> list[Lease]:
            return await lanes.take(tx, "in", free, self._engine.lease_s, self._store.worker_id, tenant=self._tenant)

        # takes run last in their group: they lock lanes without their conversations
        for lease in await self._store.write(unit, order="~"):
            reach("take_after_commit")
            held = self._running.get(lease.key)
            if held is not None:  # our own lease ran out while nothing could be committed
                held[1].interrupt(Interrupt.LOST)
            control = Control()
            task = asyncio.create_task(self._run(lease, control), name=f"turn {lease.key}")
            self._running[lease.key] = (lease, control, task)
            self._metrics.queue_wait_seconds.observe(max(0.0, time.time() - lease.head.created_at))

    async def _run(self, lease: Lease, control: Control) -> None:
        try:
            await self._runner.run(lease, control)
        except Fenced as error:
            log.info("turn_fenced", conversation=lease.key, why=str(error))
        except StoreError as error:
            # the commit's fate is unknown: whoever takes the lane next sees what is stored
            log.warning("turn_left", conversation=lease.key, error=type(error).__name__, reason=str(error))
            await shifts.let_go(self._store, lease, self._engine.lease_s)
        except ConversationError as error:
            await self._give_back(lease, error)
        except Exception as error:
            log.exception("turn_failed", conversation=lease.key)
            await self._give_back(lease, error)
        finally:
            if self._running.get(lease.key, (None,))[0] is lease:
                del self._running[lease.key]
            self._wake.set()

    async def _give_back(self, lease: Lease, error: Exception) -> None:
        delay_s = self._engine.retry_base_s * 2 ** min(lease.items[0].errors, 6)
        log.warning("turn_retried", conversation=lease.key, error=type(error).__name__, delay_s=delay_s)
        with contextlib.suppress(StoreError):
            await self._store.write(lambda tx: lanes.nack(tx, lease, delay_s, error=True), order=lease.key)

    async def _beat(self) -> None:
        await asyncio.gather(*(self._keep(lease, control) for lease, control, _ in list(self._running.values())))

    async def _keep(self, lease: Lease, control: Control) -> None:
        try:
            await self._store.write(partial(lanes.beat, lease=lease, lease_s=self._engine.lease_s), order=lease.key)
        except Fenced:
            held = self._running.get(lease.key)
            if held is not None and held[0] is lease:
                log.info("lease_lost", conversation=lease.key)
                control.interrupt(Interrupt.LOST)

    async def _reap(self) -> None:
        freed = await lanes.reap(self._store)
        if freed:
            log.warning("lanes_taken_over", count=freed)
            self._wake.set()

    async def _tell_overdue(self) -> None:
        """Tell customers once that they wait, while the model loads or every sequence is taken."""
        self._state_changed.clear()
        await self._hub.tell_model_state(self._shown_state())
        if self._shown_state() == "ready":
            return
        now = time.time()
        overdue = await self._store.rows(
            "conversations.overdue", tenant=self._tenant, before=now - self._engine.busy_after_s, limit=OVERDUE_BATCH
        )
        loading = self._model_state() is ModelState.LOADING
        for row in overdue:
            if not self._engine.enabled or self._switch.silent(row["channel"], row["account"]):
                continue
            text = say(Notice.LOADING if loading else Notice.BUSY, row["language"] or "en")

            async def unit(tx: Tx, row: Row = row, text: str = text) -> bool:
                return await record.tell_busy(tx, row["id"], row["first_seq"], text)

            if await self._store.write(unit, order=row["id"]):
                self._metrics.notices.labels("loading" if loading else "busy").inc()

    def _shown_state(self) -> str:
        state = self._model_state()
        if state is ModelState.READY and len(self._running) >= self._slots:
            return "busy"
        return state.value

    def _on_item(self, conversation_id: str) -> None:
        held = self._running.get(conversation_id)
        if held is not None:
            held[1].interrupt(Interrupt.MORE)
        self._wake.set()

    def _on_control(self, payload: str) -> None:
        if not payload:
            return
        order = json.loads(payload)
        held = self._running.get(order["conversation"])
        if held is not None:
            held[1].interrupt(Interrupt(order["do"]))

    def _on_switch(self) -> None:
        for _, control, _ in list(self._running.values()):
            if self._switch.silent(control.channel, control.account):
                control.interrupt(Interrupt.SILENCE)
        self._wake.set()

    async def _stop(self, loops: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        loops[0].cancel()
        held = self._running
        await shifts.drain(self._store, lambda: [(lease, task) for lease, _, task in held.values()], self._drain_s)
        await self._runner.close()
        await shifts.end(loops)
