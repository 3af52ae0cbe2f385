"""Who is at work, when the desk is open, and giving conversations to colleagues and teams."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from config.handoff import HandoffSettings
from config.settings import Http
from server.api.acting import Acts, unknown
from server.api.duty_shapes import (
    ClockList,
    ClockRow,
    HoursAnswer,
    Moved,
    OpenDay,
    OwnPresence,
    PersonPresence,
    PresenceBody,
    PresenceList,
    TeamBody,
    TransferBody,
)
from server.api.shapes import ID, answer
from server.customers.masking import masked
from server.duty.custody import PRIORITIES
from server.duty.moves import Moves
from server.duty.presence import Presence
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Principal, Role, Route, read_body
from server.store.contract import Store, Tx


class DutyApi:
    """Addresses ``/api/presence``, ``/api/hours``, and the transfers and promises of a conversation."""

    def __init__(
        self, store: Store, tenant: str, http: Http, settings: HandoffSettings, presence: Presence, moves: Moves
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._settings = settings
        self._presence = presence
        self._moves = moves
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/conversations/{ID}"
        return [
            Route("GET", "/api/presence", self.own, Role.VIEWER, "What the others see of oneself", answer=OwnPresence),
            Route("PUT", "/api/presence", self.set, Role.STAFF, "Be online, busy or away", "presence.set",
                  body=PresenceBody, answer=OwnPresence),
            Route("GET", "/api/presence/all", self.everybody, Role.VIEWER, "Who is at work", answer=PresenceList),
            Route("GET", "/api/hours", self.hours, Role.VIEWER, "When the desk is open", answer=HoursAnswer),
            Route("POST", f"{one}/transfer", self.transfer, Role.STAFF, "Give to a colleague, a team or the queue",
                  "conversation.transfer", body=TransferBody, answer=Moved),
            Route("PUT", f"{one}/team", self.team, Role.STAFF, "Say whose team it is for", "conversation.team",
                  body=TeamBody),
            Route("GET", f"{one}/promises", self.promises, Role.VIEWER, "What was promised, and whose it is",
                  answer=ClockList),
        ]  # fmt: skip

    async def own(self, request: web.Request) -> web.Response:
        """The caller's own; a viewer has none and is away."""
        return answer(OwnPresence.model_validate({"status": await self._presence.of(request[PRINCIPAL].owner)}))

    async def set(self, request: web.Request) -> web.Response:
        """Say it; coming and going is no matter of the audit."""
        body, who = await read_body(request, PresenceBody), _person(request)
        request[AUDITED] = True
        await self._store.write(lambda tx: self._presence.set(tx, who, body.status), order="~presence")
        return answer(OwnPresence(status=body.status))

    async def everybody(self, _request: web.Request) -> web.Response:
        """All of the staff."""
        names = PersonPresence.model_fields
        people = [{name: row[name] for name in names} for row in await self._presence.everybody()]
        return answer(PresenceList.model_validate({"people": people}))

    async def hours(self, _request: web.Request) -> web.Response:
        """Now and the days to come."""
        hours, now = self._settings.calendar, time.time()
        days = [OpenDay(date=day, spans=[_span(*span) for span in spans]) for day, spans in hours.week_of(now)]
        return answer(
            HoursAnswer(
                time_zone=self._settings.time_zone, always=hours.always, open=hours.is_open(now),
                opens_at=hours.opens_at(now), days=days,
            )
        )  # fmt: skip

    async def transfer(self, request: web.Request) -> web.Response:
        """Give it away; of several at once one wins, the others get 409."""
        body, key, who = await read_body(request, TransferBody), request.match_info["id"], request[PRINCIPAL]
        if body.person is not None and body.team is not None:
            raise Problem(422, "Invalid input", "Name a person or a team, not both.")
        person, team, force = body.person, body.team, who.role is Role.ADMIN

        async def unit(tx: Tx) -> dict[str, Any]:
            if person is not None:
                return await self._moves.give(tx, key, who.owner, person, force=force)
            return await self._moves.queue(tx, key, who.owner, team, force=force)

        return answer(Moved(**await self._acts.do(request, unit, {"person": person, "team": team})))

    async def team(self, request: web.Request) -> web.Response:
        """Set or clear it; the holder stays."""
        body, key, who = await read_body(request, TeamBody), request.match_info["id"], request[PRINCIPAL].owner
        await self._acts.do(request, lambda tx: self._moves.assign(tx, key, who, body.team), {"team": body.team})
        return web.Response(status=204)

    async def promises(self, request: web.Request) -> web.Response:
        """The clocks of a conversation, its team, and the address a waiting customer left."""
        key = {"tenant": self._tenant, "id": request.match_info["id"]}
        if await self._store.row("inbox.one", **key) is None:
            raise unknown()
        clocks = await self._store.rows("duty.clocks", **key)
        team = await self._store.row("duty.team_of", **key)
        custody = await self._store.row("duty.custody", id=key["id"])
        return answer(
            ClockList(
                clocks=[ClockRow(**{**clock, "priority": PRIORITIES[clock["priority"]]}) for clock in clocks],
                team=team["id"] if team else None,
                team_name=team["name"] if team else None,
                email=masked(custody["email"]) if custody and custody["email"] else None,
            )
        )


def _person(request: web.Request) -> str:
    """The caller's id; raises 409 for an API key, which is never at work."""
    who: Principal = request[PRINCIPAL]
    if who.kind != "person":
        raise Problem(409, "Not a person", "Only people who sign in have a presence.")
    return who.id


def _span(start: int, end: int) -> str:
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
