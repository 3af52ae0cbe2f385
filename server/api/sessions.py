"""Sign-in, sign-out, and the list of places where one is signed in."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from config.settings import Http
from server.api.shapes import ID, Answer, Body, Email, Secret, answer
from server.audit import audit
from server.auth.csrf import refuse_cross_site
from server.auth.login import Login
from server.auth.sessions import ID_CHARACTERS, Device, SecondStep, Sessions
from server.auth.tokens import csrf_token
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Principal, Role, Route, client_ip, read_body
from server.store.contract import Row, Store, Tx


class Credentials(Body):
    """Email and password of a person."""

    email: Email
    password: Secret


class Me(Answer):
    """Who is signed in; ``csrf`` goes into X-CSRF-Token of every unsafe request, empty for API keys."""

    kind: str
    id: str
    name: str
    email: str
    role: Role
    csrf: str


class StepNeeded(Answer):
    """A right password that is not enough (status 202): ``code`` is asked for, or an app must be set up (``enrol``).

    ``ticket`` goes into ``POST /api/session/code`` (or ``…/enrol`` before it); it works some minutes and a few tries.
    """

    step: str
    ticket: str


class SessionRow(Answer):
    """One signed-in browser; times are epoch seconds."""

    id: str
    created_at: float
    seen_at: float
    expires_at: float
    ip: str
    device: str
    current: bool


class SessionList(Answer):
    """Where the caller is signed in, latest use first."""

    sessions: list[SessionRow]


def me(principal: Principal, csrf: str) -> Me:
    """The caller as the console shows them."""
    return Me(
        kind=principal.kind,
        id=principal.id,
        name=principal.name,
        email=principal.email,
        role=principal.role,
        csrf=csrf,
    )


def step_needed(needed: SecondStep) -> web.Response:
    """Ask for the second step; no cookie is set before it."""
    return answer(StepNeeded(step=needed.step, ticket=needed.ticket), status=web.HTTPAccepted.status_code)


def session_rows(rows: Sequence[Row], current: str) -> SessionList:
    """Sessions as a list shows them; ``current`` is the caller's own hash."""
    return SessionList(
        sessions=[
            SessionRow(
                id=row["token_hash"][:ID_CHARACTERS],
                created_at=row["created_at"],
                seen_at=row["seen_at"],
                expires_at=row["expires_at"],
                ip=row["ip"],
                device=row["device"],
                current=row["token_hash"] == current,
            )
            for row in rows
        ]
    )


class SessionsApi:
    """Addresses ``/api/session`` (this browser's) and ``/api/sessions`` (all of one person's)."""

    def __init__(self, store: Store, login: Login, sessions: Sessions, http: Http) -> None:
        self._store = store
        self._login = login
        self._sessions = sessions
        self._http = http

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route(
                "POST", "/api/session", self.open, Role.PUBLIC, "Sign in", "session.open", body=Credentials, answer=Me
            ),
            Route("GET", "/api/session", self.read, Role.VIEWER, "Who is signed in", answer=Me),
            Route("DELETE", "/api/session", self.close, Role.VIEWER, "Sign out", "session.close"),
            Route("GET", "/api/sessions", self.list, Role.VIEWER, "Where I am signed in", answer=SessionList),
            Route("DELETE", "/api/sessions", self.end_others, Role.VIEWER, "Sign out my other browsers", "session.end"),
            Route("DELETE", f"/api/sessions/{ID}", self.end, Role.VIEWER, "Sign out one of my browsers", "session.end"),
        ]

    async def open(self, request: web.Request) -> web.Response:
        """Check email and password, then set a fresh cookie."""
        refuse_cross_site(request, self._http)
        body = await read_body(request, Credentials)
        device = Device.of(request, client_ip(request, self._http))
        try:
            principal, fresh = await self._login.open(
                body.email, body.password, device, replaces=self._sessions.cookie(request)
            )
        except SecondStep as needed:
            return step_needed(needed)
        response = answer(me(principal, fresh.csrf))
        self._sessions.set_cookie(response, fresh)
        return response

    async def read(self, request: web.Request) -> web.Response:
        """Tell the console who is signed in and which token its unsafe requests need."""
        principal = request[PRINCIPAL]
        return answer(me(principal, csrf_token(self._sessions.cookie(request)) if principal.session else ""))

    async def close(self, request: web.Request) -> web.Response:
        """End this browser's session."""
        principal = with_session(request)
        ip = client_ip(request, self._http)

        async def unit(tx: Tx) -> None:
            await tx.run("access.end_session", token_hash=principal.session)
            await audit(tx, principal, "session.close", principal.id, ip=ip)

        await self._store.write(unit)
        request[AUDITED] = True
        response = web.Response(status=204)
        self._sessions.clear_cookie(response)
        return response

    async def list(self, request: web.Request) -> web.Response:
        """The caller's own sessions; an API key has none."""
        principal = request[PRINCIPAL]
        rows = await self._sessions.all(principal.id) if principal.kind == "person" else []
        return answer(session_rows(rows, principal.session))

    async def end_others(self, request: web.Request) -> web.Response:
        """End every session of the caller but this one."""
        principal = with_session(request)
        ip = client_ip(request, self._http)

        async def unit(tx: Tx) -> None:
            await tx.run("access.end_other_sessions", person_id=principal.id, token_hash=principal.session)
            await audit(tx, principal, "session.end", "others", ip=ip)

        await self._store.write(unit)
        request[AUDITED] = True
        return web.Response(status=204)

    async def end(self, request: web.Request) -> web.Response:
        """End one of the caller's own sessions, as named in the list."""
        principal = with_session(request)
        session_id = request.match_info["id"]
        ip = client_ip(request, self._http)

        async def unit(tx: Tx) -> int:
            ended = await tx.run("access.end_listed_session", person_id=principal.id, id=session_id)
            if ended:
                await audit(tx, principal, "session.end", session_id, ip=ip)
            return ended

        if not await self._store.write(unit):
            raise Problem(404, "No such session", "It has ended already; reload the list.")
        request[AUDITED] = True
        return web.Response(status=204)


def with_session(request: web.Request) -> Principal:
    """The caller, who must be a signed-in person; raises a 403 problem for API keys."""
    principal = request[PRINCIPAL]
    if not principal.session:
        raise Problem(403, "Not a session", "An API key has no session; revoke the key instead.")
    return principal
