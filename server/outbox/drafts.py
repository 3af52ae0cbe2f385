"""What a platform shows of an answer before it is sent, seen from the sender: which message it is, and its end.

``draft.shown``: null (nothing) → opening (committed before the first call) → open (the platform's id is known) or
failed. ``carried``: a later attempt goes on with the same platform message. ``done``: finished or taken away.
"""

from __future__ import annotations

import json

from channels.base import Channel, Limited, SendError, Unavailable
from server.store.contract import Row, Store, Tx, Value

LISTED_S = 1.0  # what was opened can be found by then
GRACE_S = 2.0  # beyond the time-out of the call that opens a draft: its worker still has to store the id


class DraftUnsettled(Exception):
    """Its worker is still about to tell where the draft is; look again in a moment."""


def draft_id(conversation_id: str, first_seq: int) -> str:
    """Our id of a turn's draft, equal for every attempt at it."""
    return f"d:{conversation_id}:{first_seq}"


async def locate(store: Store, channel: Channel, draft: Row, *, now_s: float, timeout_s: float) -> str:
    """The platform's id of what is shown, "" when nothing is; ``now_s`` is epoch seconds.

    Raises DraftUnsettled, and Limited or Unavailable when the platform has to be asked again.
    """
    if draft["shown"] == "open":
        return str(draft["provider_id"])
    age_s = abs(now_s - draft["tried_at"])  # a clock may have been set back
    if age_s < LISTED_S:
        raise DraftUnsettled  # its worker may be gone, its call may still be on its way
    if age_s < timeout_s + GRACE_S and not await store.dead_holders([draft["holder"]]):
        raise DraftUnsettled
    name = draft_id(draft["conversation_id"], draft["first_seq"])
    try:
        found = await channel.find_draft(name, json.loads(draft["route"] or "{}"), draft["tried_at"])
    except (Limited, Unavailable):
        raise
    except SendError:
        found = ""
    await store.write(lambda tx: _located(tx, draft, found), order=draft["conversation_id"])
    return found


async def done(tx: Tx, draft: Row) -> None:
    """Note that what an attempt showed became the answer or was taken away."""
    await tx.run("outbox.draft_done", **_key(draft))


async def given_up(tx: Tx, row: Row) -> None:
    """Note that nobody will come back to what is shown of a row: whether it became the answer stays unknown."""
    if row["draft_seq"] is None:
        return
    shown = await tx.row(
        "outbox.draft_ended", conversation_id=row["conversation_id"], first_seq=row["draft_seq"], state="final"
    )
    if shown is not None:
        await done(tx, shown)


async def unusable(tx: Tx, draft: Row) -> None:
    """Note that what an attempt showed cannot become the answer: that is sent as a message of its own."""
    await tx.run("outbox.draft_unusable", **_key(draft))


async def _located(tx: Tx, draft: Row, provider_id: str) -> None:
    if provider_id:
        await tx.run("outbox.draft_located", **_key(draft), provider_id=provider_id)
    else:
        await unusable(tx, draft)


def _key(draft: Row) -> dict[str, Value]:
    return {name: draft[name] for name in ("conversation_id", "first_seq", "attempt")}
