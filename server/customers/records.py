"""What staff see of a customer: addresses (masked), notes, talks, and who may be the same person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from server.conversation import NotFound, Refused
from server.customers import masking
from server.sight import ALL, Sight
from server.store.contract import Event, Row, Store, Tx
from server.store.text import dump

TALKS: Final = 100  # conversations and episodes shown at once
MOST_ATTRIBUTES: Final = 30
CONTACT_CHARACTERS: Final = 6  # a shorter text makes nobody the same person
ALIKE: Final = ("email", "phone", "wa_id", "username")  # parts of a profile by which people are found again


@dataclass(frozen=True, slots=True)
class Line:
    """One customer of the list; times are epoch seconds."""

    id: str
    name: str
    said_at: float
    created_at: float
    banned_at: float | None
    conversations: int
    open_ones: int
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alike:
    """Somebody who may be the same person: ``proven`` by the shop, or by the same ``contact``."""

    id: str
    name: str
    basis: str


@dataclass(frozen=True, slots=True)
class Record:
    """Everything staff see of one customer."""

    customer: Row
    attributes: Mapping[str, str]
    identities: Sequence[Row]
    conversations: Sequence[Row]
    cases: Sequence[Row]
    tickets: Sequence[Row]
    leads: Sequence[Row]
    merges: Sequence[Row]
    alike: Sequence[Alike] = field(default=())


class Customers:
    """The customers of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def page(self, query: str, position: tuple[float, str], count: int, sight: Sight = ALL) -> list[Line]:
        """Customers before a position, who wrote last first; ``query`` is part of a name, an address or a profile."""
        at, row_id = position
        rows = await self._store.rows(
            "customers.page", tenant=self._tenant, at=at, id=row_id, count=count,
            pattern=pattern(query) if query.strip() else None,
            **sight.values(),
        )  # fmt: skip
        places: dict[str, list[str]] = {}
        ids = json.dumps([row["id"] for row in rows])
        for row in await self._store.rows("customers.channels", ids=ids, **sight.values()):
            places.setdefault(row["customer_id"], []).append(row["channel"])
        return [Line(**row, channels=tuple(places.get(row["id"], ()))) for row in rows]

    async def of_conversation(self, conversation_id: str) -> str:
        """Whose conversation it is; raises NotFound."""
        row = await self._store.row("customers.of_conversation", tenant=self._tenant, id=conversation_id)
        if row is None:
            raise NotFound("there is no such conversation; reload the list")
        return str(row["customer_id"])

    async def read(self, customer_id: str, sight: Sight = ALL) -> Record:
        """One customer, as far as somebody sees the inboxes; raises NotFound for unknown, erased and merged ones."""
        key = {"tenant": self._tenant, "id": customer_id}
        row = present(await self._store.row("customers.read", **key))
        seen: dict[str, str | int] = {**key, "count": TALKS, **sight.values()}
        talks = await self._store.rows("customers.conversations", **seen)
        identities = _seen(await self._store.rows("customers.identities", **key), talks, sight)
        cases = await self._store.rows("customers.cases", **seen)
        tickets = await self._store.rows("customers.tickets", **seen)
        leads = await self._store.rows("customers.leads", **seen)
        return Record(
            customer=row,
            attributes=json.loads(row["attributes"]),
            identities=identities,
            conversations=talks,
            cases=_of(cases, talks),
            tickets=_of(tickets, talks),
            leads=_of(leads, talks),
            merges=await self._store.rows("customers.merges", **key),
            alike=[] if sight.scope else await self._alike(customer_id, identities),
        )

    async def reveal(self, tx: Tx, customer_id: str, asked: str, sight: Sight = ALL) -> str:
        """One piece of contact data in clear; the caller writes the audit row. Raises NotFound."""
        key = {"tenant": self._tenant, "id": customer_id}
        present(await tx.row("customers.read", **key))
        seen: dict[str, str | int] = {**key, "count": TALKS, **sight.values()}
        talks = await tx.rows("customers.conversations", **seen)
        rows = _seen(await tx.rows("customers.identities", **key), talks, sight)
        lead = next((row for row in _of(await tx.rows("customers.leads", **seen), talks)
                     if asked == f"{row['id']}/contact"), None)  # fmt: skip
        if lead is not None:
            return str(lead["contact"])
        return masking.reveal({str(row["id"]): row for row in rows}, asked)

    async def describe(self, tx: Tx, customer_id: str, name: str, attributes: Mapping[str, str]) -> None:
        """Put staff's own words about a customer in place; raises NotFound, Refused."""
        if len(attributes) > MOST_ATTRIBUTES:
            raise Refused(f"a customer has at most {MOST_ATTRIBUTES} attributes; remove some")
        present(await tx.row("customers.lock", tenant=self._tenant, id=customer_id))
        await tx.run(
            "customers.describe", tenant=self._tenant, id=customer_id, name=name, attributes=dump(dict(attributes))
        )
        tell(tx, self._tenant, customer_id, "changed")

    async def _alike(self, customer_id: str, identities: Sequence[Row]) -> list[Alike]:
        """Who proved to be the same customer of the shop, then who shares a contact."""
        key = {"tenant": self._tenant, "id": customer_id}
        found: dict[str, Alike] = {}
        subjects = {str(row["subject"]) for row in await self._store.rows("customers.subjects", **key)}
        for subject in sorted(subjects | {masking.proven(row) for row in identities} - {""}):
            for row in await self._store.rows("customers.same_subject", **key, subject=subject):
                found.setdefault(row["id"], Alike(row["id"], row["name"], "proven"))
        for value in sorted(contacts_of(identities)):
            for row in await self._store.rows("customers.alike", **key, value=value, pattern=pattern(f'"{value}"')):
                found.setdefault(row["id"], Alike(row["id"], row["name"], "contact"))
        return list(found.values())


def present(row: Row | None) -> Row:
    """The row of somebody staff may see; raises NotFound."""
    if row is None or row["erased_at"] is not None:
        raise NotFound("there is no such customer, or the data was erased; reload the list")
    if row["merged_into"] is not None:
        raise NotFound("this customer was merged into another one; open that one")
    return row


def _seen(identities: Sequence[Row], talks: Sequence[Row], sight: Sight) -> Sequence[Row]:
    """Addresses of the inboxes somebody sees."""
    shown = {talk["identity_id"] for talk in talks}
    return [row for row in identities if row["id"] in shown] if sight.scope else identities


def _of(rows: Sequence[Row], talks: Sequence[Row]) -> Sequence[Row]:
    """What belongs to the conversations that are shown."""
    shown = {talk["id"] for talk in talks}
    return [row for row in rows if row["conversation_id"] in shown]


def contacts_of(identities: Sequence[Row]) -> set[str]:
    """Lower-case texts by which somebody is found again in another channel."""
    found = set()
    for identity in identities:
        profile = masking.profile_of(identity)
        found |= {profile.get(name, "").lower() for name in ALIKE}
        if identity["channel"] in {"whatsapp", "telegram"}:
            found.add(str(identity["address"]).lower())
    return {text for text in found if len(text) >= CONTACT_CHARACTERS}


def pattern(text: str) -> str:
    """A ``like`` pattern for part of a lower-cased text; letters that only one dialect can lower match any one."""
    lowered = "".join(f"\\{one}" if one in "\\%_" else one if one.isascii() else "_" for one in text.strip().lower())
    return f"%{lowered}%"


def tell(tx: Tx, tenant: str, customer_id: str, what: str, **more: Any) -> None:
    """Say to consoles that a customer is to be read again: changed, merged, unmerged, erased."""
    tx.emit(Event(tenant, "customer", {"customer": customer_id, "what": what, **more}))
