"""One turn: what the customer said since the last answer, and that answer.

settle → read the files → make the answer (``rounds.py``; a newer message aborts and joins, within bounds and only until
a tool is called) → one commit. A turn whose journal holds calls already ends where those calls began: whatever came
later is the next turn's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from config.settings import Settings
from models.chat import Deadlines
from server import lanes
from server.breaker import Breaker
from server.conversation import HandOver, Outcome, who_answers
from server.crashpoint import reach
from server.engine import record
from server.engine.acting import Acting
from server.engine.asking import Asking
from server.engine.attempt import Attempts
from server.engine.context import ContextReader
from server.engine.control import Control, Interrupt
from server.engine.knowing import Knowing
from server.engine.look import Clocks, Look
from server.engine.present import Presenter, no_channel
from server.engine.reading import MediaReader, with_files
from server.engine.record import Ending
from server.engine.rounds import BudgetedLLM, Rounds
from server.engine.words import Notice, say
from server.hub import Hub
from server.lanes import Lease
from server.releases.bundle import Release
from server.releases.registry import Releases
from server.store.contract import Store, Tx
from server.switch import BotSwitch
from server.telemetry import Metrics

log = structlog.get_logger()


class TurnRunner:
    """Runs turns; one instance per worker, all state of a turn is local to :meth:`run`."""

    def __init__(
        self,
        store: Store,
        llm: BudgetedLLM,
        hub: Hub,
        releases: Releases,
        switch: BotSwitch,
        breaker: Breaker,
        metrics: Metrics,
        settings: Settings,
        *,
        presenter: Presenter | None = None,
        media: MediaReader | None = None,
        knowledge: Knowing | None = None,
        tools: Acting | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._hub = hub
        self._switch = switch
        self._breaker = breaker
        self._metrics = metrics
        self._engine = settings.engine
        model = settings.model
        deadlines = Deadlines(model.first_token_timeout_s, model.gap_timeout_s, model.total_timeout_s)
        self._reader = ContextReader(store, releases, settings)
        self._presenter = presenter or Presenter(store, no_channel, metrics, settings)
        self._attempts = Attempts(store, llm, hub, self._presenter, deadlines, settings.engine.lease_s, clock)
        asking = Asking(store, self._attempts, breaker, metrics, deadlines, releases.base)
        self._rounds = Rounds(llm, asking, metrics, settings, knowledge, tools)
        self._tools = tools
        self._media = media
        self._clock = clock
        self._wall = wall

    async def run(self, lease: Lease, control: Control) -> None:
        """Bring one leased turn to its end, or give it back to its lane; raises Fenced when it is somebody else's."""
        clocks = Clocks(self._clock())
        head = lease.items[0]
        if head.errors >= self._engine.max_errors or head.lost_leases >= self._engine.max_lost_leases:
            await self._park(lease, "errors" if head.errors >= self._engine.max_errors else "lost_leases")
            return
        lease = await self._capped(await self._settled(lease, control), clocks)
        release: Release | None = None
        with self._presenter.typing() as show_typing:
            while True:
                context = await self._reader.read(lease, self._wall(), release)
                release = context.release
                control.channel, control.account = context.channel, context.account
                clocks.look(lease.tail, context.edits)
                look = Look(context, lease, control, clocks, self._engine, self._clock)
                ending = self._without_answer(look)
                if ending is None:
                    if not self._breaker.open:
                        show_typing(context)
                    ending = await self._with_answer(look)
                if ending is not None and await self._end(lease, ending, clocks):
                    return
                if control.reason in {Interrupt.LOST, None} and ending is None:
                    return
                control.clear()
                lease = await self._capped(await self._grown(lease), clocks)

    async def close(self) -> None:
        """Let what platforms are being shown come to its end; call it once no turn runs any more."""
        await self._presenter.close()

    def _without_answer(self, look: Look) -> Ending | None:
        """The ending of a turn that nobody answers; calls that it left open end with it."""
        ending = self._silent(look)
        if ending is None or self._tools is None or not look.clocks.closed:
            return ending
        return replace(ending, also=(self._tools.abandon(look.lease),))

    def _silent(self, look: Look) -> Ending | None:
        context, tail = look.context, look.lease.tail
        silenced = not self._engine.enabled or self._switch.silent(context.channel, context.account)
        decision = who_answers(context.state, silenced=silenced, answer_while_waiting=self._engine.answer_while_waiting)
        if isinstance(decision, HandOver):
            return Ending(Outcome.HANDED_OVER, tail, reason=decision.reason, ask=decision.ask)
        if context.opted_out or context.blocked:  # nothing may be said to them, nor may a model read it
            return Ending(Outcome.HANDED_OVER, tail, reason="blocked" if context.blocked else "opted_out")
        if context.stop_seq >= tail:
            return look.told(Outcome.ANSWERED, "stopped", Notice.STOPPED)
        if context.notice_at is not None and context.now_s > context.notice_at + self._engine.answer_deadline_s:
            return Ending(Outcome.GRACEFUL, tail, reason="model_down")
        return None

    async def _settled(self, lease: Lease, control: Control) -> Lease:
        """Wait until the customer paused for ``settle_s``, at most 1.2 s in all, and take in what came meanwhile."""
        limit = self._clock() + 1.2
        age_s = max(0.0, self._wall() - lease.items[-1].created_at)
        pause_s = self._engine.settle_s - age_s
        whole = lease.items[-1].seq == lease.tail
        if pause_s <= 0 and whole and control.reason is None:
            return lease  # nothing can have come since it was taken
        while pause_s > 0 and self._clock() < limit:
            await control.pause(min(pause_s, limit - self._clock()))
            more = control.reason is Interrupt.MORE
            if control.reason is not None and not more:
                break
            control.clear()
            pause_s = self._engine.settle_s if more else 0.0
        return await self._grown(lease)

    async def _grown(self, lease: Lease) -> Lease:
        items = await lanes.items_since(self._store, lease.lane_id, lease.first_seq - 1)
        return replace(lease, items=tuple(items), tail=items[-1].seq) if items else lease

    async def _capped(self, lease: Lease, clocks: Clocks) -> Lease:
        """The lease up to the newest message that the turn had read when it first called a tool."""
        upto_seq = await self._tools.reach(lease) if self._tools is not None else None
        if upto_seq is None:
            return lease
        clocks.closed = True
        items = tuple(item for item in lease.items if item.seq <= upto_seq)
        return replace(lease, items=items, tail=min(lease.tail, upto_seq))

    async def _with_answer(self, look: Look) -> Ending | None:
        """Read the files, then answer; None when the turn must be looked at again or went back to its lane."""
        context = look.context
        attached = [message.id for message in context.said if message.attached]
        if attached and self._media is not None:
            look.control.merging = look.may_merge
            task = asyncio.create_task(self._media.read(look.lease.key, attached), name=f"read {look.lease.key}")
            if not await look.control.guard(task):
                return None
            look.context = context = with_files(context, task.result())
        if context.question.strip():
            return await self._rounds.answer(look)
        if context.notes:
            return look.told(Outcome.GRACEFUL, "unreadable", *context.notes, offer="person")
        return look.told(Outcome.GRACEFUL, "empty", Notice.NOTHING_READABLE, offer="person")

    async def _end(self, lease: Lease, ending: Ending, clocks: Clocks) -> bool:
        """Commit the ending; False when a newer message or a claim came first and the turn goes on."""

        async def unit(tx: Tx) -> str | None:
            return await record.end(tx, lease, ending)

        reach("turn_generated")
        try:
            # asking for a person counts who else waits, which is not this conversation's own
            await self._store.write(unit, order=lease.key, independent=ending.ask is None)
            reach("turn_ended")
        except record.OwnerChanged:
            return False
        except record.TailMoved:
            if len(lease.items) >= lanes.ITEMS_PER_TAKE:
                # more is waiting than one turn reads: answer this part, the next turn takes the rest
                clocks.merges = self._engine.max_merges
            return False
        self._metrics.turns.labels(ending.outcome.value, ending.reason or "").inc()
        self._metrics.turn_seconds.observe(self._clock() - clocks.taken)
        if ending.attempt:
            self._metrics.drafts.labels("final").inc()
        return True

    async def _park(self, lease: Lease, reason: str) -> None:
        context = await self._reader.read(lease, self._wall())
        text = say(Notice.PARKED, context.language)

        async def unit(tx: Tx) -> None:
            await record.park(tx, lease, reason, text)
            if self._tools is not None:
                await self._tools.abandon(lease)(tx)

        await self._store.write(unit, order=lease.key)
        self._metrics.items_parked.inc()
        log.error("message_parked", conversation=lease.key, seq=lease.first_seq, reason=reason)
