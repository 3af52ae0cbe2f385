"""Signed-in browsers: a random cookie whose hash is stored, ending by idleness, age, or revocation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import hdrs, web

from config.settings import Access, Http
from server.auth.tokens import csrf_token, fingerprint, new_token
from server.routes import Principal, Role
from server.store.contract import Row, Store, StoreError, Tx

SECURE_COOKIE = "__Host-frontdesk"
LOOPBACK_COOKIE = "frontdesk_session"  # plain http: browsers refuse the __Host- prefix and Secure there
HOUR_S = 3_600.0
TOUCH_S = 60.0  # how exact "last used" is; saves a commit per request
DEVICE_CHARACTERS = 200
STEP_S = 600.0  # for the second step of a sign-in: finding the telephone, or setting an app up
ID_CHARACTERS = 24  # of the token's hash; enough to name a session, useless as a cookie


@dataclass(frozen=True, slots=True)
class Device:
    """Where a sign-in comes from: client address and browser name."""

    ip: str
    browser: str

    @classmethod
    def of(cls, request: web.Request, ip: str) -> Device:
        """The caller's device; the browser's name is shortened and cleaned of what a store cannot hold."""
        name = request.headers.get(hdrs.USER_AGENT, "").encode("utf-8", "replace").decode()
        return cls(ip, "".join(letter for letter in name if letter.isprintable())[:DEVICE_CHARACTERS])


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be stored: the cookie value leaves once, the hash stays."""

    cookie: str
    token_hash: str
    csrf: str


class SecondStep(Exception):
    """The password was right, and that is not enough: ``step`` is ``code``, or ``enrol`` where an app is still missing.

    ``ticket`` proves the first step for some minutes; it is no session and opens nothing by itself.
    """

    def __init__(self, ticket: str, step: str) -> None:
        super().__init__(step)
        self.ticket = ticket
        self.step = step


class Sessions:
    """The sessions of one tenant's people; ``clock`` is epoch seconds."""

    def __init__(
        self, store: Store, tenant: str, access: Access, http: Http, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._idle_s = access.session_idle_h * HOUR_S
        self._max_s = access.session_max_h * HOUR_S
        self._second_factor_roles = frozenset(access.second_factor_roles)
        self._secure = http.public_url.startswith("https://")
        self._clock = clock

    @property
    def cookie_name(self) -> str:
        """``__Host-`` prefixed wherever the public address is https."""
        return SECURE_COOKIE if self._secure else LOOPBACK_COOKIE

    def fresh(self) -> NewSession:
        """A new random session; never one that a browser brought along."""
        cookie = new_token()
        return NewSession(cookie, fingerprint(cookie), csrf_token(cookie))

    def needs_factor(self, role: Role) -> bool:
        """Whether people of this role must have a second factor."""
        return role.value in self._second_factor_roles

    async def begin(self, tx: Tx, fresh: NewSession, principal: Principal, device: Device, replaces: str = "") -> str:
        """Store a session inside the sign-in's unit where one step is enough, else that a second one is open.

        Returns that step (``code`` or ``enrol``), empty for a session; in the second case ``fresh.cookie`` is only the
        ticket of the step. Raise SecondStep with it after the commit.
        """
        row = await tx.row("second.factor", tenant=self._tenant, person_id=principal.id)
        confirmed = row is not None and row["confirmed_at"] is not None
        step = "code" if confirmed else "enrol" if self.needs_factor(principal.role) else ""
        if not step:
            await self.add(tx, fresh, principal.id, device, replaces)
            return ""
        now = self._clock()
        await tx.run("second.purge_sign_ins", now=now)
        await tx.run(
            "second.open_sign_in", token_hash=fresh.token_hash, tenant=self._tenant, person_id=principal.id, step=step,
            now=now, expires_at=now + STEP_S,
        )  # fmt: skip
        return step

    async def add(self, tx: Tx, fresh: NewSession, person_id: str, device: Device, replaces: str = "") -> None:
        """Store a session inside the sign-in's unit, and end the one this browser had (``replaces``, its cookie)."""
        now = self._clock()
        await tx.run("access.purge_sessions", now=now, idle_since=now - self._idle_s)
        if replaces:
            await tx.run("access.end_session", token_hash=fingerprint(replaces))
        await tx.run(
            "access.open_session",
            token_hash=fresh.token_hash,
            person_id=person_id,
            csrf_hash=fingerprint(fresh.csrf),
            now=now,
            expires_at=now + self._max_s,
            ip=device.ip,
            device=device.browser,
        )

    def cookie(self, request: web.Request) -> str:
        """The session cookie a request brought, or an empty string."""
        return request.cookies.get(self.cookie_name, "")

    def set_cookie(self, response: web.Response, fresh: NewSession) -> None:
        """Hand the cookie to the browser: not readable by scripts, not sent by other sites' posts."""
        response.set_cookie(
            self.cookie_name,
            fresh.cookie,
            path="/",
            max_age=int(self._max_s),
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )

    def clear_cookie(self, response: web.Response) -> None:
        """Make the browser forget the cookie."""
        response.del_cookie(self.cookie_name, path="/", secure=self._secure, httponly=True, samesite="Lax")

    async def find(self, cookie: str) -> Principal | None:
        """Whose session a cookie is; remembers about once a minute that it is in use."""
        now = self._clock()
        row = await self._store.row(
            "access.session",
            token_hash=fingerprint(cookie),
            tenant=self._tenant,
            now=now,
            idle_since=now - self._idle_s,
        )
        if row is None or (row["confirmed_at"] is None and self.needs_factor(Role(row["role"]))):
            return None  # a session from before the role needed a second factor: signing in again asks for it
        if now - row["seen_at"] > TOUCH_S:
            await self._touch(row["token_hash"], now)
        return Principal(
            tenant=self._tenant,
            kind="person",
            id=row["id"],
            role=Role(row["role"]),
            name=row["name"],
            email=row["email"],
            session=row["token_hash"],
            csrf_hash=row["csrf_hash"],
        )

    async def all(self, person_id: str) -> Sequence[Row]:
        """Where a person is signed in, latest use first."""
        now = self._clock()
        return await self._store.rows("access.sessions", person_id=person_id, now=now, idle_since=now - self._idle_s)

    async def _touch(self, token_hash: str, now: float) -> None:
        async def unit(tx: Tx) -> None:
            await tx.run("access.touch_session", token_hash=token_hash, now=now)

        with suppress(StoreError):  # reading must go on when the disk is full; the session then ends a little early
            await self._store.write(unit)
