"""Labels of the shop, and which conversations carry them."""

from __future__ import annotations

from collections.abc import Sequence

from server.conversation import Refused
from server.desk.notes import lock_own
from server.ids import new_id
from server.store.contract import Tx


async def add(tx: Tx, tenant: str, name: str, colour: str) -> str:
    """A new label; returns its id, raises Refused for a name there is already."""
    label_id = new_id()
    row = await tx.row("inbox_desk.add_label", id=label_id, tenant=tenant, name=name, colour=colour, now=tx.now_s)
    if row is None:
        raise Refused("there is a label of this name; use it, or take another name")
    return label_id


async def carry(tx: Tx, tenant: str, conversation_id: str, labels: Sequence[str]) -> None:
    """Let a conversation carry exactly these labels; raises NotFound, and Refused for a label there is not."""
    timeline = await lock_own(tx, tenant, conversation_id)
    await tx.run("inbox_desk.clear_labels", id=conversation_id, tenant=tenant)
    chosen = list(dict.fromkeys(labels))
    for label_id in chosen:
        if not await tx.run("inbox_desk.put_label", id=conversation_id, tenant=tenant, label=label_id):
            raise Refused("there is no such label any more; reload the labels")
    timeline.emit("labels", {"labels": chosen}, audience="staff")
    await timeline.save(touch=False)
