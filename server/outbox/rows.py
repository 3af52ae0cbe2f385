"""Outbox rows: putting one, and finding what is on its way or was sent."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from server import lanes
from server.conversation import State
from server.ids import new_id
from server.lanes import Reads
from server.store.contract import Tx

Kind = Literal["message", "template", "withdraw"]
Author = Literal["bot", "staff"]

OPEN = frozenset({"queued", "sending", "uncertain"})  # states of a row that its lane may still work on
ARRIVED = frozenset({"sent", "delivered", "read"})  # states of a part that the platform surely has


class Speaker(Protocol):
    """What a row takes from its locked conversation; a :class:`server.timeline.Timeline` is one."""

    id: str
    tenant: str
    channel: str
    account: str
    state: State


async def put(
    tx: Tx,
    timeline: Speaker,
    *,
    message_id: str | None,
    author: Author,
    kind: Kind = "message",
    draft_seq: int | None = None,
    turn_id: str | None = None,
) -> str:
    """Queue one message for the customer behind everything queued before; returns the row's id.

    Bot rows are fenced by the conversation's present ``owner_epoch``. ``draft_seq`` is the first in-lane sequence of
    the turn whose draft this finishes or takes away. The caller holds the conversation's lock, as a Timeline does.
    """
    outbox_id = new_id()
    await tx.run(
        "outbox.put",
        id=outbox_id,
        tenant=timeline.tenant,
        conversation_id=timeline.id,
        message_id=message_id,
        turn_id=turn_id,
        channel=timeline.channel,
        account=timeline.account,
        kind=kind,
        author=author,
        owner_epoch=timeline.state.owner_epoch,
        draft_seq=draft_seq,
        now=tx.now_s,
    )
    body = {"outbox": outbox_id, "channel": timeline.channel, "account": timeline.account}
    await lanes.put(tx, timeline.tenant, "out", timeline.id, body)
    return outbox_id


async def in_flight(source: Reads, conversation_id: str) -> list[dict[str, Any]]:
    """Parts that were marked sending and whose outcome is not recorded: what a claim cannot call back any more.

    Each has ``message_id`` (None for a template), ``part`` (1, 2, …), ``state`` (sending, uncertain) and ``tried_at``.
    """
    found = await source.rows("outbox.in_flight", conversation_id=conversation_id)
    return [
        {"message_id": row["message_id"], "part": row["number"], "state": row["state"], "tried_at": row["tried_at"]}
        for row in found
    ]


async def by_provider(
    source: Reads, tenant: str, channel: str, account: str, provider_id: str
) -> dict[str, Any] | None:
    """Whose message a platform's id names: ``conversation_id`` and ``message_id`` (None for a template), or None."""
    found = await source.rows(
        "outbox.by_provider", tenant=tenant, channel=channel, account=account, provider_id=provider_id
    )
    if not found:
        return None
    return {"conversation_id": found[0]["conversation_id"], "message_id": found[0]["message_id"]}
