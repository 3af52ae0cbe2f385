"""What people think of an answer, joined to message, turn, release and giver."""

from __future__ import annotations

from typing import Literal, get_args

from server.conversation import NotFound, Refused
from server.ids import new_id
from server.store.contract import Store, Tx
from server.timeline import Timeline, lock

Said = Literal["wrong", "outdated", "unclear", "incomplete", "rude", "tone", "other"]
REASONS: tuple[str, ...] = get_args(Said)
COMMENT_CHARACTERS = 2_000


class Feedback:
    """Ratings of single messages; the last word of each giver counts, withdrawing keeps the row."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def rate(
        self,
        conversation_id: str,
        message_id: str,
        giver: tuple[str, str],
        value: str | None,
        *,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Rate a message up or down, or withdraw with None; ``giver`` is (kind, id). Raises NotFound, Refused."""

        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, conversation_id)
            await rate(tx, timeline, message_id, giver, value, reason=reason, comment=comment)
            await timeline.save()

        await self._store.write(unit, order=conversation_id)


async def rate(
    tx: Tx,
    timeline: Timeline,
    message_id: str,
    giver: tuple[str, str],
    value: str | None,
    *,
    reason: str | None = None,
    comment: str | None = None,
) -> None:
    """Rate a message of a locked conversation inside a unit; the caller saves it. Raises NotFound, Refused."""
    message = await tx.row("conversations.message", id=message_id, conversation_id=timeline.id)
    if message is None:
        raise NotFound("no such message in this conversation; reload it")
    if message["role"] != "assistant":
        raise Refused("only answers of the assistant can be rated")
    await tx.run(
        "conversations.rate",
        id=new_id(),
        tenant=timeline.tenant,
        conversation_id=timeline.id,
        message_id=message_id,
        turn_id=message["turn_id"],
        release_id=message["release_id"],
        giver_kind=giver[0],
        giver_id=giver[1],
        value=value,
        reason=reason if value else None,
        comment=comment[:COMMENT_CHARACTERS] if value and comment else None,
        now=tx.now_s,
    )
    timeline.emit("feedback", {"message_id": message_id, "value": value})
