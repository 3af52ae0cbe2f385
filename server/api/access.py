"""Ways in: the second step of a sign-in, open invitations, and what an admin does about somebody's access."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from config.settings import Http
from server.api.acting import Acts
from server.api.sessions import Me, SessionList, me, session_rows
from server.api.shapes import ID, Answer, Body, answer
from server.auth.attempts import Attempts, email_key
from server.auth.csrf import refuse_cross_site
from server.auth.second import Enrolment, SecondFactor
from server.auth.sessions import ID_CHARACTERS, Device, Sessions
from server.people import People
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body
from server.store.contract import Store, Tx

Ticket = Annotated[str, StringConstraints(min_length=20, max_length=100)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=40)]


class TicketBody(Body):
    """The ticket that a password earned."""

    ticket: Ticket


class TicketCode(TicketBody):
    """The ticket, and six figures of an app or a recovery code."""

    code: Code


class EnrolmentAnswer(Answer):
    """What an authenticator app needs: by hand the ``secret``, by camera the picture of ``uri``.

    The picture is a square of ``side`` modules; ``path`` is the SVG path of the dark ones.
    """

    secret: str
    uri: str
    side: int
    path: str


class Entered(Me):
    """Who signed in; ``recovery_codes`` are there right after an app was set up, and never again."""

    recovery_codes: tuple[str, ...] = ()


class InvitationRow(Answer):
    """An invitation that was not used yet; times are epoch seconds."""

    id: str
    email: str | None
    role: Role
    created_at: float
    expires_at: float


class InvitationList(Answer):
    """Invitations, the newest first."""

    invitations: list[InvitationRow]


class AccessApi:
    """Addresses ``/api/session/…``, ``/api/invitations`` and what hangs below ``/api/people/{id}``."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        http: Http,
        second: SecondFactor,
        sessions: Sessions,
        people: People,
        attempts: Attempts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http
        self._second = second
        self._sessions = sessions
        self._people = people
        self._attempts = attempts
        self._clock = clock
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        person = f"/api/people/{ID}"
        return [
            Route("POST", "/api/session/code", self.code, Role.PUBLIC, "Sign in: the second step", "session.open",
                  body=TicketCode, answer=Entered),
            Route("POST", "/api/session/enrol", self.enrol, Role.PUBLIC, "Sign in: set up a required app",
                  body=TicketBody, answer=EnrolmentAnswer),
            Route("GET", "/api/invitations", self.invitations, Role.ADMIN, "Invitations nobody used yet",
                  answer=InvitationList),
            Route("DELETE", f"/api/invitations/{ID}", self.uninvite, Role.ADMIN, "Take an invitation back",
                  "person.uninvite"),
            Route("GET", f"{person}/sessions", self.sessions, Role.ADMIN, "Where somebody is signed in",
                  answer=SessionList),
            Route("DELETE", f"{person}/sessions", self.sign_out, Role.ADMIN, "Sign somebody out everywhere",
                  "person.sign_out"),
            Route("DELETE", f"{person}/second-factor", self.reset, Role.ADMIN, "Take away a lost authenticator app",
                  "person.second_factor"),
            Route("DELETE", f"{person}/lock", self.unlock, Role.ADMIN, "Let somebody try to sign in again",
                  "person.unlock"),
        ]  # fmt: skip

    async def code(self, request: web.Request) -> web.Response:
        """Check the code; only now there is a session, under a cookie of its own."""
        device = self._public(request)
        body = await read_body(request, TicketCode)
        principal, fresh, codes = await self._second.finish(
            body.ticket, body.code, device, self._sessions.cookie(request)
        )
        response = answer(Entered(**me(principal, fresh.csrf).model_dump(), recovery_codes=tuple(codes)))
        self._sessions.set_cookie(response, fresh)
        return response

    async def enrol(self, request: web.Request) -> web.Response:
        """Show a new secret to somebody whose role needs an app."""
        device = self._public(request)
        body = await read_body(request, TicketBody)
        return answer(enrolment(await self._second.begin(body.ticket, device)))

    async def invitations(self, _request: web.Request) -> web.Response:
        """Invitations that still work; their links are not kept, make a new one instead."""
        rows = await self._store.rows("people.invitations", tenant=self._tenant, now=self._clock())
        shown = [
            InvitationRow(
                id=row["token_hash"][:ID_CHARACTERS], email=row["email"], role=row["role"],
                created_at=row["created_at"], expires_at=row["expires_at"],
            )
            for row in rows
        ]  # fmt: skip
        return answer(InvitationList(invitations=shown))

    async def uninvite(self, request: web.Request) -> web.Response:
        """Make an invitation void."""
        key = {"tenant": self._tenant, "id": request.match_info["id"]}
        dropped = await self._acts.do(request, lambda tx: tx.run("people.drop_invitation", **key, now=self._clock()))
        if not dropped:
            raise Problem(404, "No such invitation", "It was used or taken back already; reload the list.")
        return web.Response(status=204)

    async def sessions(self, request: web.Request) -> web.Response:
        """Somebody's browsers."""
        person = await self._people.one(request.match_info["id"])
        return answer(session_rows(await self._sessions.all(person["id"]), request[PRINCIPAL].session))

    async def sign_out(self, request: web.Request) -> web.Response:
        """End all their sessions."""
        person = await self._people.one(request.match_info["id"])

        async def unit(tx: Tx) -> None:
            await tx.run("access.end_sessions", person_id=person["id"])

        await self._acts.do(request, unit)
        return web.Response(status=204)

    async def reset(self, request: web.Request) -> web.Response:
        """Take the app away; the next sign-in asks for the password only, or for a new app."""
        request[AUDITED] = True
        ip = client_ip(request, self._http)
        await self._second.reset(request[PRINCIPAL], request.match_info["id"], ip)
        return web.Response(status=204)

    async def unlock(self, request: web.Request) -> web.Response:
        """Forget the wrong tries that were counted, at every gateway."""
        person = await self._people.one(request.match_info["id"])
        await self._attempts.forgive(email_key(person["email"]))
        return web.Response(status=204)

    def _public(self, request: web.Request) -> Device:
        refuse_cross_site(request, self._http)
        return Device.of(request, client_ip(request, self._http))


def enrolment(made: Enrolment) -> EnrolmentAnswer:
    """What an app needs, as the API shows it."""
    return EnrolmentAnswer(secret=made.secret, uri=made.uri, side=made.side, path=made.path)
