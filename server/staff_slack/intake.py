"""What staff do in Slack, taken in: durable before it is acknowledged, once however often it is told."""

from __future__ import annotations

import json
from typing import Final

from channels.message import StaffActed
from server import lanes
from server.staff_slack.contract import ACTS
from server.store.contract import Conflict, Tx

UNDER_WAY_S: Final = 60.0  # after its first try a root that is not recorded may still be there


async def take(tx: Tx, tenant: str, fact: StaffActed) -> bool:
    """Take an act in inside a unit; False for threads that are none of ours and for what is known already.

    Raises Conflict while a root message stands in Slack whose ts is not stored yet: it may be the one that is meant.
    """
    place = {"tenant": tenant, "account": fact.account}
    thread = await tx.row("staff_slack.at", room=fact.room, root=fact.thread, **place)
    if thread is None:
        if await tx.row("staff_slack.under_way", room=fact.room, since=tx.now_s - UNDER_WAY_S, **place) is not None:
            raise Conflict("a thread of this channel is just being made; tell it again")
        # PostgreSQL reads each time what is committed by then: between the two looks the root may have been recorded
        thread = await tx.row("staff_slack.at", room=fact.room, root=fact.thread, **place)
    if thread is None:
        return False
    body = json.dumps({"user": fact.user, "text": fact.text, "action": fact.action, "ours": fact.ours})
    key = {**place, "external_id": fact.external_id}
    if (
        await tx.row("staff_slack.act", conversation_id=thread["conversation_id"], body=body, now=tx.now_s, **key)
        is None
    ):
        return False
    item = {"account": fact.account, "act": fact.external_id}
    await lanes.put(tx, tenant, ACTS, thread["conversation_id"], item)
    return True
