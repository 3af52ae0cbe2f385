"""Two customers who are one person, and the way back.

A merge moves addresses with their conversations; it never makes anybody more verified than they were: what personal
tools may tell depends on each conversation's own proof. Customers who proved to be different customers of the shop are
never merged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from server.conversation import NotFound, Refused
from server.customers import masking
from server.customers.records import contacts_of, present, tell
from server.ids import new_id
from server.store.contract import Row, Tx

PROVEN: Final = "proven"
CONTACT: Final = "contact"
PERSON: Final = "person"


async def merge(tx: Tx, tenant: str, kept_id: str, merged_id: str, by: str) -> str:
    """Let ``merged_id``'s addresses belong to ``kept_id``; returns the id of the merge.

    Raises NotFound, and Refused where the shop proved them to be different persons.
    """
    if kept_id == merged_id:
        raise Refused("a customer cannot be merged with themselves; choose another one")
    for one in sorted((kept_id, merged_id)):  # always in one order, so that two merges never wait for each other
        present(await tx.row("customers.lock", tenant=tenant, id=one))
    kept = await tx.rows("customers.identities", tenant=tenant, id=kept_id)
    moved = await tx.rows("customers.identities", tenant=tenant, id=merged_id)
    basis = await _basis(tx, tenant, (kept_id, kept), (merged_id, moved))
    for identity in moved:
        await _move(tx, tenant, str(identity["id"]), kept_id)
    await tx.run("customers.merged_into", tenant=tenant, id=merged_id, into=kept_id)
    merge_id = new_id()
    await tx.run(
        "customers.add_merge", id=merge_id, tenant=tenant, kept=kept_id, merged=merged_id,
        identities=json.dumps([str(row["id"]) for row in moved]), basis=basis, by=by, now=tx.now_s,
    )  # fmt: skip
    tell(tx, tenant, kept_id, "merged", other=merged_id)
    return merge_id


async def unmerge(tx: Tx, tenant: str, merge_id: str, by: str) -> tuple[str, str]:
    """Give the addresses back that a merge moved; returns who was kept and who stands alone again.

    Addresses that came since stay. Raises NotFound, and Refused while a later merge lies above it.
    """
    row = await tx.row("customers.lock_merge", tenant=tenant, id=merge_id)
    if row is None:
        raise NotFound("there is no such merge, or it was undone already; reload the customer")
    kept_id, merged_id = str(row["kept_id"]), str(row["merged_id"])
    for one in sorted((kept_id, merged_id)):
        await tx.row("customers.lock", tenant=tenant, id=one)
    later = await tx.row("customers.later_merges", tenant=tenant, id=kept_id)
    if later is not None and later["n"]:
        raise Refused("the customer was merged into another one since; undo that merge first")
    held = {str(each["id"]) for each in await tx.rows("customers.identities", tenant=tenant, id=kept_id)}
    for identity_id in json.loads(row["identities"]):
        if identity_id in held:
            await _move(tx, tenant, identity_id, merged_id)
    await tx.run("customers.stand_alone", tenant=tenant, id=merged_id)
    await tx.run("customers.undo_merge", tenant=tenant, id=merge_id, by=by, now=tx.now_s)
    tell(tx, tenant, kept_id, "unmerged", other=merged_id)
    return kept_id, merged_id


async def _move(tx: Tx, tenant: str, identity_id: str, to: str) -> None:
    await tx.run("customers.move_examples", tenant=tenant, id=identity_id, to=to)
    await tx.run("customers.move_surveys", tenant=tenant, id=identity_id, to=to)
    await tx.run("customers.move_conversations", tenant=tenant, id=identity_id, to=to)
    await tx.run("customers.move_identity", tenant=tenant, id=identity_id, to=to)


async def _basis(tx: Tx, tenant: str, kept: tuple[str, Sequence[Row]], moved: tuple[str, Sequence[Row]]) -> str:
    """On what ground they are one: proven, the same contact, or a person's word. Raises Refused."""
    subjects = []
    for customer_id, identities in (kept, moved):
        rows = await tx.rows("customers.subjects", tenant=tenant, id=customer_id)
        subjects.append({str(row["subject"]) for row in rows} | {masking.proven(one) for one in identities} - {""})
    first, second = subjects
    if first and second and not first & second:
        raise Refused("both proved who they are, and they are different customers of the shop")
    if first & second:
        return PROVEN
    return CONTACT if contacts_of(kept[1]) & contacts_of(moved[1]) else PERSON
