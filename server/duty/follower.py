"""Follows the events of all conversations: keeps custodies, runs the clocks of promises, tells what was missed.

Of several processes one takes in each batch, under the cursor's lock; a batch is one commit, so no event counts twice.
Promises are told as ``sla`` events: one per promise, when it was met, missed (at its moment), or fell away.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from config.handoff import HandoffSettings, Targets
from config.hours import Hours
from server import shifts
from server.duty.custody import PRIORITIES, Begin, Custody, End, Retarget, Step, follow
from server.duty.telling import Telling
from server.ids import new_id
from server.store.contract import Event, Row, Store, Tx

BATCH: Final = 100  # events per unit: some milliseconds of the writer
MINUTE_S: Final = 60.0


class Follower:
    """The one writer of custodies and promises of a tenant."""

    def __init__(self, store: Store, tenant: str, settings: HandoffSettings) -> None:
        self._store = store
        self._tenant = tenant
        self._hours: Hours = settings.calendar
        self._targets: dict[str, Targets] = {name: getattr(settings.sla, name) for name in PRIORITIES}
        self._telling = Telling(store, tenant, settings)
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow until the block ends."""
        stop = self._store.listen("conversation", lambda _topic, _payload: self._wake.set())
        idle = partial(shifts.rested, self._wake)
        task = asyncio.create_task(shifts.repeat("duty", self.step, idle), name="duty")
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    async def step(self) -> None:
        """Take in every event there is, say what customers should hear, tell what is overdue."""
        while await self._batch():
            pass
        await self._telling.step()
        if await self._store.rows("duty.overdue", tenant=self._tenant, now=time.time()):
            await self._store.write(self._miss, order="~")

    async def _batch(self) -> bool:
        """Take in some events; looks before it writes: most of the time nothing is new. Whether there was any."""
        row = await self._store.row("duty.cursor_now", tenant=self._tenant)
        tail = await self._store.row("store.event_tail", tenant=self._tenant)
        if row is not None and tail is not None and row["number"] >= tail["event_tail"]:
            return False
        return await self._store.write(self._take, order="~")

    async def _take(self, tx: Tx) -> bool:
        row = await tx.row("duty.cursor", tenant=self._tenant)
        if row is None:  # once: finding the first event looks through all of them
            await tx.run("duty.start", tenant=self._tenant)
            row = await tx.row("duty.cursor", tenant=self._tenant)
        tail = await tx.row("store.event_tail", tenant=self._tenant)
        if row is None or tail is None or row["number"] >= tail["event_tail"]:
            return False
        after, upto = int(row["number"]), min(int(row["number"]) + BATCH, int(tail["event_tail"]))
        known: dict[str, Custody] = {}
        for event in await tx.rows("duty.events", tenant=self._tenant, after=after, upto=upto):
            key = event["conversation_id"]
            custody = known.get(key) or await self._custody(tx, key, event)
            if custody is None:
                continue  # erased meanwhile
            body = json.loads(event["body"])
            changed, steps = follow(custody, event["kind"], body, event["created_at"], text=str(body.get("text", "")))
            known[key] = changed
            for step in steps:
                await self._run(tx, key, changed, step, event["created_at"])
        for key, custody in known.items():
            await _keep(tx, self._tenant, key, custody)
        await tx.run("duty.move", tenant=self._tenant, number=upto)
        return True

    async def _custody(self, tx: Tx, key: str, event: Row) -> Custody | None:
        """What is known of a conversation; one that was never followed begins as it was before this event."""
        row = await tx.row("duty.custody", id=key)
        if row is not None:
            return Custody(**{name: row[name] for name in Custody.__slots__})
        standing = await tx.row("duty.standing", id=key, tenant=self._tenant)
        if standing is None:
            return None
        before = await tx.row("duty.state_before", tenant=self._tenant, id=key, seq=event["seq"])
        status = str(json.loads(before["body"])["status"]) if before is not None else "bot"
        since = before["created_at"] if before is not None else standing["created_at"]
        return Custody(status, since, standing["case_id"], standing["priority"])

    async def _run(self, tx: Tx, key: str, custody: Custody, step: Step, at_s: float) -> None:
        if isinstance(step, Begin):
            due_at = self._due(step.kind, custody.priority, at_s)
            if due_at is not None:
                await tx.run(
                    "duty.start_clock", id=new_id(), tenant=self._tenant, conversation_id=key, case_id=custody.case_id,
                    side=step.side, kind=step.kind, priority=custody.priority, started_at=at_s, due_at=due_at,
                )  # fmt: skip
            return
        for clock in await tx.rows("duty.open_clocks", conversation_id=key):
            if isinstance(step, Retarget):
                await self._retarget(tx, key, custody, clock)
            elif clock["side"] == step.side:
                await self._end(tx, key, clock, step, at_s)

    async def _retarget(self, tx: Tx, key: str, custody: Custody, clock: Row) -> None:
        """Another moment; a promise that the new priority does not make falls away."""
        due_at = self._due(clock["kind"], custody.priority, clock["started_at"])
        if due_at is None:
            await self._end(tx, key, clock, End(clock["side"], kept=False), tx.now_s)
        else:
            await tx.run("duty.retarget", id=clock["id"], priority=custody.priority, due_at=due_at)

    async def _end(self, tx: Tx, key: str, clock: Row, step: End, at_s: float) -> None:
        kept = "met" if step.kept else "dropped"
        outcome = "missed" if at_s > clock["due_at"] else kept
        await tx.run("duty.end_clock", id=clock["id"], at=at_s, outcome=outcome)
        if clock["missed_at"] is None:  # what was missed was told at its moment
            self._tell(tx, key, clock, outcome)

    async def _miss(self, tx: Tx) -> None:
        for clock in await tx.rows("duty.overdue", tenant=self._tenant, now=tx.now_s):
            if await tx.run("duty.missed", id=clock["id"], now=tx.now_s):
                self._tell(tx, clock["conversation_id"], clock, "missed")

    def _tell(self, tx: Tx, key: str, clock: Row, outcome: str) -> None:
        """An event beside the conversation's own sequence: nothing of its talk changed, so its row stays unlocked."""
        body: dict[str, Any] = {name: clock[name] for name in ("kind", "case_id", "started_at", "due_at")}
        body |= {"outcome": outcome, "priority": PRIORITIES[clock["priority"]]}
        tx.emit(Event(self._tenant, "sla", body, key))
        tx.notify("conversation", key)

    def _due(self, kind: str, priority: int, at_s: float) -> float | None:
        """When a promise that begins now is due; None where none is made, or the desk never opens."""
        targets = self._targets[PRIORITIES[priority]]
        minutes = {"first": targets.first_m, "next": targets.next_m, "resolution": targets.resolution_m}[kind]
        return self._hours.add(at_s, minutes * MINUTE_S) if minutes else None


async def _keep(tx: Tx, tenant: str, key: str, custody: Custody) -> None:
    values = {name: getattr(custody, name) for name in Custody.__slots__}
    await tx.run("duty.keep", id=key, tenant=tenant, **values)
