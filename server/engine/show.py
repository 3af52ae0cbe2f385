"""An answer on a platform while it is written: a draft message that grows.

Nothing here decides what the customer gets in the end. The intent to show a draft is on disk before the platform hears
of it and the platform's id right after, so whoever sends the committed answer (or takes the draft away) finds it. Any
refusal ends the showing and never the answer, unless it is the customer's own stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from channels.base import Channel, Limited, SendError, Unknown
from server import lanes
from server.crashpoint import reach
from server.engine.context import Context
from server.engine.record import Begun
from server.handoff import Handoff
from server.lanes import Lease
from server.outbox import drafts
from server.store.contract import Store, StoreError, StoreUnavailable, Tx
from server.store.text import dump
from server.telemetry import Metrics
from server.timeline import lock

log = structlog.get_logger()

STOPPED = "stopped_by_user"  # code of a refusal that means: the customer pressed the platform's own stop
LOOK_UP_AFTER_S = 1.0  # what was opened before a connection broke can be found by then
OUTAGE_S = 120.0  # the longest outage of the database during which a draft's id is kept in memory
AGAIN_S = 0.2  # between attempts to store it
CLOSE_S = 0.5  # the longest that the end of an answer waits for a call that is still on its way


def size(text: str, unit: str) -> int:
    """The length of a text as a platform counts it: ``bytes``, ``characters`` or ``utf16`` units."""
    if unit == "bytes":
        return len(text.encode("utf-8", "replace"))
    return len(text) if unit == "characters" else len(text.encode("utf-16-le", "replace")) // 2


class Show:
    """An answer nobody sees before it is sent; what platforms show derives from it."""

    def append(self, text: str) -> None:
        """Take in more of the answer; never waits, never fails."""

    async def close(self) -> None:
        """Show nothing further."""


class PlatformShow(Show):
    """An answer that a platform shows while it grows, from ``first_at`` on (seconds of the clock)."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        metrics: Metrics,
        context: Context,
        lease: Lease,
        begun: Begun,
        *,
        lease_s: float,
        first_at: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._channel = channel
        self._metrics = metrics
        self._handoff = Handoff(store)
        self._context = context
        self._lease = lease
        self._begun = begun
        self._lease_s = lease_s
        self._first_at = first_at
        self._clock = clock
        self._limits = channel.limits
        self._provider_id = begun.provider_id
        self._text = ""
        self._shown = ""
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def append(self, text: str) -> None:
        """Take in more of the answer; never waits, never fails."""
        self._text += text
        self._news.set()

    async def close(self) -> None:
        """Show nothing further; waits for a call on its way, but not long.

        An opening that hangs is left to end by itself: its id is stored when it comes, and the sender knows of it.
        """
        self._ended.set()
        self._news.set()
        if self.task is None or self.task.done():
            return
        try:
            await asyncio.wait({self.task}, timeout=CLOSE_S)
        finally:
            if self._provider_id:
                self.task.cancel()

    async def run(self) -> None:
        """Show the text as it grows until closed or refused."""
        try:
            await self._keep_showing()
        except SendError as error:
            self._metrics.platform_drafts.labels(self._channel.name, type(error).__name__.lower()).inc()
            log.info("draft_refused", conversation=self._lease.key, error=type(error).__name__, code=error.code)
            if error.code == STOPPED:
                await self._handoff.stop(self._lease.key)
        except StoreError as error:
            log.warning("draft_left", conversation=self._lease.key, error=type(error).__name__, reason=str(error))

    async def _keep_showing(self) -> None:
        at, patient = self._first_at, True
        while await self._due(at):
            try:
                if not await (self._update() if self._provider_id else self._open()):
                    return
                at = self._clock() + (self._limits.edit_interval_s or 0.0)
            except Limited as error:
                if not patient:
                    raise
                at, patient = self._clock() + error.retry_after_s, False

    async def _due(self, at: float) -> bool:
        """Wait until ``at`` and for words that are not shown yet; False when there is nothing more to show."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, at - self._clock())):
                await self._ended.wait()
        while not self._ended.is_set():
            text = self._text.strip()
            if text and text != self._shown:
                # what is longer comes in several messages, and their borders are known only at the end
                return size(text, self._limits.unit) <= self._limits.text_units
            self._news.clear()
            await self._news.wait()
        return False

    async def _open(self) -> bool:
        tried_at = await self._intended()
        if tried_at is None:
            return False
        reach("draft_intent")
        if self._ended.is_set():
            await self._settle("")
            return False
        text, own_id = self._text.strip(), drafts.draft_id(self._lease.key, self._lease.first_seq)
        try:
            provider_id = await self._channel.open_draft(own_id, self._context.route, text)
        except Unknown:
            provider_id = await self._looked_up(own_id, tried_at)
        except SendError:
            await self._settle("")
            raise
        reach("draft_shown")
        await self._settle(provider_id)
        self._provider_id, self._shown = provider_id, text
        if provider_id:
            self._metrics.platform_drafts.labels(self._channel.name, "open").inc()
        return bool(provider_id)

    async def _looked_up(self, own_id: str, tried_at: float) -> str:
        """The platform's id of what may have been opened, "" when it knows nothing of it (or cannot tell).

        Raises SendError when it cannot be asked now: the draft stays an intent then, and the sender looks after it.
        """
        await asyncio.sleep(LOOK_UP_AFTER_S)
        return await self._channel.find_draft(own_id, self._context.route, tried_at)

    async def _update(self) -> bool:
        row = await self._store.row(
            "drafts.shown",
            conversation_id=self._lease.key,
            first_seq=self._lease.first_seq,
            attempt=self._begun.attempt,
        )
        if row is None or row["shown"] != "open":
            return False  # claimed, or somebody else's turn by now
        text = self._text.strip()
        if not self._ended.is_set():
            await self._channel.update_draft(self._provider_id, self._context.route, text)
        self._shown = text
        return True

    async def _intended(self) -> float | None:
        """Commit that the draft is about to appear, and say when that was; None where it must not."""
        context = self._context
        access = await self._store.row(
            "channels.state", tenant=self._lease.tenant, channel=context.channel, account=context.account
        )
        if access is not None and access["state"] == "revoked":
            return None

        async def unit(tx: Tx) -> float | None:
            timeline = await lock(tx, self._lease.key)
            await lanes.beat(tx, self._lease, self._lease_s)  # raises Fenced when somebody else has the turn
            if timeline.opted_out_at is not None or timeline.blocked_at is not None:
                return None
            opening = await tx.run(
                "drafts.opening",
                conversation_id=timeline.id,
                first_seq=self._lease.first_seq,
                attempt=self._begun.attempt,
                holder=self._store.worker_id,
                route=dump(dict(context.route)),
                now=tx.now_s,
            )
            return tx.now_s if opening else None

        return await self._store.write(unit, order=self._lease.key, independent=True)

    async def _settle(self, provider_id: str) -> None:
        """Note what became of the opening: the platform's id, empty when surely nothing is shown.

        Nobody else may ever learn the id, so an outage of the database is waited for.
        """

        async def unit(tx: Tx) -> None:
            await lock(tx, self._lease.key)  # a new attempt may be taking the draft over right now
            await tx.run(
                "drafts.settle",
                conversation_id=self._lease.key,
                first_seq=self._lease.first_seq,
                holder=self._store.worker_id,
                shown="open" if provider_id else "failed",
                provider_id=provider_id or None,
            )

        until = self._clock() + OUTAGE_S
        while True:
            try:
                await self._store.write(unit, order=self._lease.key, independent=True)
            except StoreUnavailable:
                if self._clock() >= until:
                    raise
                await asyncio.sleep(AGAIN_S)
            else:
                return
