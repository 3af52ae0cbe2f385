"""The commits of a delivery: every one locks the conversation, is fenced by the lease, and decides by what it finds.

No lock is held while a platform is called: what is about to leave is *marked* before, what became of it *recorded*
after. Whoever finds a mark without a record cannot know the outcome and must look it up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channels.base import Limited, Limits, Moves, SendError, Sent, Unreachable, WindowClosed
from config.settings import Outbox
from server import lanes
from server.crashpoint import reach
from server.ids import new_id
from server.lanes import Lease
from server.outbox import drafts, pace, rows
from server.outbox.ending import close_conversation, close_window, finish, progress, summary
from server.outbox.job import Job, gave_up, pending
from server.outbox.pace import Bucket, chat_of
from server.outbox.rows import ARRIVED, OPEN
from server.store.contract import Fenced, Row, Tx
from server.store.text import dump
from server.timeline import Timeline, lock


@dataclass(frozen=True, slots=True)
class Marked:
    """A part that may leave now, as it was before; ``repeat`` is 1 when an earlier call may have arrived."""

    part: Row
    route: Mapping[str, str]
    repeat: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a mark needs to know of the channel: its limits, and the payloads of a row not rendered before."""

    limits: Limits
    payloads: Sequence[Mapping[str, Any]] = ()


Silent = Callable[[str, str], bool]  # (channel, account): whether the bot must not write there


def never(_channel: str, _account: str) -> bool:
    """The answer where nobody can switch the bot off."""
    return False


class Records:
    """The units of one sender; each is written with the conversation's id as its order.

    ``silent`` is asked before each mark: what the bot said before it was switched off is not sent after it.
    """

    def __init__(self, outbox: Outbox, silent: Silent = never) -> None:
        self._outbox = outbox
        self._silent = silent

    async def mark(self, tx: Tx, lease: Lease, job: Job, plan: Plan, *, absent: str = "") -> Marked | str:
        """Mark the next part sending; else the lane was dealt with, and the answer says why.

        ``absent`` is the id of a part that the platform surely does not have. Raises Fenced.
        """
        timeline, row = await self._open(tx, lease, job)
        window = plan.limits if job.template is None else None  # an approved message may come at any time
        why = await self._hindrance(tx, timeline, lease, row, window, absent)
        if why:
            return why
        parts = await self._parts(tx, job, plan.payloads)
        part = pending(parts)
        if part is None:
            return await self._complete(tx, timeline, lease, row, parts)
        granted, wait_s = await pace.debit(tx, _chat(timeline), pace.pace_of(plan.limits, timeline.route))
        if not granted:
            await lanes.nack(tx, lease, wait_s, error=False)
            return "paced"
        finishing = part["number"] == 1 and job.draft is not None and plan.limits.draft == "message"
        repeat = int(part["state"] in {"sending", "uncertain"} and part["id"] != absent and not finishing)
        await tx.run("outbox.mark_part", id=part["id"], repeat=repeat, now=tx.now_s)
        await tx.run("outbox.set_state", id=row["id"], state="sending", reason=None, now=tx.now_s)
        return Marked(part, timeline.route, repeat)

    async def hold(self, tx: Tx, lease: Lease, job: Job, delay_s: float) -> str:
        """Give the lane back unless the row has no time left; returns why. Raises Fenced."""
        timeline, row = await self._open(tx, lease, job)
        why = await self._hindrance(tx, timeline, lease, row, None)
        if not why:
            await lanes.nack(tx, lease, delay_s, error=False)
        return why or "held"

    async def sent(self, tx: Tx, lease: Lease, job: Job, part: Row, sent: Sent) -> bool:
        """Record that a part arrived, and finish the lane's head with the last one; returns whether more is to come.

        Raises Fenced; then :meth:`sent_late` keeps what is known.
        """
        timeline, row = await self._open(tx, lease, job)
        parts = await self._arrived(tx, job, part, sent)
        if pending(parts) is not None and row["state"] in OPEN:
            if await progress(tx, timeline, row, summary([each["state"] for each in parts])):
                await timeline.save(touch=False)
            return True
        await self._complete(tx, timeline, lease, row, parts)
        reach("send_recording")
        return False

    async def sent_late(self, tx: Tx, job: Job, part: Row, sent: Sent) -> None:
        """Record that a part arrived although the lease was lost: whoever has it must not send the part again."""
        await lock(tx, job.conversation_id)
        await self._arrived(tx, job, part, sent)

    async def back(
        self, tx: Tx, lease: Lease, job: Job, marked: Marked, error: SendError, delay_s: float, *, counted: bool
    ) -> str:
        """Record that a call had no effect: the part waits for its next try, or is parked with its whole row."""
        timeline, row = await self._open(tx, lease, job)
        await self._unmark(tx, marked, error)
        if isinstance(error, Moves):
            await timeline.move(error.to_address, error.route)
            await timeline.save(touch=False)
        if isinstance(error, Limited) and error.scope == "chat":
            await pace.block(tx, _chat(timeline), error.retry_after_s)
        if counted and self._worn_out(lease):
            return await self._park(tx, timeline, lease, row, "errors")
        await lanes.nack(tx, lease, delay_s, error=counted)
        return "later"

    async def doubt(
        self, tx: Tx, lease: Lease, job: Job, part: Row, error: SendError, delay_s: float, *, counted: bool
    ) -> str:
        """Record that a call's outcome is unknown, and look at it again after ``delay_s``.

        A part that was repeated already is left as it is, visible to staff, and the lane goes on.
        """
        timeline, row = await self._open(tx, lease, job)
        await tx.run("outbox.doubt_part", id=part["id"], code=error.code, detail=error.detail, now=tx.now_s)
        parts = await tx.rows("outbox.parts", outbox_id=job.id)
        part = next(each for each in parts if each["id"] == part["id"])
        if pending(parts) is None:
            return await self._complete(tx, timeline, lease, row, parts)
        if counted and not gave_up(part) and self._worn_out(lease):
            return await self._park(tx, timeline, lease, row, "unknown")
        if await progress(tx, timeline, row, summary([each["state"] for each in parts])):
            await timeline.save(touch=False)
        await lanes.nack(tx, lease, 0.0 if gave_up(part) else delay_s, error=counted)
        return "later"

    async def refused(self, tx: Tx, lease: Lease, job: Job, marked: Marked, error: SendError) -> str:
        """Record that the platform said no for good; the lane goes on behind the row."""
        timeline, row = await self._open(tx, lease, job)
        part = marked.part
        await tx.run("outbox.part_failed", id=part["id"], code=error.code, detail=error.detail, now=tx.now_s)
        told = {**part, "code": error.code, "detail": error.detail}
        await lanes.ack(tx, lease, lease.first_seq)
        if row["state"] not in OPEN:
            return str(row["state"])
        if isinstance(error, WindowClosed):
            await close_window(tx, timeline, row, told)
        elif isinstance(error, Unreachable):
            await close_conversation(tx, timeline, row, told)
        else:
            await finish(tx, timeline, row, "failed", error.code or "refused", ask=True, part=told)
        return "failed"

    async def plainly(self, tx: Tx, lease: Lease, job: Job, marked: Marked, error: SendError) -> str:
        """Record that a draft cannot become the answer: that goes out as a message of its own, then the draft goes."""
        if job.draft is not None:
            timeline, row = await self._open(tx, lease, job)
            await tx.run("outbox.without_draft", id=job.id)
            await rows.put(
                tx, timeline, message_id=row["message_id"], author="bot", kind="withdraw", draft_seq=row["draft_seq"]
            )
        return await self.back(tx, lease, job, marked, error, 0.0, counted=True)

    async def end(self, tx: Tx, lease: Lease, job: Job, state: str, reason: str, *, ask: bool) -> str:
        """End a row without a call; the lane goes on. Raises Fenced."""
        timeline, row = await self._open(tx, lease, job)
        await lanes.ack(tx, lease, lease.first_seq)
        if row["state"] in OPEN:
            await finish(tx, timeline, row, state, reason, ask=ask)
        return state

    async def park(self, tx: Tx, lease: Lease, job: Job, reason: str) -> str:
        """Set a row aside with all its parts; staff see it, the lane goes on. Raises Fenced."""
        timeline, row = await self._open(tx, lease, job)
        return await self._park(tx, timeline, lease, row, reason)

    async def withdrawn(self, tx: Tx, lease: Lease, job: Job) -> str:
        """Record that a draft is gone (or never was). Raises Fenced."""
        await self._open(tx, lease, job)
        if job.draft is not None:
            await drafts.done(tx, job.draft)
        await tx.run("outbox.set_state", id=job.id, state="sent", reason=None, now=tx.now_s)
        await lanes.ack(tx, lease, lease.first_seq)
        return "withdrawn"

    async def _open(self, tx: Tx, lease: Lease, job: Job) -> tuple[Timeline, Row]:
        """The locked conversation and the row as it is now, while the lane is still ours; raises Fenced."""
        timeline = await lock(tx, job.conversation_id)
        await lanes.beat(tx, lease, self._outbox.lease_s)
        row = await tx.row("outbox.row", id=job.id)
        if row is None:
            raise Fenced(f"outbox row {job.id} is gone; its conversation was erased")
        return timeline, row

    async def _hindrance(
        self, tx: Tx, timeline: Timeline, lease: Lease, row: Row, limits: Limits | None, absent: str = ""
    ) -> str:
        """Why nothing of a row may leave now, "" if it may; the row is ended and acknowledged then."""
        if row["state"] not in OPEN:
            await lanes.ack(tx, lease, lease.first_seq)
            return str(row["state"])
        ending = self._verdict(timeline, row, tx.now_s)
        if ending is not None:
            state, reason, ask = ending
            if any(_in_doubt(part, absent) for part in await tx.rows("outbox.parts", outbox_id=row["id"])):
                state = "uncertain"  # a call left before, and nobody knows what it did
            await finish(tx, timeline, row, state, reason, ask=ask)
        elif limits is not None and _too_late(timeline, row, limits, tx.now_s):
            state = "failed"
            await close_window(tx, timeline, row)
        else:
            return ""
        await lanes.ack(tx, lease, lease.first_seq)
        return state

    def _verdict(self, timeline: Timeline, row: Row, now_s: float) -> tuple[str, str, bool] | None:
        """State, reason and whether a person is asked, for a row that must not be sent any more."""
        bot = row["author"] == "bot"
        late = bot and now_s - row["created_at"] > self._outbox.expiry_s
        if row["kind"] == "withdraw":
            return ("expired", "expired", False) if late else None
        if timeline.blocked_at is not None or timeline.banned_at is not None:
            return ("cancelled" if bot else "failed"), "blocked", False
        if not bot:
            return None
        if row["owner_epoch"] != timeline.state.owner_epoch:
            return "cancelled", "claimed", False
        unwanted = timeline.opted_out_at is not None
        if unwanted or self._silent(timeline.channel, timeline.account):
            return "cancelled", "opted_out" if unwanted else "bot_off", not unwanted
        return ("expired", "expired", True) if late else None

    async def _parts(self, tx: Tx, job: Job, payloads: Sequence[Mapping[str, Any]]) -> Sequence[Row]:
        """The parts as they are now; those of a row not rendered before are written first."""
        parts = await tx.rows("outbox.parts", outbox_id=job.id)
        if parts or not payloads:
            return parts
        channel, account = job.place
        for number, payload in enumerate(payloads, 1):
            await tx.run(
                "outbox.add_part", id=new_id(), tenant=job.row["tenant"], outbox_id=job.id, number=number,
                channel=channel, account=account, payload=dump(payload), now=tx.now_s,
            )  # fmt: skip
        await tx.run("outbox.planned", id=job.id, parts=len(payloads), now=tx.now_s)
        return await tx.rows("outbox.parts", outbox_id=job.id)

    async def _arrived(self, tx: Tx, job: Job, part: Row, sent: Sent) -> Sequence[Row]:
        await tx.run("outbox.part_sent", id=part["id"], state=sent.state, provider_id=sent.provider_id, now=tx.now_s)
        if part["number"] == 1 and job.draft is not None:
            await drafts.done(tx, job.draft)
        return await tx.rows("outbox.parts", outbox_id=job.id)

    async def _complete(self, tx: Tx, timeline: Timeline, lease: Lease, row: Row, parts: Sequence[Row]) -> str:
        """Nothing of the row is left to be done: say how it ended and let the lane go on."""
        await lanes.ack(tx, lease, lease.first_seq)
        if row["state"] not in OPEN:
            return str(row["state"])
        state = summary([part["state"] for part in parts])
        if state not in ARRIVED:
            await drafts.given_up(tx, row)
        if await progress(tx, timeline, row, state, None if state in ARRIVED else "unknown"):
            await timeline.save(touch=False)
        return state

    async def _unmark(self, tx: Tx, marked: Marked, error: SendError) -> None:
        state = "uncertain" if marked.repeat else "queued"  # what an earlier call may have done stays open
        await tx.run(
            "outbox.unmark_part", id=marked.part["id"], state=state, repeat=marked.repeat, code=error.code,
            detail=error.detail, now=tx.now_s,
        )  # fmt: skip

    async def _park(self, tx: Tx, timeline: Timeline, lease: Lease, row: Row, reason: str) -> str:
        await lanes.park(tx, lease, reason, lease.first_seq)
        if row["state"] in OPEN:
            await finish(tx, timeline, row, "parked", reason, ask=True)
        return "parked"

    def _worn_out(self, lease: Lease) -> bool:
        return lease.head.errors + 1 >= self._outbox.max_errors


def _chat(timeline: Timeline) -> Bucket:
    chat = chat_of(timeline.route, timeline.address)
    return Bucket(timeline.tenant, timeline.channel, timeline.account, chat)


def _too_late(timeline: Timeline, row: Row, limits: Limits, now_s: float) -> bool:
    """Whether the customer last wrote too long ago for anything but a template."""
    return row["kind"] == "message" and limits.window_s is not None and now_s - timeline.said_at > limits.window_s


def _in_doubt(part: Row, absent: str) -> bool:
    return part["state"] in {"sending", "uncertain"} and part["id"] != absent


def payload_of(part: Row) -> Mapping[str, Any]:
    """What a part was rendered to."""
    payload: Mapping[str, Any] = json.loads(part["payload"])
    return payload
