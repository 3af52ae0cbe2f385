"""How a row ends, and who is told: every ending is one event for staff, and some let the conversation wait for them."""

from __future__ import annotations

from collections.abc import Sequence

from server.conversation import Closed, PersonAsked, Reason, Status
from server.outbox import drafts, rows
from server.outbox.rows import ARRIVED
from server.store.contract import Row, Tx
from server.timeline import Timeline

WINDOW_CLOSED = "window_closed"  # reason of a row, and the code channels map their own one to
_RANK = {"sent": 1, "delivered": 2, "read": 3}


def summary(states: Sequence[str]) -> str:
    """The state of a row by those of its parts: the least advanced one counts, a failed one ends it."""
    for worst in ("failed", "uncertain", "sending"):
        if worst in states:
            return worst
    if "queued" in states:
        return "sending" if ARRIVED.intersection(states) else "queued"
    return min(states, key=_RANK.__getitem__, default="sent")


async def progress(tx: Tx, timeline: Timeline, row: Row, state: str, reason: str | None = None) -> bool:
    """Note how far a row is and announce it where that is news to staff; returns whether it was. Does not save."""
    await tx.run("outbox.set_state", id=row["id"], state=state, reason=reason, now=tx.now_s)
    if (state, reason) == (row["state"], row["reason"]):
        return False
    announce(timeline, row, state, reason)
    return True


async def finish(
    tx: Tx, timeline: Timeline, row: Row, state: str, reason: str, *, ask: bool, part: Row | None = None
) -> None:
    """End a row that did not plainly arrive, and save; ``ask`` lets the conversation wait for a person.

    ``part`` is the one it failed at, with the platform's words. A draft that was to become this message is taken away.
    """
    await tx.run("outbox.set_state", id=row["id"], state=state, reason=reason, now=tx.now_s)
    announce(timeline, row, state, reason, part)
    await _drop_draft(tx, timeline, row)
    ask = ask and timeline.state.status is not Status.CLAIMED
    if ask:
        if timeline.case_id is None:
            await timeline.open_case()
        await timeline.change(PersonAsked(Reason.UNDELIVERED, tx.now_s))
    await timeline.save(touch=ask)


async def close_window(tx: Tx, timeline: Timeline, row: Row, part: Row | None = None) -> None:
    """End a row that came too late for free text: one template instead, once per window, or a task for staff."""
    template = row["kind"] == "template"
    await finish(tx, timeline, row, "failed", WINDOW_CLOSED, ask=template, part=part)
    fenced = row["author"] == "bot" and row["owner_epoch"] != timeline.state.owner_epoch
    if template or fenced or timeline.blocked_at is not None:
        return
    if await tx.row("outbox.template_since", conversation_id=timeline.id, since=timeline.said_at) is None:
        await rows.put(tx, timeline, message_id=row["message_id"], author=row["author"], kind="template")


async def close_conversation(tx: Tx, timeline: Timeline, row: Row, part: Row) -> None:
    """The customer blocked us or is gone: nothing more is sent until they come back."""
    timeline.blocked_at = tx.now_s
    if timeline.state.status is not Status.CLOSED:
        await timeline.change(Closed("platform"))
        await timeline.end_drafts("withdrawn")
        await timeline.close_case("platform")
    await finish(tx, timeline, row, "failed", "unreachable", ask=False, part=part)


def announce(timeline: Timeline, row: Row, state: str, reason: str | None = None, part: Row | None = None) -> None:
    """Tell staff what became of a message; taking a draft away is no news."""
    if row["kind"] == "withdraw":
        return
    body = {"message_id": row["message_id"], "outbox": row["id"], "kind": row["kind"], "state": state}
    body |= {"reason": reason} if reason else {}
    body |= {"part": part["number"], "code": part["code"], "detail": part["detail"]} if part else {}
    timeline.emit("delivery", body, audience="staff")


async def _drop_draft(tx: Tx, timeline: Timeline, row: Row) -> None:
    """Take away what is shown of a message that will not come; unless its finishing may have worked."""
    if row["draft_seq"] is None or row["kind"] != "message":
        return
    first = next(iter(await tx.rows("outbox.parts", outbox_id=row["id"])), None)
    if first is not None and first["state"] not in {"queued", "failed"}:
        await drafts.given_up(tx, row)
        return
    key = {"conversation_id": timeline.id, "first_seq": row["draft_seq"]}
    if await tx.row("outbox.draft_ended", **key, state="final") is not None:
        await rows.put(
            tx, timeline, message_id=row["message_id"], author="bot", kind="withdraw", draft_seq=row["draft_seq"]
        )
