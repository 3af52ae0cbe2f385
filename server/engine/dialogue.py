"""The call a conversation is filling in: read before a turn, changed in the commit of its ending."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from server.engine.record import Also
from server.lanes import Lease
from server.store.contract import Store, Tx
from server.store.text import dump
from server.tools.plans import Dialogue


async def read(store: Store, conversation_id: str) -> Dialogue:
    """What is known of the call so far; an empty one while none is due."""
    row = await store.row("engine.dialogue", conversation_id=conversation_id)
    return Dialogue(row["tool"], json.loads(row["slots"]), row["asked"], row["tries"]) if row else Dialogue()


def keep(lease: Lease, dialogue: Dialogue) -> Also:
    """Store what is known now, in the commit of an ending."""

    async def unit(tx: Tx) -> None:
        await tx.run(
            "engine.keep_dialogue",
            conversation_id=lease.key,
            tenant=lease.tenant,
            tool=dialogue.tool,
            slots=dump(dict(dialogue.slots)),
            asked=dialogue.asked,
            tries=dialogue.tries,
            now=tx.now_s,
        )

    return unit


def clear(lease: Lease) -> Also:
    """Forget the call, in the commit of an ending."""

    async def unit(tx: Tx) -> None:
        await tx.run("engine.clear_dialogue", conversation_id=lease.key)

    return unit


def after(lease: Lease, tool: str, slots: Mapping[str, Any], data: Mapping[str, Any]) -> Also:
    """What a call that ran leaves behind: the slot its result asks for (``data["ask"]``), or nothing."""
    asked = data.get("ask")
    return keep(lease, Dialogue(tool, slots, str(asked))) if asked else clear(lease)
