"""What platforms tell besides messages, as units over a locked conversation.

A customer changed their words, forbade messages, blocked us, got another chat id; staff answered from the phone. Every
unit may be repeated: told again, it changes nothing.
"""

from __future__ import annotations

import json
from typing import Final

import structlog

from channels.message import Blocked, Consent, Echoed, Edited, Inbound, Moved
from server.conversation import DEVICE, Claimed, Closed, Refused
from server.gateway import Gateway
from server.ids import new_id
from server.outbox import rows
from server.store.contract import Event, Tx
from server.store.text import dump
from server.timeline import Timeline

log = structlog.get_logger()

BLOCKER: Final = "customer"  # who closed a conversation by blocking us


async def at(tx: Tx, tenant: str, channel: str, account: str, address: str) -> Timeline | None:
    """The locked conversation of an address, None where nobody wrote to us yet."""
    row = await tx.row("conversations.lock_address", tenant=tenant, channel=channel, account=account, address=address)
    return Timeline(tx, row) if row is not None else None


async def edited(tx: Tx, tenant: str, fact: Edited) -> bool:
    """Take in changed words; an answer being written to the old ones is aborted and fenced. Returns whether new."""
    timeline = await at(tx, tenant, fact.channel, fact.account, fact.address)
    key = {"tenant": tenant, "channel": fact.channel, "account": fact.account, "external_id": fact.external_id}
    message = await tx.row("channels.message_of", **key)
    if timeline is None or message is None or message["conversation_id"] != timeline.id:
        return False
    old = message["text"] == fact.text or (message["edited_at"] or 0.0) > fact.edited_at
    if old:
        return False
    answered = message["item_seq"] is None or message["item_seq"] <= timeline.covered
    body = json.loads(message["body"])
    if answered:  # what the answer answered must stay readable beside it
        body.setdefault("answered_text", message["text"])
    await tx.run("channels.edit", id=message["id"], text=fact.text, body=dump(body), edited_at=fact.edited_at)
    shown = {"id": message["id"], "text": fact.text, "edited_at": fact.edited_at, "answered": answered}
    timeline.emit("message_edited", shown)
    if not answered:
        timeline.edits += 1
        tx.notify("control", json.dumps({"conversation": timeline.id, "do": "more"}))
    await timeline.save()
    return True


async def consent(tx: Tx, tenant: str, fact: Consent) -> None:
    """Remember that the customer forbade or allowed messages, without a message that says so."""
    timeline = await at(tx, tenant, fact.channel, fact.account, fact.address)
    if timeline is None or fact.allowed == (timeline.opted_out_at is None):
        return
    timeline.opted_out_at = None if fact.allowed else tx.now_s
    if not fact.allowed:
        tx.notify("control", json.dumps({"conversation": timeline.id, "do": "owner"}))
    await timeline.save()


async def blocked(tx: Tx, tenant: str, fact: Blocked) -> None:
    """A block closes the conversation and its case, and nothing is sent any more; the end of one only allows it."""
    timeline = await at(tx, tenant, fact.channel, fact.account, fact.address)
    if timeline is None or fact.blocked == (timeline.blocked_at is not None):
        return
    timeline.blocked_at = tx.now_s if fact.blocked else None
    if fact.blocked:
        try:
            await timeline.change(Closed(BLOCKER))
        except Refused:
            log.debug("blocked_when_closed", conversation=timeline.id)
        await timeline.end_drafts("withdrawn")
        await timeline.close_case(BLOCKER)
        tx.notify("control", json.dumps({"conversation": timeline.id, "do": "owner"}))
    await timeline.save()


async def moved(tx: Tx, tenant: str, fact: Moved) -> bool:
    """Let a conversation go on under the chat's new id; where that one has its own conversation, both stay."""
    timeline = await at(tx, tenant, fact.channel, fact.account, fact.address)
    if timeline is None:
        return False
    other = await at(tx, tenant, fact.channel, fact.account, fact.to_address)
    await timeline.move(fact.to_address, fact.route or timeline.route)
    await timeline.save()
    if other is not None:
        why = "the chat's new id has a conversation of its own, so the old one stays beside it"
        log.warning("chat_moved_beside", conversation=timeline.id, other=other.id, channel=fact.channel, reason=why)
        body = {"channel": fact.channel, "account": fact.account, "state": "moved", "reason": why}
        tx.emit(Event(tenant, "account", {**body, "conversations": [timeline.id, other.id]}))
    return other is None


async def echoed(tx: Tx, gateway: Gateway, tenant: str, fact: Echoed) -> bool:
    """Put into the history what staff wrote from another device, and claim the conversation for them, once."""
    place = (fact.channel, fact.account)
    if await rows.by_provider(tx, tenant, *place, fact.external_id) is not None:
        return False  # our own message, told back to us
    if await gateway.forgotten(tx, *place, fact.external_id):
        return False  # of a customer who was erased since
    first = Inbound(*place, fact.address, fact.external_id, "", fact.sent_at)
    timeline, message_id = await gateway.open(tx, first), new_id()
    if await gateway.seen(tx, *place, fact.external_id, timeline.id, message_id) is not None:
        return False
    try:
        await timeline.change(Claimed(DEVICE))
    except Refused:
        log.debug("echo_without_claim", conversation=timeline.id, status=timeline.state.status)
    await timeline.end_drafts("withdrawn")
    if timeline.case_id is None:
        await timeline.open_case()
    await timeline.say("staff", fact.text, message_id=message_id, author=DEVICE, send=False)
    tx.notify("control", json.dumps({"conversation": timeline.id, "do": "owner"}))
    await timeline.save()
    return True
