"""Who of the staff is at work: what each says (online, busy, away), as long as their console is heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from server.store.contract import Event, Row, Store, Tx

ONLINE: Final = "online"
AWAY: Final = "away"


class Presence:
    """Presence of one tenant's people; whoever was not heard of for ``quiet_s`` seconds counts as away."""

    def __init__(self, store: Store, tenant: str, quiet_s: float, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._tenant = tenant
        self._quiet_s = quiet_s
        self._wall = wall

    async def heard(self, person: str) -> None:
        """Note that somebody's console is open; told to the others when they were away until now."""

        async def unit(tx: Tx) -> None:
            row = await tx.row("duty.presence", tenant=self._tenant, person_id=person)
            before = self.status(row)
            await tx.run("duty.heard", tenant=self._tenant, person=person, now=tx.now_s)
            after = str(row["status"]) if row is not None else ONLINE
            if before != after:
                self._tell(tx, person, after)

        await self._store.write(unit, order="~presence")

    async def set(self, tx: Tx, person: str, status: str) -> None:
        """Say that somebody is online, busy or away."""
        row = await tx.row("duty.presence", tenant=self._tenant, person_id=person)
        before = self.status(row)
        await tx.run("duty.set_presence", tenant=self._tenant, person=person, status=status, now=tx.now_s)
        if before != status:
            self._tell(tx, person, status)

    async def of(self, person: str) -> str:
        """One person's."""
        return self.status(await self._store.row("duty.presence", tenant=self._tenant, person_id=person))

    async def everybody(self) -> Sequence[Mapping[str, Any]]:
        """Everybody who answers customers, by name: person, name, role, status, heard_at, open conversations."""
        rows = await self._store.rows("duty.presences", tenant=self._tenant)
        return [{**row, "status": self.status(row)} for row in rows]

    def status(self, row: Row | None) -> str:
        """What a row says now."""
        if row is None or row["status"] is None or row["heard_at"] < self._wall() - self._quiet_s:
            return AWAY
        return str(row["status"])

    def _tell(self, tx: Tx, person: str, status: str) -> None:
        tx.emit(Event(self._tenant, "presence", {"person": person, "status": status}))
        tx.notify("conversation")
