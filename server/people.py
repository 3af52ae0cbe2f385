"""The people of the desk: how they come in through a link, and how an admin changes what they may do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.audit import audit
from server.auth.login import person_principal
from server.auth.passwords import Passwords, password_fault
from server.auth.sessions import Device, NewSession, SecondStep, Sessions
from server.auth.tokens import fingerprint
from server.ids import new_id
from server.links import PEOPLE_ORDER, guard_people
from server.problems import Problem
from server.routes import Principal, Role
from server.store.contract import Conflict, Row, Store, Tx


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What somebody typed behind a one-time link; name and email may be empty where the link knows them."""

    token: str
    name: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a link will do, decided before its unit runs."""

    token_hash: str
    purpose: str
    person: Row  # id, name, email, role
    password_hash: str


class People:
    """The people of one tenant; ``clock`` is epoch seconds."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        passwords: Passwords,
        sessions: Sessions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._passwords = passwords
        self._sessions = sessions
        self._clock = clock

    async def all(self) -> Sequence[Row]:
        """Everybody, the longest known first."""
        return await self._store.rows("people.all", tenant=self._tenant)

    async def one(self, person_id: str) -> Row:
        """One person's row; raises a 404 problem."""
        row = await self._store.row("people.by_id", tenant=self._tenant, id=person_id)
        if row is None:
            raise _nobody()
        return row

    async def look(self, token: str) -> Row:
        """What an unused link is for: purpose, role, email, name; raises a 410 problem for any other token."""
        row = await self._store.row(
            "people.open_link", token_hash=fingerprint(token), tenant=self._tenant, now=self._clock()
        )
        if row is None:
            raise _gone()
        name = ""
        if row["person_id"]:
            name = (await self.one(row["person_id"]))["name"]
        return {**row, "name": name}

    async def redeem(self, newcomer: Newcomer, device: Device) -> tuple[Principal, NewSession]:
        """Use a link exactly once and sign its person in.

        Raises SecondStep where that needs more than a password, 410 for a used or expired link, 422 for what was typed,
        409 when the address is taken.
        """
        plan = await self._plan(newcomer)
        fresh = self._sessions.fresh()
        principal = person_principal(self._tenant, plan.person)

        async def unit(tx: Tx) -> str:
            await guard_people(tx, self._tenant)
            used = await tx.run("people.use_link", token_hash=plan.token_hash, tenant=self._tenant, now=self._clock())
            if not used:
                raise _gone()
            if plan.purpose == "reset":
                await self._reset(tx, plan)
            else:
                await self._add(tx, plan)
            step = await self._sessions.begin(tx, fresh, principal, device)
            await audit(tx, principal, f"link.{plan.purpose}.used", principal.id, ip=device.ip)
            return step

        try:
            step = await self._store.write(unit, order=PEOPLE_ORDER)
        except Conflict:
            raise _taken() from None
        if step:
            raise SecondStep(fresh.cookie, step)
        return principal, fresh

    async def _plan(self, newcomer: Newcomer) -> _Plan:
        """Check what was typed against what the link allows; the slow hash comes last."""
        link = await self.look(newcomer.token)
        if link["purpose"] == "reset":
            person = await self.one(link["person_id"])
        else:
            email = link["email"] or newcomer.email
            if newcomer.email not in {"", email}:
                raise _typed("email", f"this invitation is for {email}; leave the address as it is")
            if not email or not newcomer.name:
                raise _typed("name" if email else "email", "is needed")
            if await self._store.row("people.by_email", tenant=self._tenant, email=email) is not None:
                raise _taken()
            person = {"id": new_id(), "name": newcomer.name, "email": email, "role": link["role"]}
        fault = password_fault(newcomer.password, person["email"])
        if fault:
            raise _typed("password", fault)
        password_hash = await self._passwords.hash(newcomer.password)
        return _Plan(fingerprint(newcomer.token), link["purpose"], person, password_hash)

    async def _add(self, tx: Tx, plan: _Plan) -> None:
        if plan.purpose == "setup" and await self._admins(tx):
            raise _gone()  # somebody else became the first admin meanwhile
        await tx.run(
            "people.add",
            id=plan.person["id"],
            tenant=self._tenant,
            email=plan.person["email"],
            name=plan.person["name"],
            role=plan.person["role"],
            password_hash=plan.password_hash,
            now=self._clock(),
        )

    async def _reset(self, tx: Tx, plan: _Plan) -> None:
        """A new password ends every session: whoever had the old one is out."""
        row = await tx.row("people.by_id", tenant=self._tenant, id=plan.person["id"])
        if row is None or row["disabled_at"] is not None:
            raise _gone()
        await tx.run("people.set_password", tenant=self._tenant, id=row["id"], password_hash=plan.password_hash)
        await tx.run("access.end_sessions", person_id=row["id"])
        await tx.run("second.end_sign_ins", tenant=self._tenant, person_id=row["id"])

    async def change(
        self, principal: Principal, person_id: str, *, role: Role | None, disabled: bool | None, ip: str
    ) -> Row:
        """Set role and disabled state; raises 404, and 409 when it would leave nobody to administer."""

        async def unit(tx: Tx) -> Row:
            await guard_people(tx, self._tenant)
            row = await tx.row("people.by_id", tenant=self._tenant, id=person_id)
            if row is None:
                raise _nobody()
            new_role = role or Role(row["role"])
            off = row["disabled_at"] is not None if disabled is None else disabled
            disabled_at = (row["disabled_at"] or self._clock()) if off else None
            await tx.run(
                "people.set_access", tenant=self._tenant, id=person_id, role=new_role.value, disabled_at=disabled_at
            )
            if not await self._admins(tx):
                detail = "This is the last admin who can sign in; make somebody else admin first."
                raise Problem(409, "Last admin", detail)
            if off:
                await tx.run("access.end_sessions", person_id=person_id)
                await tx.run("second.end_sign_ins", tenant=self._tenant, person_id=person_id)
                await tx.run(
                    "people.drop_links", now=self._clock(), tenant=self._tenant, person_id=person_id, email=None
                )
            await audit(tx, principal, "person.change", person_id, {"role": new_role.value, "disabled": off}, ip)
            return {**row, "role": new_role.value, "disabled_at": disabled_at}

        return await self._store.write(unit, order=PEOPLE_ORDER)

    async def _admins(self, tx: Tx) -> int:
        row = await tx.row("people.active_admins", tenant=self._tenant)
        return int(row["number"]) if row is not None else 0


def _nobody() -> Problem:
    return Problem(404, "Nobody", "There is no such person; reload the list.")


def _gone() -> Problem:
    detail = "This link was used, has expired, or never existed. Ask an admin for a new one."
    return Problem(410, "Link not valid", detail, more={"code": "link"})


def _taken() -> Problem:
    detail = "Somebody with this email has an account already; sign in, or ask for a reset."
    return Problem(409, "Address taken", detail, more={"code": "taken"})


def _typed(field: str, message: str) -> Problem:
    return Problem(422, "Invalid input", f"{field}: {message}", more={"errors": [{"field": field, "message": message}]})
