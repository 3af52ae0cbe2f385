"""Teams over HTTP: who is in them, and which channel accounts they see."""

from __future__ import annotations

import builtins
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from config.settings import Http
from server.api.acting import Acts
from server.api.shapes import ID, Answer, Body, Label, answer
from server.problems import Problem
from server.routes import Role, Route, read_body
from server.store.contract import Conflict, Store
from server.teams import EVERY, Team, Teams

MOST: Final = 500  # members of one team
Account = Annotated[str, StringConstraints(pattern=rf"^(\{EVERY}|[a-z0-9][a-z0-9_-]{{0,62}})$")]
PersonId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class PlaceBody(Body):
    """A channel account; ``*`` stands for every account of the channel."""

    channel: Literal["web", "whatsapp", "slack", "telegram"]
    account: Account = EVERY


class TeamBody(Body):
    """A team as it shall be; without ``places`` its members see everything."""

    name: Label
    members: Annotated[tuple[PersonId, ...], Field(max_length=MOST)] = ()
    places: Annotated[tuple[PlaceBody, ...], Field(max_length=MOST)] = ()


class Member(Answer):
    """Somebody in a team."""

    id: str
    name: str


class Place(Answer):
    """A channel account a team sees."""

    channel: str
    account: str


class TeamRow(Answer):
    """A team; ``created_at`` is epoch seconds."""

    id: str
    name: str
    created_at: float
    members: list[Member]
    places: list[Place]


class TeamList(Answer):
    """Teams by name."""

    teams: list[TeamRow]


class TeamMade(Answer):
    """The id of a new team."""

    id: str


class TeamsApi:
    """Address ``/api/teams``."""

    def __init__(self, store: Store, http: Http, teams: Teams) -> None:
        self._teams = teams
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/teams", self.list, Role.VIEWER, "Teams, their members and channels", answer=TeamList),
            Route("POST", "/api/teams", self.add, Role.ADMIN, "Make a team", "team.add", body=TeamBody,
                  answer=TeamMade),
            Route("PUT", f"/api/teams/{ID}", self.change, Role.ADMIN, "Change a team", "team.change", body=TeamBody),
            Route("DELETE", f"/api/teams/{ID}", self.drop, Role.ADMIN, "Remove a team", "team.remove"),
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """Every team."""
        return answer(TeamList(teams=[TeamRow(**team) for team in await self._teams.all()]))

    async def add(self, request: web.Request) -> web.Response:
        """Make one."""
        team = _team(await read_body(request, TeamBody))
        try:
            made = await self._acts.do(request, lambda tx: self._teams.add(tx, team), _detail(team))
        except Conflict:
            raise _taken(team) from None
        self._teams.forget()
        return answer(TeamMade(id=made), status=201)

    async def change(self, request: web.Request) -> web.Response:
        """Replace name, members and channels; what its members see changes within seconds."""
        team_id = request.match_info["id"]
        if team_id not in {known["id"] for known in await self._teams.all()}:
            raise _unknown()
        team = _team(await read_body(request, TeamBody))
        try:
            changed = await self._acts.do(request, lambda tx: self._teams.change(tx, team_id, team), _detail(team))
        except Conflict:
            raise _taken(team) from None
        return self._done(changed)

    async def drop(self, request: web.Request) -> web.Response:
        """Remove one."""
        team_id = request.match_info["id"]
        return self._done(await self._acts.do(request, lambda tx: self._teams.drop(tx, team_id)))

    def _done(self, changed: int) -> web.Response:
        self._teams.forget()
        if not changed:
            raise _unknown()
        return web.Response(status=204)


def _unknown() -> Problem:
    return Problem(404, "No such team", "There is no team with this id; reload the list.")


def _team(body: TeamBody) -> Team:
    return Team(body.name, body.members, tuple((place.channel, place.account) for place in body.places))


def _detail(team: Team) -> dict[str, str | int | builtins.list[str]]:
    places = [f"{channel}/{account}" for channel, account in team.places]
    return {"name": team.name, "members": len(team.members), "places": places}


def _taken(team: Team) -> Problem:
    return Problem(409, "Name taken", f"There is a team called {team.name} already; choose another name.")
