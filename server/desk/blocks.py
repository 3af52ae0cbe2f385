"""Customers staff want to hear no more of: what they write is kept, nobody answers it, nobody is alerted.

Blocking closes the customer's conversations, so that whatever a bot or a person had begun to send is fenced; what comes
later is stored without a turn. Both steps are told in the thread by a note.
"""

from __future__ import annotations

import json
from typing import Final

from server.conversation import Closed, NotFound, Status
from server.desk.notes import Notes, lock_own
from server.store.contract import Store, Tx
from server.timeline import Timeline

BLOCKED: Final = "Blocked this customer: what they write is kept, nobody is alerted, nothing is answered."
UNBLOCKED: Final = "Unblocked this customer: their next message is answered again."


class Blocks:
    """Blocks and unblocks customers of one tenant."""

    def __init__(self, store: Store, tenant: str, notes: Notes) -> None:
        self._store = store
        self._tenant = tenant
        self._notes = notes

    async def others(self, conversation_id: str) -> list[str]:
        """The customer's further conversations; raises NotFound for an unknown one."""
        row = await self._store.row("blocks.customer", tenant=self._tenant, id=conversation_id)
        if row is None:
            raise NotFound("there is no conversation with this id; reload the list")
        rows = await self._store.rows("blocks.conversations", tenant=self._tenant, customer=row["customer_id"])
        return [found["id"] for found in rows if found["id"] != conversation_id]

    async def block(self, tx: Tx, conversation_id: str, person: str, name: str, reason: str) -> None:
        """Block the customer of one conversation there, and remember it of the customer; raises NotFound."""
        await tx.run("blocks.ban_customer", tenant=self._tenant, id=conversation_id, person=person, now=tx.now_s)
        await self.silence(tx, conversation_id, person)
        text = f"{BLOCKED} {reason}".strip()
        await self._notes.add(tx, conversation_id, person, name, text, ())

    async def silence(self, tx: Tx, conversation_id: str, person: str) -> None:
        """End one conversation and keep it from opening again; raises NotFound."""
        timeline = await lock_own(tx, self._tenant, conversation_id)
        await tx.run("blocks.ban", id=conversation_id, now=tx.now_s)
        if timeline.state.status is not Status.CLOSED:
            await _end(timeline, person)
        await timeline.save(touch=False)

    async def unblock(self, tx: Tx, conversation_id: str, person: str, name: str) -> None:
        """Let the customer be heard again; raises NotFound."""
        await lock_own(tx, self._tenant, conversation_id)
        await tx.run("blocks.unban_customer", tenant=self._tenant, id=conversation_id)
        await self.hear(tx, conversation_id)
        await self._notes.add(tx, conversation_id, person, name, UNBLOCKED, ())

    async def hear(self, tx: Tx, conversation_id: str) -> None:
        """Let one conversation open again with the next message."""
        await tx.run("blocks.unban", id=conversation_id)


async def _end(timeline: Timeline, person: str) -> None:
    await timeline.change(Closed(person))
    await timeline.end_drafts("withdrawn")
    await timeline.close_case(person)
    timeline.tx.notify("control", json.dumps({"conversation": timeline.id, "do": "owner"}))
