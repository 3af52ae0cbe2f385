"""Asking the model until it answers: short faults are retried, longer ones are told once and the turn waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from models.chat import Deadlines, ModelBusy, ModelError, ModelRefused, UnknownModel
from server.breaker import Breaker
from server.engine import record
from server.engine.attempt import Attempts, Progress
from server.engine.control import Interrupt
from server.engine.look import Look
from server.engine.words import Notice, say
from server.releases.bundle import Release
from server.store.contract import Store, Tx
from server.telemetry import Metrics

log = structlog.get_logger()

FIRST_RETRY_S = 0.25  # of the retries inside one lease, before the customer is told anything
NOTICE_BY_S = 8.0  # P5: the customer hears of a fault within 10 s; two are left for the commit and the way


class Asking:
    """Calls the model for a look; stateless apart from its collaborators."""

    def __init__(
        self, store: Store, attempts: Attempts, breaker: Breaker, metrics: Metrics, deadlines: Deadlines,
        base: Callable[[Release], Awaitable[Release]],
    ) -> None:  # fmt: skip
        self._store = store
        self._attempts = attempts
        self._breaker = breaker
        self._metrics = metrics
        self._deadlines = deadlines
        self._base = base

    async def ask(self, look: Look, fresh: Callable[[], Progress]) -> Progress | None:
        """The model's whole answer, or the part before the customer's stop; ``fresh`` makes each try's progress.

        None when the turn must be looked at again (``look.control`` says why) or went back to its lane.
        """
        control, clocks = look.control, look.clocks
        control.merging = look.may_merge
        error: ModelError | None = None
        while self._breaker.allow():
            if clocks.dispatched is None:
                clocks.dispatched = look.clock()
            progress = fresh()
            error = await self._attempts.run(look.lease, control, progress)
            if control.reason is not None:
                return self._interrupted(control.reason, progress)
            if error is None:
                self._breaker.succeeded()
                return progress
            if isinstance(error, UnknownModel) and await self._without_adapter(look):
                continue
            self._failed(error, look)
            if not await self._retry_soon(error, look):
                break
            if control.reason is not None:
                return None
        await self._give_up(look, refused=isinstance(error, ModelRefused))
        return None

    def _interrupted(self, reason: Interrupt, progress: Progress) -> Progress | None:
        if reason is Interrupt.MORE and progress.draft is not None:
            self._metrics.drafts.labels("replaced").inc()
        progress.stopped = reason is Interrupt.STOP and progress.begun is not None and bool(progress.text.strip())
        return progress if progress.stopped else None

    async def _without_adapter(self, look: Look) -> bool:
        """Go on with the base of the turn's release, which its reply then names; False when it is that already."""
        release = look.context.release
        name = release.served_name(look.context.language)
        if name == release.model:
            return False
        look.context = replace(look.context, release=await self._base(release))
        self._metrics.adapter_fallbacks.inc()
        log.error("adapter_missing", adapter=name, release=release.id, conversation=look.lease.key)
        return True

    def _failed(self, error: ModelError, look: Look) -> None:
        look.clocks.failures += 1
        # neither a full server nor one that rejects this very request is a broken one
        if not isinstance(error, ModelBusy | ModelRefused):
            self._breaker.failed()
        failures = look.clocks.failures
        log.warning("model_failed", error=type(error).__name__, failures=failures, open=self._breaker.open)

    async def _retry_soon(self, error: ModelError, look: Look) -> bool:
        """Wait for a short backoff; False when the customer must be told first."""
        assert look.clocks.dispatched is not None
        wait_s = FIRST_RETRY_S * 2 ** (look.clocks.failures - 1)
        if isinstance(error, ModelBusy) and error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        patience_s = min(NOTICE_BY_S, self._deadlines.first_token_s)
        if isinstance(error, ModelRefused):
            return False  # repeating it unchanged does not help
        if self._breaker.open or look.clock() - look.clocks.dispatched + wait_s >= patience_s:
            return False
        await look.control.pause(wait_s)
        return True

    async def _give_up(self, look: Look, *, refused: bool) -> None:
        """Tell the customer once and leave the turn in its lane; a request the model rejects is parked in the end."""
        lease, text = look.lease, say(Notice.MODEL_DOWN, look.context.language)
        delay_s = max(look.engine.retry_base_s, self._breaker.remaining_s)

        async def unit(tx: Tx) -> bool:
            return await record.notice(tx, lease, text, delay_s, error=refused)

        if await self._store.write(unit, order=lease.key):
            self._metrics.notices.labels("model_down").inc()
