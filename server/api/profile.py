"""One's own account: name, password, authenticator app."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from config.settings import Http
from server.api.access import Code, EnrolmentAnswer, enrolment
from server.api.acting import Acts
from server.api.sessions import with_session
from server.api.shapes import Answer, Body, Label, Secret, answer
from server.audit import audit
from server.auth.attempts import Attempts, email_key
from server.auth.passwords import Passwords, password_fault
from server.auth.second import SecondFactor
from server.auth.sessions import Device, Sessions
from server.people import People
from server.problems import Problem
from server.routes import AUDITED, Principal, Role, Route, client_ip, read_body
from server.store.contract import Store, Tx
from server.teams import Teams


class TeamName(Answer):
    """A team somebody is in."""

    id: str
    name: str


class Profile(Answer):
    """One's own account; ``second_factor_since`` is epoch seconds, None without an app."""

    id: str
    name: str
    email: str
    role: Role
    second_factor_since: float | None
    second_factor_required: bool
    recovery_codes_left: int
    teams: list[TeamName]


class ProfileBody(Body):
    """What to change."""

    name: Label


class PasswordBody(Body):
    """The password one has, and the one to have."""

    current: Secret
    password: Annotated[str, StringConstraints(min_length=1, max_length=1_024)]


class CurrentBody(Body):
    """The password one has."""

    current: Secret


class CodeBody(Body):
    """Six figures of the app, or a recovery code."""

    code: Code


class RecoveryCodes(Answer):
    """Codes for a lost telephone, shown once; ``csrf`` is the new session's token where there is a new session."""

    recovery_codes: list[str]
    csrf: str = ""


class ProfileApi:
    """Addresses ``/api/profile``."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        http: Http,
        people: People,
        passwords: Passwords,
        sessions: Sessions,
        second: SecondFactor,
        attempts: Attempts,
        teams: Teams,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http
        self._people = people
        self._passwords = passwords
        self._sessions = sessions
        self._second = second
        self._attempts = attempts
        self._teams = teams
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        factor = "/api/profile/second-factor"
        return [
            Route("GET", "/api/profile", self.read, Role.VIEWER, "My account", answer=Profile),
            Route("PATCH", "/api/profile", self.change, Role.VIEWER, "Change my name", "profile.change",
                  body=ProfileBody),
            Route("POST", "/api/profile/password", self.password, Role.VIEWER, "Change my password",
                  "profile.password", body=PasswordBody, answer=RecoveryCodes),
            Route("POST", factor, self.begin, Role.VIEWER, "Begin with an authenticator app",
                  "second_factor.begin", body=CurrentBody, answer=EnrolmentAnswer),
            Route("POST", f"{factor}/confirm", self.confirm, Role.VIEWER, "Turn the app on by its first code",
                  "second_factor.on", body=CodeBody, answer=RecoveryCodes),
            Route("POST", f"{factor}/off", self.turn_off, Role.VIEWER, "Do without the app", "second_factor.off",
                  body=CodeBody),
            Route("POST", "/api/profile/recovery-codes", self.renew, Role.VIEWER, "Make new recovery codes",
                  "second_factor.renew", body=CodeBody, answer=RecoveryCodes),
        ]  # fmt: skip

    async def read(self, request: web.Request) -> web.Response:
        """Who one is, and how well that is guarded."""
        who = with_session(request)
        factor = await self._second.state(who.id, who.role)
        teams = [TeamName(id=row["id"], name=row["name"]) for row in await self._teams.of(who.id)]
        return answer(
            Profile(
                id=who.id, name=who.name, email=who.email, role=who.role, second_factor_since=factor.since,
                second_factor_required=factor.required, recovery_codes_left=factor.recovery_left, teams=teams,
            )
        )  # fmt: skip

    async def change(self, request: web.Request) -> web.Response:
        """Another name, shown to colleagues and customers from now on."""
        who, body = with_session(request), await read_body(request, ProfileBody)
        await self._acts.do(request, lambda tx: tx.run("people.rename", tenant=self._tenant, id=who.id, name=body.name))
        return web.Response(status=204)

    async def password(self, request: web.Request) -> web.Response:
        """Set a new password; every other browser is signed out, this one gets a new session."""
        who, body = with_session(request), await read_body(request, PasswordBody)
        await self._known(who, body.current)
        fault = password_fault(body.password, who.email)
        if fault:
            raise _field("password", fault)
        password_hash, device = await self._passwords.hash(body.password), self._device(request)
        fresh = self._sessions.fresh()

        async def unit(tx: Tx) -> None:
            await tx.run("people.set_password", tenant=self._tenant, id=who.id, password_hash=password_hash)
            await tx.run("access.end_sessions", person_id=who.id)
            await self._sessions.add(tx, fresh, who.id, device)
            await audit(tx, who, "profile.password", who.id, ip=device.ip)

        await self._store.write(unit)
        request[AUDITED] = True
        response = answer(RecoveryCodes(recovery_codes=[], csrf=fresh.csrf))
        self._sessions.set_cookie(response, fresh)
        return response

    async def begin(self, request: web.Request) -> web.Response:
        """Show a new secret once the password was typed again."""
        who, body = with_session(request), await read_body(request, CurrentBody)
        await self._known(who, body.current)
        return answer(enrolment(await self._second.enrol(who)))

    async def confirm(self, request: web.Request) -> web.Response:
        """The first code turns it on: new session, fresh recovery codes."""
        who, body = with_session(request), await read_body(request, CodeBody)
        fresh, codes = await self._second.confirm(who, body.code, self._device(request))
        request[AUDITED] = True
        response = answer(RecoveryCodes(recovery_codes=codes, csrf=fresh.csrf))
        self._sessions.set_cookie(response, fresh)
        return response

    async def turn_off(self, request: web.Request) -> web.Response:
        """Forget the app."""
        who, body = with_session(request), await read_body(request, CodeBody)
        await self._second.turn_off(who, body.code, self._device(request))
        request[AUDITED] = True
        return web.Response(status=204)

    async def renew(self, request: web.Request) -> web.Response:
        """New recovery codes; the old ones stop working."""
        who, body = with_session(request), await read_body(request, CodeBody)
        codes = await self._second.renew(who, body.code, self._device(request))
        request[AUDITED] = True
        return answer(RecoveryCodes(recovery_codes=codes))

    async def _known(self, who: Principal, password: str) -> None:
        """Raise a 422 problem unless this is the caller's password; tries count like sign-ins."""
        await self._attempts.take(email_key(who.email))
        row = await self._people.one(who.id)
        if not await self._passwords.verify(row["password_hash"], password):
            raise _field("current", "is not your password")
        await self._attempts.forgive(email_key(who.email))

    def _device(self, request: web.Request) -> Device:
        return Device.of(request, client_ip(request, self._http))


def _field(name: str, message: str) -> Problem:
    return Problem(422, "Invalid input", f"{name}: {message}", more={"errors": [{"field": name, "message": message}]})
