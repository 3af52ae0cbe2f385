"""One row at the head of a lane: plan, mark, send, record.

Every platform's answer has one consequence, decided here and committed by :mod:`server.outbox.records`:

    Sent           the next part, or the lane goes on
    Limited        the chat (or the account) is left alone as long as the platform says; no error
    Unavailable    back off and repeat; after ``max_errors`` the row is parked
    Unknown        look it up; where that is impossible wait for a status, then repeat once at most, visible to staff
    Refused        the row failed, staff are told, the lane goes on (and see its kinds in :mod:`channels.base`)
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from channels.base import Channel, Failed, Limits, Outgoing, Refused, SendError, Sent, Unauthorized, Unknown
from config.settings import Settings
from server import lanes
from server.crashpoint import reach
from server.lanes import Lease
from server.outbox import drafts, pace
from server.outbox.failures import AWAY_S, SETTLE_S, Failures
from server.outbox.job import Feedback, Job, Person, Reasons, known, no_reasons, outbound, pending, read
from server.outbox.pace import Bucket
from server.outbox.records import Plan, Records, Silent, never, payload_of
from server.outbox.rows import OPEN
from server.store.contract import Fenced, Row, Store, Tx, Unit
from server.telemetry import Metrics

log = structlog.get_logger()

Channels = Callable[[str, str], Channel | None]  # (channel, account): None while it is not configured or not running
T = TypeVar("T")

UNSETTLED_S = 0.3  # while a worker is about to tell where its draft is
ENDINGS = frozenset({"sent", "delivered", "read", "uncertain", "failed", "parked", "cancelled", "expired"})


def no_feedback(_channel: str, _account: str, _message_id: str) -> tuple[str, str] | None:
    """The answer of an account that asks for no ratings."""
    return None


def no_person(_channel: str, _account: str, _conversation_id: str) -> str:
    """The answer where no button can be signed: none is shown."""
    return ""


class Delivery:
    """Delivers heads of ``out`` lanes; one object per process, it remembers each account's breaker.

    ``channels`` finds a running channel by name and account. ``feedback`` gives the payloads of thumbs below an answer
    of the bot by (channel, account, message id), None where the account asks for none; ``person`` the payload of the
    button below a notice that offers a person by (channel, account, conversation id), "" for none. ``silent``
    tells whether the bot is switched off for an account: then nothing of its is sent. ``chance`` returns a number in
    [0, 1) and spreads repeats; ``clock`` gives seconds that never go back, ``wall`` epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        channels: Channels,
        metrics: Metrics,
        settings: Settings,
        *,
        feedback: Feedback = no_feedback,
        person: Person = no_person,
        silent: Silent = never,
        reasons: Reasons = no_reasons,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._channels = channels
        self._metrics = metrics
        self._outbox = settings.outbox
        self._tenant = settings.tenant
        self._feedback = feedback
        self._person = person
        self._reasons = reasons
        self._chance = chance
        self._clock = clock
        self._wall = wall
        self._records = Records(settings.outbox, silent)
        self._failures = Failures(store, self._records, metrics, settings, chance=chance, clock=clock)

    def limits(self, channel: str, account: str) -> Limits | None:
        """What an account's platform can carry, None while the account is not there."""
        found = self._channels(channel, account)
        return found.limits if found is not None else None

    def away_s(self, channel: str, account: str) -> float:
        """For how many seconds an account need not be tried, 0 when it may be: nobody opened it, or its breaker did."""
        if self._channels(channel, account) is None:
            return AWAY_S
        return self._failures.breaker(channel, account).remaining_s * (1.0 + self._chance())

    async def deliver(self, lease: Lease) -> None:
        """Bring the head of a leased lane as far as it goes now; the lane is acknowledged or given back in here.

        Raises Fenced when the lane was lost, StoreError when it could not be told.
        """
        job = await read(self._store, str(lease.head.body["outbox"]))
        if job is None or job.row["state"] not in OPEN:
            await self._store.write(lambda tx: lanes.ack(tx, lease, lease.first_seq), order=lease.key)
            return
        if max(lease.head.errors, lease.head.lost_leases) >= self._outbox.max_errors:
            reason = "errors" if lease.head.errors >= self._outbox.max_errors else "lost_leases"
            self._ended(job, await self._write(job, lambda tx: self._records.park(tx, lease, job, reason)))
            return
        channel = self._channels(*job.place)
        if channel is None or job.row["account_state"] == "revoked":
            log.warning("send_waits", conversation=lease.key, channel=job.place[0], account=job.place[1],
                        reason="revoked" if channel else "not running")  # fmt: skip
            await self._hold(job, lease, AWAY_S)
            return
        breaker = self._failures.breaker(*job.place)
        if not breaker.allow():
            await self._hold(job, lease, breaker.remaining_s * (1.0 + self._chance()))
            return
        await (self._withdraw if job.row["kind"] == "withdraw" else self._send)(lease, job, channel)

    # a message ------------------------------------------------------------------------------------------------------

    async def _send(self, lease: Lease, job: Job, channel: Channel) -> None:
        draft = ""
        if job.draft is not None and channel.limits.draft == "message":
            try:
                draft = await self._located(channel, job.draft)
            except drafts.DraftUnsettled:
                await self._hold(job, lease, UNSETTLED_S)
                return
            except SendError as error:
                await self._failures.retry(lease, job, channel, error)
                return
        absent = ""
        first = pending(job.parts)
        if first is not None and first["state"] in {"sending", "uncertain"} and not (draft and first["number"] == 1):
            verdict = await self._settle(lease, job, channel, first)
            if verdict is None:
                return
            absent = verdict
        plan = await self._plan(lease, job, channel)
        if plan is not None:
            await self._send_parts(lease, job, channel, plan, draft, absent)

    async def _send_parts(self, lease: Lease, job: Job, channel: Channel, plan: Plan, draft: str, absent: str) -> None:
        while True:
            marked = await self._write(job, lambda tx: self._records.mark(tx, lease, job, plan, absent=absent))
            if isinstance(marked, str):
                self._ended(job, marked)
                return
            reach("send_marked")
            part = marked.part
            out = Outgoing(
                part["id"], marked.route, payload_of(part), part["tried_at"], draft if part["number"] == 1 else ""
            )
            started = self._clock()
            answer = await self._failures.called(channel.send(out))
            self._metrics.send_seconds.labels(channel.name).observe(self._clock() - started)
            reach("send_done")
            if not isinstance(answer, Sent):
                how = await self._failures.record(lease, job, channel, marked, answer, finishing=bool(out.draft))
                self._ended(job, how)
                return
            self._failures.succeeded(channel)
            if not await self._sent(lease, job, part, answer) or not await self._next_token(lease, channel):
                return

    async def _located(self, channel: Channel, draft: Row) -> str:
        """The platform's id of a draft, "" when it shows nothing; raises DraftUnsettled and what may be repeated."""
        timeout_s = self._outbox.send_timeout_s
        return await self._failures.in_time(
            drafts.locate(self._store, channel, draft, now_s=self._wall(), timeout_s=timeout_s)
        )

    async def _plan(self, lease: Lease, job: Job, channel: Channel) -> Plan | None:
        """What is to be sent; None when there is nothing and the row was ended."""
        if job.parts:
            return Plan(channel.limits)
        if job.row["kind"] != "template":
            return Plan(channel.limits, channel.render(outbound(job, self._feedback, self._person, self._reasons)))
        template = channel.template()
        if template is not None:
            return Plan(channel.limits, [template])
        reason = "no_template"
        how = await self._write(job, lambda tx: self._records.end(tx, lease, job, "cancelled", reason, ask=True))
        self._ended(job, how)
        return None

    async def _settle(self, lease: Lease, job: Job, channel: Channel, part: Row) -> str | None:
        """Find out what an earlier call did. The part's id: surely nothing; "": nobody knows, so repeat it once.

        None: the lane was dealt with, because the part is there, or because it is too early to tell.
        """
        early_s = self._left_s(part, SETTLE_S) if part["state"] == "sending" else 0.0
        if early_s > 0:  # its sender is gone, but its call may still be on its way
            await self._hold(job, lease, early_s)
            return None
        return await self._told(lease, job, channel, part)

    async def _told(self, lease: Lease, job: Job, channel: Channel, part: Row) -> str | None:
        """Ask the platform, or wait for a status where it cannot be asked; answers as :meth:`_settle`."""
        if channel.limits.look_up:
            others = await known(self._store, job, part)
            out = Outgoing(part["id"], job.route, payload_of(part), part["tried_at"], known=others)
            found = await self._failures.called(channel.find(out))
            if found is None:
                return str(part["id"])
            if isinstance(found, Sent):
                if await self._sent(lease, job, part, found):
                    await self._write(job, lambda tx: lanes.release(tx, lease))
                return None
            if isinstance(found, Failed):
                self._ended(job, await self._failures.given_up(lease, job, channel, part, found.error))
                return None
            if not isinstance(found, Refused) or isinstance(found, Unauthorized):
                self._ended(job, await self._failures.unsettled(lease, job, channel, part, found))
                return None
            log.warning("send_not_looked_up", conversation=lease.key, part=part["id"], code=found.code)
        wait_s = self._left_s(part, channel.limits.proof_s)
        if wait_s <= 0 and not part["repeats"]:
            return ""
        await (self._hold(job, lease, wait_s) if wait_s > 0 else self._cut_off(lease, job, part))
        return None

    def _left_s(self, part: Row, wait_s: float) -> float:
        """What is left of a wait since a part's last change; nothing where a clock was set back meanwhile."""
        age_s = self._wall() - part["updated_at"]
        return wait_s - age_s if age_s > -wait_s else 0.0

    async def _cut_off(self, lease: Lease, job: Job, part: Row) -> None:
        """A sender died while it repeated the part, so nobody knows of two calls: that is left to staff."""
        error = Unknown("cut_off", "the process ended while it repeated the part")
        how = await self._write(job, lambda tx: self._records.doubt(tx, lease, job, part, error, 0.0, counted=False))
        self._ended(job, how)

    async def _sent(self, lease: Lease, job: Job, part: Row, sent: Sent) -> bool:
        """Record an arrival; returns whether more parts are to come."""
        try:
            more = await self._write(job, lambda tx: self._records.sent(tx, lease, job, part, sent))
        except Fenced:
            await self._write(job, lambda tx: self._records.sent_late(tx, job, part, sent))
            raise
        reach("send_recorded")
        if not more:
            self._ended(job, "sent")
        return more

    # a draft that is taken away ---------------------------------------------------------------------------------------

    async def _withdraw(self, lease: Lease, job: Job, channel: Channel) -> None:
        """Take away what is shown of a message that does not come; may be repeated at will."""
        if job.draft is not None:
            route = json.loads(job.draft["route"] or "{}")
            try:
                provider_id = await self._located(channel, job.draft)
                if provider_id:
                    await self._failures.in_time(channel.withdraw_draft(provider_id, route))
                    self._failures.breaker(*job.place).answered()
            except drafts.DraftUnsettled:
                await self._hold(job, lease, UNSETTLED_S)
                return
            except SendError as error:
                if not isinstance(error, Refused) or isinstance(error, Unauthorized):
                    await self._failures.retry(lease, job, channel, error)
                    return
                log.info("draft_stays", conversation=lease.key, channel=channel.name, code=error.code)
        self._ended(job, await self._write(job, lambda tx: self._records.withdrawn(tx, lease, job)))

    # small things ---------------------------------------------------------------------------------------------------

    async def _next_token(self, lease: Lease, channel: Channel) -> bool:
        """Debit the account for one more part; without a token the lane is given back."""
        bucket = Bucket(self._tenant, channel.name, channel.account)

        async def unit(tx: Tx) -> bool:
            granted, wait_s = await pace.debit(tx, bucket, channel.limits.account_pace)
            if not granted:
                await lanes.nack(tx, lease, wait_s, error=False)
            return bool(granted)

        return channel.limits.account_pace is None or await self._store.write(unit, order="~")

    async def _hold(self, job: Job, lease: Lease, delay_s: float) -> None:
        self._ended(job, await self._write(job, lambda tx: self._records.hold(tx, lease, job, delay_s)))

    async def _write(self, job: Job, unit: Unit[T]) -> T:
        return await self._store.write(unit, order=job.conversation_id)

    def _ended(self, job: Job, how: str) -> None:
        """Count rows that came to an end."""
        if how in ENDINGS:
            self._metrics.outbox_ended.labels(job.place[0], how).inc()
        if how == "parked":
            self._metrics.items_parked.inc()
            log.error("send_parked", conversation=job.conversation_id, outbox=job.id)
