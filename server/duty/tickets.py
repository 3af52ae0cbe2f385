"""Tickets in the hands of staff: open one, change it, close it, open it again; the shop's own systems hear of each."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from server.conversation import NotFound, Refused
from server.desk.notes import lock_own
from server.ids import new_id
from server.store.contract import Event, Row, Tx

FIELDS: Final = ("category", "priority", "summary", "suggested_action", "assignee")
EXPORTED: Final = ("id", "conversation_id", *FIELDS, "state", "created_at", "updated_at", "closed_at")

Export = Callable[[Tx, Mapping[str, Any]], Awaitable[None]]
"""Queues ``ticket.updated`` in the caller's commit."""


async def export_nowhere(_tx: Tx, _ticket: Mapping[str, Any]) -> None:
    """The export where there are no webhooks."""


class Tickets:
    """Tickets of one tenant; each change is one unit of the caller's, with its event and its export."""

    def __init__(self, tenant: str, export: Export = export_nowhere) -> None:
        self._tenant = tenant
        self._export = export

    async def open(self, tx: Tx, conversation_id: str, values: Mapping[str, Any], key: str) -> str:
        """Open one for a conversation; the same key again names the one it opened. Raises NotFound."""
        await lock_own(tx, self._tenant, conversation_id)
        await self._check_assignee(tx, values.get("assignee"))
        key = f"{self._tenant}:staff:{key or new_id()}"
        number = f"T-{hashlib.sha256(key.encode()).hexdigest()[:12].upper()}"
        kept = {name: values.get(name) for name in FIELDS}
        place = {"tenant": self._tenant, "conversation_id": conversation_id}
        made = await tx.run("tickets.add", id=number, key=key, now=tx.now_s, **place, **kept)
        if made:
            await self._changed(tx, number, "opened")
            return number
        found = await tx.row("tickets.by_key", tenant=self._tenant, key=key)
        if found is None:
            raise Refused("another ticket has this number; send it again")
        return str(found["id"])

    async def edit(self, tx: Tx, ticket_id: str, changes: Mapping[str, Any]) -> None:
        """Other values for some fields; raises NotFound."""
        row = await self._lock(tx, ticket_id)
        await self._check_assignee(tx, changes.get("assignee"))
        values = {name: changes.get(name, row[name]) for name in FIELDS}
        if all(values[name] == row[name] for name in FIELDS):
            return
        await tx.run("tickets.edit", tenant=self._tenant, id=ticket_id, now=tx.now_s, **values)
        await self._changed(tx, ticket_id, "changed")

    async def close(self, tx: Tx, ticket_id: str, person: str) -> None:
        """Done with it; raises NotFound, and Refused for one that is closed."""
        row = await self._lock(tx, ticket_id)
        if row["state"] == "closed":
            raise Refused("the ticket is closed already")
        key = {"tenant": self._tenant, "id": ticket_id}
        await tx.run("tickets.set_state", **key, state="closed", closed_by=person, closed_at=tx.now_s, now=tx.now_s)
        await self._changed(tx, ticket_id, "closed")

    async def reopen(self, tx: Tx, ticket_id: str) -> None:
        """Not done after all; raises NotFound, and Refused for one that is open."""
        row = await self._lock(tx, ticket_id)
        if row["state"] == "open":
            raise Refused("the ticket is open")
        key = {"tenant": self._tenant, "id": ticket_id}
        await tx.run("tickets.set_state", **key, state="open", closed_by=None, closed_at=None, now=tx.now_s)
        await self._changed(tx, ticket_id, "reopened")

    async def _lock(self, tx: Tx, ticket_id: str) -> Row:
        row = await tx.row("tickets.lock", tenant=self._tenant, id=ticket_id)
        if row is None:
            raise NotFound("there is no ticket with this id; reload the list")
        return row

    async def _check_assignee(self, tx: Tx, person: str | None) -> None:
        if person and await tx.row("duty.colleague", tenant=self._tenant, person=person) is None:
            raise NotFound("there is nobody of the staff with this id; reload the people")

    async def _changed(self, tx: Tx, ticket_id: str, what: str) -> None:
        row = await tx.row("tickets.one", tenant=self._tenant, id=ticket_id)
        assert row is not None  # this unit holds or made it
        body = {"ticket": ticket_id, "what": what, "state": row["state"], "priority": row["priority"]}
        tx.emit(Event(self._tenant, "ticket", body, row["conversation_id"]))
        tx.notify("conversation", row["conversation_id"])
        await self._export(tx, {"what": what, **{name: row[name] for name in EXPORTED}})
