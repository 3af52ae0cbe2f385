"""Signing in with email and password."""

from __future__ import annotations

import structlog

from server.audit import audit
from server.auth.attempts import Attempts, address_key, email_key
from server.auth.passwords import Passwords
from server.auth.sessions import Device, NewSession, Sessions
from server.problems import Problem
from server.routes import Principal, Role
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()


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

        Raises a 401 problem that does not say what was wrong, and 429 after too many tries.
        """
        self._attempts.take(address_key(device.ip), email_key(email))
        row = await self._store.row("people.by_email", tenant=self._tenant, email=email)
        active = row if row is not None and row["disabled_at"] is None else None
        known_hash = active["password_hash"] if active is not None else None
        fits = await self._passwords.verify(known_hash, password)
        if active is None or not fits:
            log.info("login_refused", ip=device.ip)
            raise Problem(401, "Sign-in failed", "Email or password is wrong, or the account is disabled.")
        better_hash = await self._passwords.hash(password) if self._passwords.outdated(known_hash or "") else None
        principal = person_principal(self._tenant, active)
        fresh = self._sessions.fresh()

        async def unit(tx: Tx) -> None:
            if better_hash is not None:
                await tx.run("people.improve_password", id=principal.id, password_hash=better_hash, old_hash=known_hash)
            await self._sessions.add(tx, fresh, principal.id, device, replaces)
            await audit(tx, principal, "session.open", principal.id, ip=device.ip)

        await self._store.write(unit)
        self._attempts.forgive(email_key(email))
        return principal, fresh
