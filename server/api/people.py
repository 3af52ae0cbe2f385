"""People of the desk: the list, invitations, roles, password resets, and the links that let them in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from config.settings import Http
from server.api.sessions import Me, me, step_needed
from server.api.shapes import ID, Answer, Body, Email, Label, Secret, answer
from server.auth.attempts import Attempts, address_key, email_key
from server.auth.csrf import refuse_cross_site
from server.auth.sessions import Device, SecondStep, Sessions
from server.links import Link, LinkRefused, Links
from server.people import Newcomer, People
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body
from server.store.contract import Row

RANKS = (Role.VIEWER, Role.STAFF, Role.ADMIN)
Token = Annotated[str, StringConstraints(min_length=20, max_length=100)]


class PersonRow(Answer):
    """One person; times are epoch seconds, ``seen_at`` is their latest request.

    ``locked_s`` is for how long this server refuses their sign-ins after too many wrong ones.
    """

    id: str
    email: str
    name: str
    role: Role
    created_at: float
    disabled: bool
    seen_at: float | None = None
    second_factor: bool = False
    locked_s: float = 0.0


class PeopleList(Answer):
    """Everybody, the longest known first."""

    people: list[PersonRow]


class Invitation(Body):
    """Whom to let in, and as what: viewer, staff or admin."""

    email: Email
    role: Role


class Change(Body):
    """What to change about a person; leave out what stays."""

    role: Role | None = None
    disabled: bool | None = None


class LinkMade(Answer):
    """A one-time link to hand over; it is shown only in this answer. ``expires_at`` is epoch seconds."""

    url: str
    purpose: str
    expires_at: float


class LinkToken(Body):
    """The part of a one-time link behind the ``#``."""

    token: Token


class LinkPurpose(Answer):
    """What an unused link does: setup, invite or reset; email and name are empty where its user chooses them."""

    purpose: str
    role: Role
    email: str
    name: str
    expires_at: float


class Redemption(Body):
    """What somebody types behind a one-time link."""

    token: Token
    name: Label | None = None
    email: Email | None = None
    password: Secret


class PeopleApi:
    """Addresses ``/api/people`` and ``/api/links``."""

    def __init__(self, people: People, links: Links, sessions: Sessions, attempts: Attempts, http: Http) -> None:
        self._people = people
        self._links = links
        self._sessions = sessions
        self._attempts = attempts
        self._http = http

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route(
                "POST", "/api/links/look", self.look, Role.PUBLIC, "What a one-time link is for",
                body=LinkToken, answer=LinkPurpose,
            ),
            Route(
                "POST", "/api/links/redeem", self.redeem, Role.PUBLIC, "Use a one-time link and sign in",
                "link.used", body=Redemption, answer=Me,
            ),
            Route("GET", "/api/people", self.list, Role.ADMIN, "Everybody who may sign in", answer=PeopleList),
            Route(
                "POST", "/api/people", self.invite, Role.ADMIN, "Invite somebody by a one-time link",
                "person.invite", body=Invitation, answer=LinkMade,
            ),
            Route(
                "PATCH", f"/api/people/{ID}", self.change, Role.ADMIN, "Change a role, disable or enable",
                "person.change", body=Change, answer=PersonRow,
            ),
            Route(
                "POST", f"/api/people/{ID}/reset", self.reset, Role.ADMIN, "Make a password reset link",
                "person.reset", answer=LinkMade,
            ),
        ]  # fmt: skip

    async def look(self, request: web.Request) -> web.Response:
        """Say what a link is for, so that its page asks only for what is missing; changes nothing."""
        await self._public(request)
        body = await read_body(request, LinkToken)
        row = await self._people.look(body.token)
        return answer(
            LinkPurpose(
                purpose=row["purpose"],
                role=row["role"],
                email=row["email"] or "",
                name=row["name"],
                expires_at=row["expires_at"],
            )
        )

    async def redeem(self, request: web.Request) -> web.Response:
        """Use a link: its person exists (or has a new password) and is signed in."""
        device = Device.of(request, await self._public(request))
        body = await read_body(request, Redemption)
        newcomer = Newcomer(body.token, body.name or "", body.email or "", body.password)
        try:
            principal, fresh = await self._people.redeem(newcomer, device)
        except SecondStep as needed:
            return step_needed(needed)
        response = answer(me(principal, fresh.csrf), status=201)
        self._sessions.set_cookie(response, fresh)
        return response

    async def list(self, _request: web.Request) -> web.Response:
        """Everybody who may sign in or was disabled."""
        rows = await self._people.all()
        waits = await self._attempts.locked_s([email_key(row["email"]) for row in rows])
        return answer(PeopleList(people=[_person(row, wait_s) for row, wait_s in zip(rows, waits, strict=True)]))

    async def invite(self, request: web.Request) -> web.Response:
        """Make an invitation; an earlier one for the same address stops working."""
        body = await read_body(request, Invitation)
        ip = client_ip(request, self._http)
        return await self._made(
            request, lambda: self._links.invite(request[PRINCIPAL], body.email, _rank(body.role), ip)
        )

    async def reset(self, request: web.Request) -> web.Response:
        """Make a password reset link for somebody."""
        row = await self._people.one(request.match_info["id"])
        ip = client_ip(request, self._http)
        return await self._made(request, lambda: self._links.reset(request[PRINCIPAL], row["email"], ip))

    async def change(self, request: web.Request) -> web.Response:
        """Set role or disabled state; disabling signs the person out everywhere at once."""
        body = await read_body(request, Change)
        role = _rank(body.role) if body.role is not None else None
        ip = client_ip(request, self._http)
        row = await self._people.change(
            request[PRINCIPAL], request.match_info["id"], role=role, disabled=body.disabled, ip=ip
        )
        request[AUDITED] = True
        return answer(_person(row))

    async def _made(self, request: web.Request, make: Callable[[], Awaitable[Link]]) -> web.Response:
        try:
            link = await make()
        except LinkRefused as refused:
            raise Problem(409, "Link refused", str(refused)) from None
        request[AUDITED] = True
        return answer(LinkMade(url=link.url, purpose=link.purpose, expires_at=link.expires_at), status=201)

    async def _public(self, request: web.Request) -> str:
        """The checks of an address that strangers may call; returns the client address."""
        refuse_cross_site(request, self._http)
        ip = client_ip(request, self._http)
        await self._attempts.take(address_key(ip))
        return ip


def _rank(role: Role) -> Role:
    if role not in RANKS:
        raise Problem(422, "Invalid input", f"role: must be one of {', '.join(RANKS)}")
    return role


def _person(row: Row, locked_s: float = 0.0) -> PersonRow:
    return PersonRow(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=row["role"],
        created_at=row["created_at"],
        disabled=row["disabled_at"] is not None,
        seen_at=row.get("seen_at"),
        second_factor=bool(row.get("second_factor")),
        locked_s=locked_s,
    )
