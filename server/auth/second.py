"""The second step of a sign-in: an authenticator app or a recovery code; setting one up, renewing, taking it away.

A code counts once (its time step is stored), a ticket allows a few tries, and every try counts against the same
address and e-mail as passwords do. The session begins after the second step, with a cookie nobody saw before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from server.audit import audit
from server.auth import totp
from server.auth.attempts import Attempts, address_key, email_key
from server.auth.login import person_principal
from server.auth.seal import Seal, locked
from server.auth.sessions import Device, NewSession, Sessions
from server.auth.tokens import fingerprint
from server.problems import Problem
from server.routes import Principal, Role
from server.store.contract import Row, Store, Tx, Unit

log = structlog.get_logger()

TRIES: Final = 5  # codes per ticket: further ones need the password again


@dataclass(frozen=True, slots=True)
class Factor:
    """How somebody's second factor stands; ``since`` is epoch seconds, None while there is none."""

    since: float | None
    recovery_left: int
    required: bool


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to begin: the secret, its address, and the picture of that (side in modules, SVG path)."""

    secret: str
    uri: str
    side: int
    path: str


class SecondFactor:
    """Second factors of one tenant's people; ``issuer`` is shown in their apps, ``clock`` is epoch seconds."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        issuer: str,
        sessions: Sessions,
        attempts: Attempts,
        seal: Seal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._issuer = issuer
        self._sessions = sessions
        self._attempts = attempts
        self._seal = seal
        self._clock = clock

    async def state(self, person_id: str, role: Role) -> Factor:
        """How somebody's second factor stands."""
        key = {"tenant": self._tenant, "person_id": person_id}
        row = await self._store.row("second.factor", **key)
        left = await self._store.row("second.left", **key)
        since = row["confirmed_at"] if row is not None else None
        return Factor(since, int(left["number"]) if left and since else 0, self._sessions.needs_factor(role))

    async def ticket(self, ticket: str, device: Device) -> Row:
        """Whose open second step a ticket is, and which one; raises a 401 problem, and 429 after too many tries."""
        await self._attempts.take(address_key(device.ip))
        row = await self._store.row(
            "second.sign_in", token_hash=fingerprint(ticket), tenant=self._tenant, now=self._clock()
        )
        if row is None:
            raise _again()
        return row

    async def enrol(self, principal: Principal) -> Enrolment:
        """Begin (or begin anew) with an app; raises 409 where one is confirmed already, 503 without a key to seal."""
        await self._seal.ready()
        secret = totp.new_secret()
        sealed = self._seal.sealed(secret, principal.id)
        key = {"tenant": self._tenant, "person_id": principal.id}

        async def unit(tx: Tx) -> int:
            await self._seal.check(tx)
            return await tx.run("second.begin", **key, secret=sealed, now=self._clock())

        if not await self._store.write(unit):
            detail = "An authenticator app is set up already; turn it off first."
            raise Problem(409, "Already on", detail, more={"code": "app_on"})
        uri = totp.enrolment(secret, self._issuer, principal.email)
        return Enrolment(secret, uri, *totp.picture(uri))

    async def begin(self, ticket: str, device: Device) -> Enrolment:
        """The same for somebody whose role needs an app before the first session; raises a 401 problem."""
        row = await self.ticket(ticket, device)
        if row["step"] != "enrol":
            raise _again()
        return await self.enrol(person_principal(self._tenant, row))

    async def finish(
        self, ticket: str, code: str, device: Device, replaces: str = ""
    ) -> tuple[Principal, NewSession, list[str]]:
        """Sign in with the second step; the list holds fresh recovery codes right after an enrolment, else nothing.

        Raises a 401 problem for a wrong or used code and for a ticket that is over, 429 after too many tries.
        """
        row = await self.ticket(ticket, device)
        await self._attempts.take(email_key(row["email"]))
        await self._seal.ready()
        principal, fresh = person_principal(self._tenant, row), self._sessions.fresh()
        codes = totp.recovery_codes() if row["step"] == "enrol" else []

        async def unit(tx: Tx) -> str:
            counted = await tx.run(
                "second.try_sign_in", token_hash=row["token_hash"], tenant=self._tenant, most=TRIES, now=self._clock()
            )
            if not counted:
                return "over"
            way = await self._proven(tx, principal.id, code, confirmed=row["step"] == "code")
            if not way:
                return "wrong"
            await self._keep(tx, principal.id, codes)
            await tx.run("second.end_sign_ins", tenant=self._tenant, person_id=principal.id)
            await self._sessions.add(tx, fresh, principal.id, device, replaces)
            await audit(tx, principal, "session.open", principal.id, {"second": way}, device.ip)
            return way

        outcome = await self._store.write(unit)
        if outcome == "over":
            raise _again()
        if outcome == "wrong":
            log.info("second_step_refused", ip=device.ip)
            raise wrong_code()
        await self._attempts.forgive(email_key(row["email"]))
        return principal, fresh, codes

    async def confirm(self, principal: Principal, code: str, device: Device) -> tuple[NewSession, list[str]]:
        """Turn on what :meth:`enrol` began: a new session replaces all others, recovery codes are shown once.

        Raises a 422 problem for a wrong code.
        """
        await self._attempts.take(address_key(device.ip), email_key(principal.email))
        await self._seal.ready()
        fresh, codes = self._sessions.fresh(), totp.recovery_codes()

        async def unit(tx: Tx) -> str:
            way = await self._proven(tx, principal.id, code, confirmed=False)
            if way:
                await self._keep(tx, principal.id, codes)
                await tx.run("access.end_sessions", person_id=principal.id)
                await self._sessions.add(tx, fresh, principal.id, device)
                await audit(tx, principal, "second_factor.on", principal.id, ip=device.ip)
            return way

        await self._checked(unit, principal)
        return fresh, codes

    async def renew(self, principal: Principal, code: str, device: Device) -> list[str]:
        """Fresh recovery codes in the place of the old ones; raises a 422 problem for a wrong code."""
        await self._attempts.take(address_key(device.ip), email_key(principal.email))
        await self._seal.ready()
        codes = totp.recovery_codes()

        async def unit(tx: Tx) -> str:
            way = await self._proven(tx, principal.id, code, confirmed=True)
            if way:
                await self._keep(tx, principal.id, codes)
                await audit(tx, principal, "second_factor.renew", principal.id, ip=device.ip)
            return way

        await self._checked(unit, principal)
        return codes

    async def turn_off(self, principal: Principal, code: str, device: Device) -> None:
        """Do without an app from now on; raises a 409 problem where the role needs one, 422 for a wrong code."""
        if self._sessions.needs_factor(principal.role):
            raise Problem(409, "Required", "Your role must sign in with an authenticator app.")
        await self._attempts.take(address_key(device.ip), email_key(principal.email))
        await self._seal.ready()

        async def unit(tx: Tx) -> str:
            way = await self._proven(tx, principal.id, code, confirmed=True)
            if way:
                await self._drop(tx, principal.id)
                await audit(tx, principal, "second_factor.off", principal.id, ip=device.ip)
            return way

        await self._checked(unit, principal)

    async def reset(self, principal: Principal, person_id: str, ip: str = "") -> None:
        """Take a lost app away from somebody and sign them out everywhere; raises a 404 problem where there is none."""

        async def unit(tx: Tx) -> int:
            person = await tx.row("people.by_id", tenant=self._tenant, id=person_id)
            dropped = await self._drop(tx, person_id) if person is not None else 0
            if dropped:
                await tx.run("access.end_sessions", person_id=person_id)
                await audit(tx, principal, "person.second_factor", person_id, ip=ip)
            return dropped

        if not await self._store.write(unit):
            raise Problem(404, "Nothing to reset", "This person has no authenticator app; reload the list.")

    async def _proven(self, tx: Tx, person_id: str, code: str, *, confirmed: bool) -> str:
        """How a code proves somebody inside a unit that then takes it: ``app``, ``recovery``, or not at all (empty).

        Raises a 503 problem where only the app could prove it and its secret cannot be opened: nobody is told "wrong".
        """
        key = {"tenant": self._tenant, "person_id": person_id}
        row = await tx.row("second.factor", **key)
        if row is None or (row["confirmed_at"] is not None) is not confirmed:
            return ""
        now = self._clock()
        secret = self._seal.opened(row["secret"], person_id)
        step = totp.matching_step(secret, code, now, row["used_step"]) if secret is not None else 0
        if step and await tx.run("second.use_step", **key, secret=row["secret"], step=step, now=now):
            return "app"
        if confirmed and await tx.run("second.use_recovery", **key, code_hash=_hash(person_id, code), now=now):
            return "recovery"
        if secret is None:
            raise locked()
        return ""

    async def _keep(self, tx: Tx, person_id: str, codes: list[str]) -> None:
        """Replace somebody's recovery codes; an empty list leaves them as they are."""
        key = {"tenant": self._tenant, "person_id": person_id}
        if codes:
            await tx.run("second.drop_recovery", **key)
        for code in codes:
            await tx.run("second.add_recovery", **key, code_hash=_hash(person_id, code), now=self._clock())

    async def _drop(self, tx: Tx, person_id: str) -> int:
        key = {"tenant": self._tenant, "person_id": person_id}
        await tx.run("second.drop_recovery", **key)
        await tx.run("second.end_sign_ins", **key)
        return await tx.run("second.drop", **key)

    async def _checked(self, unit: Unit[str], principal: Principal) -> None:
        if not await self._store.write(unit):
            raise Problem(
                422, "Wrong code", WRONG, more={"errors": [{"field": "code", "message": "is wrong or was used"}]}
            )
        await self._attempts.forgive(email_key(principal.email))


WRONG: Final = "The code is wrong, was used already, or is of another time. Wait for the next one and check the clock."


def wrong_code() -> Problem:
    """A 401 for a second step that did not prove anything."""
    return Problem(401, "Wrong code", WRONG, more={"step": "code", "code": "code"})


def _again() -> Problem:
    detail = "This sign-in took too long or had too many tries; enter your password again."
    return Problem(401, "Sign in again", detail, more={"code": "over"})


def _hash(person_id: str, code: str) -> str:
    """What is kept of a recovery code; the person is part of it, so a row fits nobody else."""
    return fingerprint(f"recovery\n{person_id}\n{totp.plain(code)}")
