"""The commits of a turn: its attempts, its notice, its one ending."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from models.chat import Usage
from server import lanes
from server.conversation import ModelReturned, Outcome, PersonAsked, Reason, Status
from server.crashpoint import reach
from server.lanes import Lease
from server.store.contract import Fenced, Tx
from server.store.text import dump
from server.timeline import Timeline, lock, turn_id

Also = Callable[[Tx], Awaitable[None]]
"""What else an ending's commit stores; it may run more than once and awaits nothing but the transaction."""

_HELD = frozenset({Status.CLAIMED, Status.CLOSED})  # by staff: the bot says nothing


class OwnerChanged(Fenced):
    """Staff claimed (or closed) the conversation while the bot was writing; the answer must not be stored."""


class TailMoved(Fenced):
    """A newer message came, or one was changed, before the commit; it may still join the turn."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt whose draft may be shown; ``owner_epoch`` is what its ending is fenced by.

    ``shown`` is what an earlier attempt left on the platform: opening (nobody knows yet), open (``provider_id`` is the
    platform's id of it), None where it left nothing.
    """

    attempt: int
    owner_epoch: int
    shown: str | None = None
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ends and what the customer gets with it; ``upto_seq`` is the last in-lane sequence it covers.

    ``saw_tail`` makes the commit fail when a newer message has come, ``saw_edits`` when an unanswered one was changed
    (None: end anyway). ``owner_epoch`` fences bot answers against a claim (None: nothing is said, so nothing needs a
    fence). ``notices`` are told right before the text. ``grounding`` is what the answer rests on, kept with the turn;
    ``also`` is stored in the same commit. Timings are milliseconds.
    """

    outcome: Outcome
    upto_seq: int
    reason: str | None = None
    text: str = ""
    role: str = "assistant"
    extra: Mapping[str, object] = field(default_factory=dict)
    ask: Reason | None = None
    attempt: int = 0
    owner_epoch: int | None = None
    saw_tail: int | None = None
    saw_edits: int | None = None
    notices: Sequence[str] = ()
    release_id: str | None = None
    usage: Usage | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    grounding: Mapping[str, object] | None = None
    also: tuple[Also, ...] = ()


async def begin(tx: Tx, lease: Lease, lease_s: float, release_id: str) -> Begun:
    """Open the draft of the next attempt; drafts of earlier ones end as replaced. Raises Fenced."""
    timeline = await lock(tx, lease.key)
    await lanes.beat(tx, lease, lease_s)
    if timeline.state.status in _HELD:
        raise OwnerChanged(f"staff have {timeline.state.status} the conversation")
    row = await tx.row("conversations.last_attempt", conversation_id=timeline.id, first_seq=lease.first_seq)
    attempt = 1 + (row["attempt"] if row else 0)
    await timeline.end_drafts("replaced")
    await tx.run(
        "conversations.open_draft",
        conversation_id=timeline.id,
        first_seq=lease.first_seq,
        attempt=attempt,
        tenant=timeline.tenant,
        now=tx.now_s,
    )
    left = await timeline.inherit_draft(lease.first_seq, attempt)
    if timeline.case_id is not None:
        await tx.run("conversations.pin_case", id=timeline.case_id, release_id=release_id)
    timeline.emit("draft_started", {"turn": turn_id(timeline.id, lease.first_seq), "attempt": attempt})
    await timeline.save()
    reach("draft_opening")
    shown, provider_id = (left["shown"], left["provider_id"] or "") if left else (None, "")
    return Begun(attempt, timeline.state.owner_epoch, shown, provider_id)


async def end(tx: Tx, lease: Lease, ending: Ending) -> str | None:
    """End the turn; message, draft, state, coverage and ack are one commit. Returns the message id, raises Fenced."""
    timeline = await lock(tx, lease.key)
    if ending.owner_epoch is not None and timeline.state.owner_epoch != ending.owner_epoch:
        raise OwnerChanged("staff took the conversation while the answer was written")
    if timeline.covered != lease.first_seq - 1:
        raise Fenced(f"turns cover up to {timeline.covered}, this one would begin at {lease.first_seq}")
    await _ack(tx, timeline, lease, ending)
    message_id = await _say(timeline, lease, ending)
    if ending.attempt and message_id is not None and ending.role == "assistant":
        await timeline.end_draft(lease.first_seq, ending.attempt, "final", message_id)
    await timeline.end_drafts("withdrawn")
    if ending.outcome is Outcome.ANSWERED:
        await timeline.change(ModelReturned())
    if ending.ask is not None:
        await timeline.change(PersonAsked(ending.ask, tx.now_s))
    await _add_turn(tx, timeline, lease, ending, message_id)
    for also in ending.also:
        await also(tx)
    await _tell_turn(tx, timeline, lease, ending)
    timeline.covered = ending.upto_seq
    await timeline.save()
    reach("turn_ending")
    return message_id


async def _say(timeline: Timeline, lease: Lease, ending: Ending) -> str | None:
    turn = turn_id(timeline.id, lease.first_seq)
    for notice_text in ending.notices:
        await timeline.say("notice", notice_text, turn_id=turn, extra={"offer": "person"})
    if not ending.text:
        return None
    return await timeline.say(
        ending.role,
        ending.text,
        turn_id=turn,
        release_id=ending.release_id,
        extra=ending.extra,
        draft_seq=lease.first_seq if ending.attempt and ending.role == "assistant" else None,
    )


async def _ack(tx: Tx, timeline: Timeline, lease: Lease, ending: Ending) -> None:
    try:
        await lanes.ack(tx, lease, ending.upto_seq, saw_tail=ending.saw_tail)
    except Fenced:
        lane = await tx.row("conversations.in_tail", tenant=timeline.tenant, conversation_id=timeline.id)
        mine = lane is not None and (lane["holder"], lane["lease_epoch"]) == (lease.holder, lease.epoch)
        if mine and ending.saw_tail is not None:
            raise TailMoved("a newer message came before the commit") from None
        raise
    if ending.saw_edits is not None and timeline.edits != ending.saw_edits:
        raise TailMoved("a message was changed before the commit")


async def _add_turn(tx: Tx, timeline: Timeline, lease: Lease, ending: Ending, message_id: str | None) -> None:
    turn = turn_id(timeline.id, lease.first_seq)
    usage = ending.usage
    await tx.run(
        "conversations.add_turn",
        id=turn,
        tenant=timeline.tenant,
        conversation_id=timeline.id,
        case_id=timeline.case_id,
        first_seq=lease.first_seq,
        last_seq=ending.upto_seq,
        attempt=ending.attempt,
        outcome=ending.outcome.value,
        reason=ending.reason,
        release_id=ending.release_id,
        message_id=message_id,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        timings=json.dumps(dict(ending.timings)),
        grounding=dump(ending.grounding) if ending.grounding is not None else None,
        now=tx.now_s,
    )


async def _tell_turn(tx: Tx, timeline: Timeline, lease: Lease, ending: Ending) -> None:
    """Announce the outcome with what it took: figures are made from events alone."""
    calls = await tx.rows("analytics.turn_calls", conversation_id=timeline.id, first_seq=lease.first_seq)
    usage = ending.usage
    body = {
        "turn": turn_id(timeline.id, lease.first_seq),
        "first_seq": lease.first_seq,
        "last_seq": ending.upto_seq,
        "outcome": ending.outcome.value,
        "reason": ending.reason,
        "release": ending.release_id,
        "prompt_tokens": usage.prompt_tokens if usage else 0,
        "completion_tokens": usage.completion_tokens if usage else 0,
        "calls": {row["state"]: row["n"] for row in calls},
    }
    timeline.emit("turn_ended", body, audience="staff")


async def notice(tx: Tx, lease: Lease, text: str, delay_s: float, *, error: bool = False) -> bool:
    """Tell the customer once per turn that the model fails, ask a person, and try again later.

    ``error`` counts the try, so that a message which can never be answered is parked in the end. Returns whether the
    notice was new. Raises Fenced.
    """
    timeline = await lock(tx, lease.key)
    await lanes.nack(tx, lease, delay_s, error=error)
    await timeline.end_drafts("withdrawn")
    fresh = timeline.notice_seq < lease.first_seq and timeline.state.status not in _HELD
    if fresh:
        turn = turn_id(timeline.id, lease.first_seq)
        await timeline.say("notice", text, turn_id=turn, extra={"offer": "person"})
        timeline.notice_seq = lease.first_seq
        timeline.notice_at = tx.now_s
        await timeline.change(PersonAsked(Reason.MODEL_DOWN, tx.now_s))
    await timeline.save()
    return fresh


async def tell_busy(tx: Tx, conversation_id: str, first_seq: int, text: str) -> bool:
    """Tell a customer once per turn that their message waits; no handoff. Returns whether it was new."""
    timeline = await lock(tx, conversation_id)
    answered = timeline.covered >= first_seq
    held = timeline.state.status in _HELD
    if answered or held or max(timeline.busy_seq, timeline.notice_seq) >= first_seq:
        return False
    timeline.busy_seq = first_seq
    await timeline.say("notice", text, turn_id=turn_id(conversation_id, first_seq))
    await timeline.save()
    return True


async def park(tx: Tx, lease: Lease, reason: str, text: str) -> None:
    """Put a message aside that cannot be processed: the lane goes on, staff and customer are told. Raises Fenced."""
    timeline = await lock(tx, lease.key)
    if timeline.covered != lease.first_seq - 1:
        raise Fenced(f"turns cover up to {timeline.covered}, the parked one is {lease.first_seq}")
    await lanes.park(tx, lease, reason, lease.first_seq)
    ending = Ending(Outcome.HANDED_OVER, lease.first_seq, reason=f"parked: {reason}")
    if timeline.notice_seq < lease.first_seq and timeline.state.status not in _HELD:
        await timeline.say("notice", text, turn_id=turn_id(timeline.id, lease.first_seq))
    await timeline.end_drafts("withdrawn")
    await timeline.change(PersonAsked(Reason.REPEATED_FAILURE, tx.now_s))
    await _add_turn(tx, timeline, lease, ending, None)
    await _tell_turn(tx, timeline, lease, ending)
    timeline.covered = lease.first_seq
    await timeline.save()


def joined(texts: Sequence[str]) -> str:
    """The customer's messages of one turn as the single user message of the prompt, unchanged and in order."""
    return "\n".join(texts)
