"""Taking examples back: what turned out wrong, or was excluded, trains nothing from then on."""

from __future__ import annotations

from server.store.contract import Row, Tx
from server.store.text import dump


async def of_message(tx: Tx, tenant: str, message_id: str, reason: str) -> int:
    """Withdraw what was made of an answer in the assistant's own words; returns how many examples that were."""
    found = await tx.rows("loop.withdraw_of_message", tenant=tenant, message_id=message_id)
    for row in found:
        await withdraw(tx, tenant, row, reason)
    return len(found)


async def before(tx: Tx, tenant: str, conversation_id: str, seq: int, reason: str) -> int:
    """Withdraw confirmed answers of the case in which a person was needed after all; returns how many."""
    found = await tx.rows("loop.confirmed_before", tenant=tenant, conversation_id=conversation_id, seq=seq)
    for row in found:
        await withdraw(tx, tenant, row, reason)
    return len(found)


async def withdraw(
    tx: Tx, tenant: str, example: Row, reason: str, *, by: str | None = None, status: str = "withdrawn"
) -> list[str]:
    """Take one example out; adapters that were trained on it are flagged, their names returned."""
    adapters: list[str] = []
    if example["status"] == "approved":
        await tx.run("loop.revoke", tenant=tenant, id=example["id"])
        for row in await tx.rows("loop.example_adapters", tenant=tenant, id=example["id"]):
            await tx.run("loop.flag_adapter", tenant=tenant, name=row["name"], reason="withdrawn", now=tx.now_s)
            adapters.append(row["name"])
    await tx.run(
        "loop.decide_example",
        tenant=tenant,
        id=example["id"],
        status=status,
        reasons=dump({"codes": [reason]}),
        decided_by=by,
        second_by=None,
        decided_at=tx.now_s,
        now=tx.now_s,
    )
    return adapters
