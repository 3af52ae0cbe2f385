"""Conversations put off until a time; the customer's next message brings one back at once.

That it is back is a matter of reading (the views compare times); the job only tells it, so nothing is late by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from server.conversation import Refused
from server.desk.notes import lock_own
from server.store.contract import Store, Tx

JOB: Final = "return-snoozed"
CRON: Final = "* * * * *"
DEFAULT_S: Final = 4 * 3_600.0  # what one key does: back in the same half of the day
LONGEST_S: Final = 366 * 86_400.0


async def snooze(tx: Tx, tenant: str, conversation_id: str, person: str, until: float) -> None:
    """Put a conversation off until an epoch second; raises NotFound, and Refused for a time that is no future."""
    if not tx.now_s < until <= tx.now_s + LONGEST_S:
        raise Refused("choose a time in the future, at most a year ahead")
    timeline = await lock_own(tx, tenant, conversation_id)
    await tx.run("inbox_views.snooze", id=conversation_id, tenant=tenant, now=tx.now_s, until=until, person=person)
    timeline.emit("snooze", {"until": until, "by": person, "why": "put_off"}, audience="staff")
    await timeline.save(touch=False)


async def end(tx: Tx, tenant: str, conversation_id: str, person: str | None, why: str) -> None:
    """Bring a conversation back; one that is back already stays as it is. Raises NotFound."""
    timeline = await lock_own(tx, tenant, conversation_id)
    if await tx.run("inbox_views.unsnooze", tenant=tenant, id=conversation_id):
        timeline.emit("snooze", {"until": None, "by": person, "why": why}, audience="staff")
        await timeline.save(touch=False)


class Returning:
    """The job that tells staff of conversations that came back."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def run(self, _body: Mapping[str, Any]) -> None:
        """Tell it of all there are now."""

        async def found(tx: Tx) -> list[tuple[str, str]]:
            rows = await tx.rows("inbox_views.returned", tenant=self._tenant, now=tx.now_s)
            return [(row["conversation_id"], row["why"]) for row in rows]

        for conversation_id, why in await self._store.write(found):
            unit = partial(self._end, conversation_id, why)
            await self._store.write(unit, order=conversation_id)

    async def _end(self, conversation_id: str, why: str, tx: Tx) -> None:
        await end(tx, self._tenant, conversation_id, None, why)
