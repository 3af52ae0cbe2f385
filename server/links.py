"""One-time links: how the first admin, an invited colleague, or a forgotten password gets in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Access
from server.audit import audit
from server.auth.tokens import fingerprint, new_token
from server.routes import Principal, Role
from server.store.contract import Store, Tx

MINUTE_S = 60.0
INVITE_FACTOR = 24  # an invitation waits for somebody's mailbox, so it lives longer than a link printed on a screen


class LinkRefused(Exception):
    """The link would open a door that should stay shut; the message says which command helps instead."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to hand over; ``url`` is shown once, the token stands in its fragment and so in no log."""

    url: str
    purpose: str
    expires_at: float


async def guard_people(tx: Tx, tenant: str) -> None:
    """Hold the tenant's lock on people until the commit, so that admins can be counted."""
    await tx.run("people.guard", name=f"people:{tenant}", now=tx.now_s)


PEOPLE_ORDER = "~people"  # units that take this lock run after those that lock conversations: one order everywhere


class Links:
    """Makes one-time links of one tenant; ``clock`` is epoch seconds, ``public_url`` where people reach the console."""

    def __init__(
        self, store: Store, tenant: str, access: Access, public_url: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._life_s = access.link_minutes * MINUTE_S
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    async def setup(self, principal: Principal) -> Link:
        """A link that makes the first admin; raises LinkRefused when there is one."""
        link, token_hash = self._new("setup", self._life_s)

        async def unit(tx: Tx) -> None:
            await guard_people(tx, self._tenant)
            row = await tx.row("people.active_admins", tenant=self._tenant)
            if row is not None and row["number"]:
                raise LinkRefused("An admin exists already; make a password reset link for that address instead.")
            await self._add(tx, link, token_hash, Role.ADMIN)
            await audit(tx, principal, "link.setup", "first admin")

        await self._store.write(unit, order=PEOPLE_ORDER)
        return link

    async def invite(self, principal: Principal, email: str, role: Role, ip: str = "") -> Link:
        """A link that makes a person of ``role``; raises LinkRefused when the address is taken."""
        link, token_hash = self._new("invite", self._life_s * INVITE_FACTOR)

        async def unit(tx: Tx) -> None:
            await guard_people(tx, self._tenant)
            if await tx.row("people.by_email", tenant=self._tenant, email=email) is not None:
                raise LinkRefused("Somebody has this address already; change their role, or make a reset link.")
            await tx.run("people.drop_links", now=self._clock(), tenant=self._tenant, person_id=None, email=email)
            await self._add(tx, link, token_hash, role, email=email)
            await audit(tx, principal, "person.invite", email, {"role": role.value}, ip)

        await self._store.write(unit, order=PEOPLE_ORDER)
        return link

    async def reset(self, principal: Principal, email: str, ip: str = "") -> Link:
        """A link that sets a new password for a known, active person; raises LinkRefused for others."""
        link, token_hash = self._new("reset", self._life_s)

        async def unit(tx: Tx) -> None:
            await guard_people(tx, self._tenant)
            row = await tx.row("people.by_email", tenant=self._tenant, email=email)
            if row is None or row["disabled_at"] is not None:
                raise LinkRefused("Nobody with this address can sign in; invite them, or enable the account first.")
            await tx.run("people.drop_links", now=self._clock(), tenant=self._tenant, person_id=row["id"], email=None)
            await self._add(tx, link, token_hash, Role(row["role"]), person_id=row["id"], email=email)
            await audit(tx, principal, "person.reset", row["id"], ip=ip)

        await self._store.write(unit, order=PEOPLE_ORDER)
        return link

    def _new(self, purpose: str, life_s: float) -> tuple[Link, str]:
        token = new_token()
        link = Link(f"{self._public_url}/console/setup#{token}", purpose, self._clock() + life_s)
        return link, fingerprint(token)

    async def _add(
        self,
        tx: Tx,
        link: Link,
        token_hash: str,
        role: Role,
        *,
        person_id: str | None = None,
        email: str | None = None,
    ) -> None:
        await tx.run(
            "people.add_link",
            token_hash=token_hash,
            tenant=self._tenant,
            purpose=link.purpose,
            role=role.value,
            person_id=person_id,
            email=email,
            now=self._clock(),
            expires_at=link.expires_at,
        )


async def create_setup_link(
    store: Store, tenant: str, access: Access, public_url: str, *, actor: str, reset_email: str = ""
) -> Link:
    """The link the command line prints: the first admin's, or a password reset when ``reset_email`` is given.

    ``actor`` names who ran the command, for the audit. Raises LinkRefused when an admin exists and no reset is asked.
    """
    links = Links(store, tenant, access, public_url)
    principal = Principal(tenant, "cli", actor, Role.ADMIN)
    if reset_email:
        return await links.reset(principal, reset_email.strip().lower())
    return await links.setup(principal)
