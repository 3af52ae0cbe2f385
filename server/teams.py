"""Teams: who belongs together, and which channel accounts they see; the one place that says what somebody may see.

Somebody in teams that name channel accounts sees the conversations of those accounts, what their teams were given,
and what they hold themselves. Admins, programs, people without a team, and members of a team that names no account see
everything. What somebody may see is a *scope*: ``,web/default,slack/*,`` as the store's lists compare it, empty for
everything. Lists take it as a value (:mod:`server.sight`), routes of one conversation are judged by :meth:`Teams.check`
before they run, what a body names by its handler. What belongs to no conversation is everybody's, and so are figures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from server.ids import new_id
from server.problems import Problem
from server.routes import ROUTE, Principal, Role
from server.store.contract import Row, Store, Tx

EVERY: Final = "*"  # every account of a channel
LIFE_S: Final = 2.0  # how long a scope is believed: a change of teams counts after that
MOST_KEPT: Final = 1_000
JUDGED: Final[Mapping[str, str]] = {
    "/api/conversations/{": "teams.sees",
    "/api/notes/{": "teams.sees_note",
    "/api/tickets/{": "teams.sees_ticket",
    "/api/media/{": "teams.sees_file",
    "/api/customers/{": "teams.sees_customer",
    "/api/corrections/{": "teams.sees_correction",
    "/api/examples/{": "teams.sees_example",
    "/api/tools/tickets/{": "teams.sees_ticket",
    "/api/tools/requests/{": "teams.sees_request",
    "/api/gaps/{": "teams.sees_gap",
    "/api/knowledge/gaps/{": "teams.sees_miss",
    "/api/releases/lineage/{": "teams.sees_message",
}
"""How addresses that name one thing of a conversation begin, and the query that finds it within a scope."""


@dataclass(frozen=True, slots=True)
class Team:
    """A team with the ids of its members, and its places: pairs of channel and account (EVERY: all of them)."""

    name: str
    members: tuple[str, ...]
    places: tuple[tuple[str, str], ...]


class Teams:
    """The teams of one tenant; ``clock`` is any clock of seconds."""

    def __init__(self, store: Store, tenant: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._tenant = tenant
        self._clock = clock
        self._scopes: dict[str, tuple[float, str]] = {}

    async def all(self) -> list[dict[str, Any]]:
        """Every team by name, with ``members`` (id, name) and ``places``."""
        teams = {row["id"]: {**row, "members": [], "places": []} for row in await self._rows("teams.all")}
        for row in await self._rows("teams.members"):
            teams[row["team_id"]]["members"].append({"id": row["person_id"], "name": row["name"]})
        for row in await self._rows("teams.places"):
            teams[row["team_id"]]["places"].append({"channel": row["channel"], "account": row["account"]})
        return list(teams.values())

    async def of(self, person_id: str) -> Sequence[Row]:
        """The teams somebody is in: id and name."""
        return await self._store.rows("teams.of", tenant=self._tenant, person=person_id)

    async def add(self, tx: Tx, team: Team) -> str:
        """Make a team; returns its id. Raises Conflict for a name that is taken."""
        team_id = new_id()
        await tx.run("teams.add", id=team_id, tenant=self._tenant, name=team.name, now=tx.now_s)
        await self._fill(tx, team_id, team)
        return team_id

    async def change(self, tx: Tx, team_id: str, team: Team) -> int:
        """Replace all of a team; 0 where there is none. Raises Conflict for a name that is taken."""
        changed = await tx.run("teams.rename", id=team_id, tenant=self._tenant, name=team.name)
        if changed:
            await tx.run("teams.drop_members", id=team_id, tenant=self._tenant)
            await tx.run("teams.drop_places", id=team_id, tenant=self._tenant)
            await self._fill(tx, team_id, team)
        return changed

    async def drop(self, tx: Tx, team_id: str) -> int:
        """Remove a team; what it was given is anybody's again."""
        return await tx.run("teams.drop", id=team_id, tenant=self._tenant)

    def forget(self) -> None:
        """Read every scope anew; for right after a change."""
        self._scopes.clear()

    async def scope(self, principal: Principal) -> str:
        """What somebody may see, as lists compare it; empty for everything."""
        if principal.kind != "person" or principal.role is Role.ADMIN:
            return ""
        at, scope = self._scopes.get(principal.id, (0.0, ""))
        if principal.id in self._scopes and self._clock() - at < LIFE_S:
            return scope
        scope = await self._read(principal.id)
        if len(self._scopes) >= MOST_KEPT:
            self._scopes.clear()
        self._scopes[principal.id] = (self._clock(), scope)
        return scope

    async def check(self, request: web.Request, principal: Principal) -> None:
        """Raise the 404 of an unknown conversation for one outside the caller's scope; other addresses pass."""
        path = request[ROUTE].path
        query = next((query for start, query in JUDGED.items() if path.startswith(start)), None)
        if query is None or not principal.scope:
            return
        seen = await self._store.row(
            query, tenant=self._tenant, id=request.match_info["id"], person=principal.id, scope=principal.scope
        )
        if seen is None:
            detail = "There is nothing with this id, or it belongs to another team; reload the list."
            raise Problem(404, "Not found", detail)

    async def visible(self, principal: Principal, conversations: Collection[str]) -> Collection[str]:
        """Those of some conversations that somebody may see now."""
        scope = await self.scope(principal)
        if not scope or not conversations:
            return conversations
        rows = await self._store.rows(
            "teams.visible", tenant=self._tenant, ids=json.dumps(sorted(conversations)), person=principal.id,
            scope=scope,
        )  # fmt: skip
        return {row["id"] for row in rows}

    async def _read(self, person_id: str) -> str:
        rows = await self._store.rows("teams.scope", tenant=self._tenant, person=person_id)
        if not rows or any(row["channel"] is None for row in rows):
            return ""  # no team, or one that sees everything
        places = sorted({f"{row['channel']}/{row['account']}" for row in rows})
        return f",{','.join(places)},"

    async def _fill(self, tx: Tx, team_id: str, team: Team) -> None:
        for person in dict.fromkeys(team.members):
            await tx.run("teams.add_member", id=team_id, tenant=self._tenant, person=person)
        for channel, account in dict.fromkeys(team.places):
            await tx.run("teams.add_place", id=team_id, tenant=self._tenant, channel=channel, account=account)

    async def _rows(self, query: str) -> Sequence[Row]:
        return await self._store.rows(query, tenant=self._tenant)
