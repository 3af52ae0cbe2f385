"""One turn: what the customer said since the last answer, and that answer.

settle → prompt → stream (a newer message aborts and joins, within bounds) → one commit. A model fault is retried for a
few seconds, then the customer is told once and the turn waits in its lane for the model to return.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from config.settings import Settings
from models.chat import LLM, Deadlines, ModelBusy, ModelError, ModelRefused, QuestionTooLong, Usage
from models.prompt import PromptBudget
from server import lanes
from server.conversation import HandOver, Outcome, who_answers
from server.crashpoint import reach
from server.engine import record
from server.engine.attempt import Attempts, Progress
from server.engine.breaker import Breaker
from server.engine.context import Context, ContextReader
from server.engine.control import Control, Interrupt
from server.engine.present import Presenter, no_channel
from server.engine.reading import MediaReader, with_files
from server.engine.record import Ending
from server.engine.words import Notice, say
from server.hub import Hub
from server.lanes import Lease
from server.releases import Releases
from server.store.contract import Store, Tx
from server.switch import BotSwitch
from server.telemetry import Metrics

log = structlog.get_logger()

FIRST_RETRY_S = 0.25  # of the retries inside one lease, before the customer is told anything
NOTICE_BY_S = 8.0  # P5: the customer hears of a fault within 10 s; two are left for the commit and the way


class BudgetedLLM(LLM, Protocol):
    """A model that also knows what a prompt costs."""

    @property
    def budget(self) -> PromptBudget:
        """Counts with the served model's tokenizer."""
        ...


@dataclass(slots=True)
class Clocks:
    """When the stages of a turn happened, seconds of the injected clock."""

    taken: float
    dispatched: float | None = None
    merges: int = 0
    failures: int = 0
    seen: tuple[int, int] | None = None

    def look(self, tail: int, edits: int) -> None:
        """Count a merge when there is more, or something else, to answer than at the last look.

        A wake-up alone is none: it may have been for a message that the lease covered already.
        """
        if self.seen is not None and (tail, edits) != self.seen:
            self.merges += 1
        self.seen = (tail, edits)


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
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._llm = llm
        self._hub = hub
        self._switch = switch
        self._breaker = breaker
        self._metrics = metrics
        self._engine = settings.engine
        self._deadlines = Deadlines(
            settings.model.first_token_timeout_s, settings.model.gap_timeout_s, settings.model.total_timeout_s
        )
        self._reader = ContextReader(store, releases, settings)
        self._presenter = presenter or Presenter(store, no_channel, metrics, settings)
        self._attempts = Attempts(store, llm, hub, self._presenter, self._deadlines, settings.engine.lease_s, clock)
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
        lease = await self._settled(lease, control)
        with self._presenter.typing() as show_typing:
            while True:
                context = await self._reader.read(lease, self._wall())
                control.channel, control.account = context.channel, context.account
                clocks.look(lease.tail, context.edits)
                ending = self._without_model(context, lease)
                if ending is None:
                    if not self._breaker.open:
                        show_typing(context)
                    ending = await self._with_model(context, lease, control, clocks)
                if ending is not None and await self._end(lease, ending, clocks):
                    return
                if control.reason in {Interrupt.LOST, None} and ending is None:
                    return
                control.clear()
                lease = await self._grown(lease)

    async def close(self) -> None:
        """Let what platforms are being shown come to its end; call it once no turn runs any more."""
        await self._presenter.close()

    def _without_model(self, context: Context, lease: Lease) -> Ending | None:
        silenced = not self._engine.enabled or self._switch.silent(context.channel, context.account)
        decision = who_answers(context.state, silenced=silenced, answer_while_waiting=self._engine.answer_while_waiting)
        if isinstance(decision, HandOver):
            return Ending(Outcome.HANDED_OVER, lease.tail, reason=decision.reason, ask=decision.ask)
        if context.opted_out or context.blocked:  # nothing may be said to them, nor may a model read it
            return Ending(Outcome.HANDED_OVER, lease.tail, reason="blocked" if context.blocked else "opted_out")
        if context.stop_seq >= lease.tail:
            return _told(context, lease, Outcome.ANSWERED, "stopped", Notice.STOPPED)
        if context.notice_at is not None and context.now_s > context.notice_at + self._engine.answer_deadline_s:
            return Ending(Outcome.GRACEFUL, lease.tail, reason="model_down")
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

    async def _with_model(self, context: Context, lease: Lease, control: Control, clocks: Clocks) -> Ending | None:
        """Read the files, then answer; None when the turn must be looked at again or went back to its lane."""
        attached = [message.id for message in context.said if message.attached]
        if attached and self._media is not None:
            control.merging = self._may_merge(clocks)
            task = asyncio.create_task(self._media.read(lease.key, attached), name=f"read {lease.key}")
            if not await control.guard(task):
                return None
            context = with_files(context, task.result())
        if context.question.strip():
            return await self._answer(context, lease, control, clocks)
        if context.notes:
            return _told(context, lease, Outcome.GRACEFUL, "unreadable", *context.notes, offer="person")
        return _told(context, lease, Outcome.GRACEFUL, "empty", Notice.NOTHING_READABLE, offer="person")

    async def _answer(self, context: Context, lease: Lease, control: Control, clocks: Clocks) -> Ending | None:
        """Generate until there is an ending; None when the turn must be looked at again or went back to its lane."""
        try:
            prompt = self._llm.budget.fit(
                context.release.system_prompt,
                context.history,
                context.question,
                max_answer_tokens=context.release.decoding.max_tokens,
            )
        except QuestionTooLong:
            return _told(context, lease, Outcome.GRACEFUL, "too_long", Notice.TOO_LONG)
        control.merging = self._may_merge(clocks)
        error: ModelError | None = None
        while self._breaker.allow():
            if clocks.dispatched is None:
                clocks.dispatched = self._clock()
            progress = Progress(context, prompt, self._clock())
            error = await self._attempts.run(lease, control, progress)
            if control.reason is not None:
                return await self._interrupted(lease, control, clocks, progress)
            if error is None:
                self._breaker.succeeded()
                return self._finished(lease, clocks, progress)
            self._failed(error, clocks)
            if not await self._retry_soon(error, control, clocks):
                break
            if control.reason is not None:
                return None
        await self._give_up(context, lease, refused=isinstance(error, ModelRefused))
        return None

    async def _interrupted(self, lease: Lease, control: Control, clocks: Clocks, progress: Progress) -> Ending | None:
        if control.reason is Interrupt.MORE and progress.begun is not None:
            self._metrics.drafts.labels("replaced").inc()
        if control.reason is Interrupt.STOP and progress.begun is not None and progress.text.strip():
            ending = self._finished(lease, clocks, progress)
            return replace(ending, reason="stopped", extra={"stopped": True}, saw_tail=None, saw_edits=None)
        return None

    def _finished(self, lease: Lease, clocks: Clocks, progress: Progress) -> Ending:
        begun = progress.begun
        assert begun is not None  # an answer without text is a ModelProtocolError, so its draft was opened
        now = self._clock()
        timings = {
            "settle": 1000 * ((clocks.dispatched or now) - clocks.taken),
            "first_token": 1000 * ((progress.first_token or now) - progress.started),
            "total": 1000 * (now - progress.started),
        }
        self._metrics.first_token_seconds.observe(timings["first_token"] / 1000)
        context, merging = progress.context, self._may_merge(clocks)
        return Ending(
            Outcome.ANSWERED,
            lease.tail,
            reason="length" if progress.finish == "length" else None,
            text=progress.text.strip(),
            attempt=begun.attempt,
            owner_epoch=begun.owner_epoch,
            saw_tail=lease.tail if merging else None,
            saw_edits=context.edits if merging else None,
            notices=[say(note, context.language) for note in context.notes],
            release_id=context.release.id,
            usage=progress.usage or Usage(progress.prompt.prompt_tokens, 0),
            timings={name: round(value, 1) for name, value in timings.items()},
        )

    def _may_merge(self, clocks: Clocks) -> bool:
        """A newer message may abort the answer twice or for 15 s, so that a steady writer is answered too."""
        started = clocks.dispatched if clocks.dispatched is not None else self._clock()
        in_window = self._clock() - started < self._engine.merge_window_s
        return clocks.merges < self._engine.max_merges and in_window

    def _failed(self, error: ModelError, clocks: Clocks) -> None:
        clocks.failures += 1
        # neither a full server nor one that rejects this very request is a broken one
        if not isinstance(error, ModelBusy | ModelRefused):
            self._breaker.failed()
        log.warning("model_failed", error=type(error).__name__, failures=clocks.failures, open=self._breaker.open)

    async def _retry_soon(self, error: ModelError, control: Control, clocks: Clocks) -> bool:
        """Wait for a short backoff; False when the customer must be told first."""
        assert clocks.dispatched is not None
        wait_s = FIRST_RETRY_S * 2 ** (clocks.failures - 1)
        if isinstance(error, ModelBusy) and error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        patience_s = min(NOTICE_BY_S, self._deadlines.first_token_s)
        if isinstance(error, ModelRefused):
            return False  # repeating it unchanged does not help
        if self._breaker.open or self._clock() - clocks.dispatched + wait_s >= patience_s:
            return False
        await control.pause(wait_s)
        return True

    async def _give_up(self, context: Context, lease: Lease, *, refused: bool) -> None:
        """Tell the customer once and leave the turn in its lane; a request the model rejects is parked in the end."""
        text = say(Notice.MODEL_DOWN, context.language)
        delay_s = max(self._engine.retry_base_s, self._breaker.remaining_s)

        async def unit(tx: Tx) -> bool:
            return await record.notice(tx, lease, text, delay_s, error=refused)

        if await self._store.write(unit, order=lease.key):
            self._metrics.notices.labels("model_down").inc()

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

        await self._store.write(unit, order=lease.key)
        self._metrics.items_parked.inc()
        log.error("message_parked", conversation=lease.key, seq=lease.first_seq, reason=reason)


def _told(context: Context, lease: Lease, outcome: Outcome, reason: str, *notices: Notice, **extra: str) -> Ending:
    """An ending in the service's own words."""
    text = "\n".join(say(notice, context.language) for notice in notices)
    epoch = context.state.owner_epoch
    return Ending(outcome, lease.tail, reason=reason, text=text, role="notice", extra=extra, owner_epoch=epoch)
