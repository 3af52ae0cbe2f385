"""Signing in with email and password."""

from __future__ import annotations

from typing import Final

import structlog

from server.audit import audit
from server.auth.attempts import Attempts, address_key, email_key
from server.auth.passwords import Passwords
from server.auth.sessions import Device, NewSession, SecondStep, Sessions
from server.problems import Problem
from server.routes import Principal, Role
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

WRONG: Final = "Email or password is wrong, or the account is disabled."


def person_principal(tenant: str, row: Row) -> Principal:
    """The principal of a person's row."""
    return Principal(tenant, "person", row["id"], Role(row["role"]), name=row["name"], email=row["email"])


class Login:
    """Checks a password and opens a session; one answer and one duration for every kind of failure."""

    def __init__(self, store: Store, tenant: str, passwords: Passwords, attempts: Attempts, sessions: Sessions) -> None:
        self._store = store
        self._tenant = tenant
        self._passwords = passwords
        self._attempts = attempts
        self._sessions = sessions

    async def open(self, email: str, password: str, device: Device, replaces: str = "") -> tuple[Principal, NewSession]:
        """Sign a person in under a fresh cookie; ``replaces`` is the cookie the browser had.

        Raises SecondStep where a password is not enough, a 401 problem that does not say what was wrong, and 429 after
        too many tries.
        """
        await self._attempts.take(address_key(device.ip), email_key(email))
        row = await self._store.row("people.by_email", tenant=self._tenant, email=email)
        active = row if row is not None and row["disabled_at"] is None else None
        known_hash = active["password_hash"] if active is not None else None
        fits = await self._passwords.verify(known_hash, password)
        if active is None or not fits:
            log.info("login_refused", ip=device.ip)
            raise Problem(401, "Sign-in failed", WRONG, more={"code": "sign_in"})
        better_hash = await self._passwords.hash(password) if self._passwords.outdated(known_hash or "") else None
        principal = person_principal(self._tenant, active)
        fresh = self._sessions.fresh()

        async def unit(tx: Tx) -> str:
            if better_hash is not None:
                await tx.run("people.improve_password", id=principal.id, password_hash=better_hash, old_hash=known_hash)
            step = await self._sessions.begin(tx, fresh, principal, device, replaces)
            if not step:
                await audit(tx, principal, "session.open", principal.id, ip=device.ip)
            return step

        step = await self._store.write(unit)
        if step:  # its tries count on: only a whole sign-in is forgiven
            raise SecondStep(fresh.cookie, step)
        await self._attempts.forgive(email_key(email))
        return principal, fresh
