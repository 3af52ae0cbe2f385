"""Customers of the staff's bench: each with one address and a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping

from server.store.contract import Tx
from server.store.statements import load, parse
from tests.server.staff import Staff

QUERIES = """
-- name: prove
-- An address as its site or platform knows it.
update identity set address = :address, profile = :profile, verified = :verified where id = :id;
-- name: readdress
-- The same of its conversation.
update conversation set address = :address where identity_id = :id;
-- name: verify
-- A conversation that proved whose it is.
insert into verification (conversation_id, tenant, subject, contact, verified_at)
values (:id, 'shop', :subject, 'n…@example.com', 1.0);
-- name: silence
-- Nobody has had to do with a customer since then.
update conversation set updated_at = cast(:at as double precision) where customer_id = :id;
-- name: wait
-- Somebody waits for a person.
update conversation set status = 'waiting' where customer_id = :id;
-- name: audits
-- What is said of an action.
select * from audit where action = :action order by at, id;
-- name: aged
-- A customer of long ago.
update customer set created_at = cast(:at as double precision) where id = :id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("people_bench", QUERIES, dialect))


async def known(
    staff: Staff,
    name: str,
    *,
    channel: str = "web",
    texts: tuple[str, ...] = ("Where is my order?",),
    profile: Mapping[str, str] | None = None,
    address: str = "",
    verified: bool = False,
) -> str:
    """A customer ``c<name>`` with the address ``i<name>``; returns the conversation's id."""
    talk = await staff.talk(name, channel, texts=texts)
    told = json.dumps(dict(profile or {"email": f"{name}@example.com"}))

    async def unit(tx: Tx) -> None:
        await tx.run("people_bench.prove", id=f"i{name}", address=address or name, profile=told, verified=int(verified))
        await tx.run("people_bench.readdress", id=f"i{name}", address=address or name)

    await staff.store.write(unit)
    return talk


async def proven(staff: Staff, talk: str, subject: str) -> None:
    """The conversation proved by a code that it is this customer of the shop."""
    await staff.store.write(lambda tx: tx.run("people_bench.verify", id=talk, subject=subject))
