"""What a call that did not plainly succeed means: how long to wait, what to record, whom to leave alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from channels.base import (
    Channel,
    Limited,
    Moves,
    Refused,
    SendError,
    Unauthorized,
    Unavailable,
    Unknown,
    Unreachable,
    WindowClosed,
)
from config.settings import Settings
from server import lanes
from server.lanes import Lease
from server.outbox import access, pace
from server.outbox.breakers import AccountBreaker, Breakers
from server.outbox.job import Job
from server.outbox.pace import Bucket
from server.outbox.records import Marked, Records
from server.store.contract import Row, Store
from server.telemetry import Metrics

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE = 1.5  # of the time-out that channels keep themselves: beyond it the call is cut off here
AWAY_S = 5.0  # between looks at an account that is not there
SETTLE_S = 1.0  # the least time given to a call of unknown outcome before it is looked up
UNREACHED = "no_connection"  # code of a call that never reached the platform: no message is to blame for that
DOUBLINGS = 16  # of the backoff, more would overflow
RESULTS: tuple[tuple[type[SendError], str], ...] = (  # for metrics and logs; the first match counts
    (WindowClosed, "window_closed"),
    (Unreachable, "unreachable"),
    (Unauthorized, "unauthorized"),
    (Moves, "moved"),
    (Refused, "refused"),
    (Limited, "limited"),
    (Unavailable, "unavailable"),
    (SendError, "unknown"),
)


def result_of(error: SendError) -> str:
    """One word for what a platform answered."""
    return next(name for kind, name in RESULTS if isinstance(error, kind))


class Failures:
    """Turns errors of channels into commits; keeps each account's breaker."""

    def __init__(
        self,
        store: Store,
        records: Records,
        metrics: Metrics,
        settings: Settings,
        *,
        chance: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._records = records
        self._metrics = metrics
        self._outbox = settings.outbox
        self._tenant = settings.tenant
        self._chance = chance
        self._breakers = Breakers(settings.outbox, metrics, clock)

    def breaker(self, channel: str, account: str) -> AccountBreaker:
        """Whether an account's platform is left alone just now."""
        return self._breakers.of(channel, account)

    async def called(self, call: Awaitable[T]) -> T | SendError:
        """What a call answered, or the error it ended with."""
        try:
            return await self.in_time(call)
        except SendError as error:
            return error

    async def in_time(self, call: Awaitable[T]) -> T:
        """What a call answered; raises Unknown when it overruns every time-out, and SendErrors of its own."""
        try:
            async with asyncio.timeout(PATIENCE * self._outbox.send_timeout_s):
                return await call
        except TimeoutError:
            raise Unknown("timeout", "the platform did not answer in time") from None

    def succeeded(self, channel: Channel) -> None:
        """A message went out."""
        self._metrics.sends.labels(channel.name, "sent").inc()
        self.breaker(channel.name, channel.account).answered()

    async def record(
        self, lease: Lease, job: Job, channel: Channel, marked: Marked, error: SendError, *, finishing: bool
    ) -> str:
        """Record an unsuccessful send; ``finishing``: it was to turn a draft into the answer. Returns what became."""
        counted = self._note(lease, channel, error)
        if isinstance(error, Unauthorized):
            return await self._unauthorized(lease, job, channel, marked, error)
        if isinstance(error, Moves | Limited | Unavailable):
            return await self._back(lease, job, channel, marked, error, counted=counted)
        if isinstance(error, Refused):
            plain = finishing and not isinstance(error, WindowClosed | Unreachable)
            unit = self._records.plainly if plain else self._records.refused
            return await self._store.write(lambda tx: unit(tx, lease, job, marked, error), order=lease.key)
        pause_s = self._pause_s(lease, error)
        if not finishing and not channel.limits.look_up:
            pause_s = max(pause_s, channel.limits.proof_s)
        return await self._doubt(lease, job, marked.part, error, pause_s, counted=counted)

    async def given_up(self, lease: Lease, job: Job, channel: Channel, part: Row, error: Refused) -> str:
        """Record that the platform had the part and gave it up: whatever the reason, that message is not sent again."""
        self._note(lease, channel, error)
        marked = Marked(part, job.route, 0)
        return await self._store.write(lambda tx: self._records.refused(tx, lease, job, marked, error), order=lease.key)

    async def unsettled(self, lease: Lease, job: Job, channel: Channel, part: Row, error: SendError) -> str:
        """Record that a look-up told nothing: the part stays uncertain until it does."""
        counted = self._note(lease, channel, error)
        if isinstance(error, Unauthorized):
            await self._revoke(channel, error)
            return await self._doubt(lease, job, part, error, AWAY_S, counted=False)
        return await self._doubt(lease, job, part, error, self._pause_s(lease, error), counted=counted)

    async def retry(self, lease: Lease, job: Job, channel: Channel, error: SendError) -> None:
        """Give a lane back because a call that may be repeated at will did not work."""
        counted = self._note(lease, channel, error)
        pause_s = self._pause_s(lease, error)
        if isinstance(error, Unauthorized):
            await self._revoke(channel, error)
        await self._store.write(lambda tx: lanes.nack(tx, lease, pause_s, error=counted), order=job.conversation_id)

    async def _back(
        self, lease: Lease, job: Job, channel: Channel, marked: Marked, error: SendError, *, counted: bool
    ) -> str:
        if isinstance(error, Limited) and error.scope == "account":
            bucket = Bucket(self._tenant, channel.name, channel.account)
            await self._store.write(lambda tx: pace.block(tx, bucket, error.retry_after_s), order="~")
        pause_s = self._pause_s(lease, error)
        return await self._store.write(
            lambda tx: self._records.back(tx, lease, job, marked, error, pause_s, counted=counted), order=lease.key
        )

    async def _unauthorized(self, lease: Lease, job: Job, channel: Channel, marked: Marked, error: Unauthorized) -> str:
        await self._revoke(channel, error)
        return await self._store.write(
            lambda tx: self._records.back(tx, lease, job, marked, error, AWAY_S, counted=False), order=lease.key
        )

    async def _doubt(
        self, lease: Lease, job: Job, part: Row, error: SendError, pause_s: float, *, counted: bool
    ) -> str:
        return await self._store.write(
            lambda tx: self._records.doubt(tx, lease, job, part, error, pause_s, counted=counted), order=lease.key
        )

    async def _revoke(self, channel: Channel, error: Unauthorized) -> None:
        reason = f"{error.code}: {error.detail}" if error.detail else error.code
        new = await self._store.write(
            lambda tx: access.revoke(tx, self._tenant, channel.name, channel.account, reason), order="~"
        )
        if new:
            log.error("account_refused", channel=channel.name, account=channel.account, code=error.code)

    def _note(self, lease: Lease, channel: Channel, error: SendError) -> bool:
        """Count and log an error; returns whether the message it happened to is to be blamed for it."""
        breaker = self.breaker(channel.name, channel.account)
        self._metrics.sends.labels(channel.name, result_of(error)).inc()
        if isinstance(error, Refused | Limited):
            breaker.answered()
        else:
            breaker.missed(lease.key)
        log.info(
            "send_failed", conversation=lease.key, channel=channel.name, account=channel.account,
            result=result_of(error), code=error.code, errors=lease.head.errors,
        )  # fmt: skip
        blameless = isinstance(error, Limited | Unauthorized) or error.code == UNREACHED
        return not blameless and not breaker.outage

    def _pause_s(self, lease: Lease, error: SendError) -> float:
        """Seconds until the next try: the platform's own, or anything up to a doubling limit (full jitter)."""
        if isinstance(error, Limited):
            return max(pace.SHORTEST_S, error.retry_after_s)
        if isinstance(error, Moves):
            return 0.0
        limit: float = self._outbox.retry_base_s * 2.0 ** min(lease.head.errors, DOUBLINGS)
        pause_s = max(pace.SHORTEST_S, self._chance() * min(self._outbox.retry_max_s, limit))
        return pause_s if isinstance(error, Unavailable) else max(SETTLE_S, pause_s)
