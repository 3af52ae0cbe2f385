"""The edge every message enters by: stored, numbered and queued in one commit, acknowledged only after it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from channels.message import Inbound
from config.settings import Settings
from server import lanes
from server.conversation import CustomerSaid, SignedOut
from server.crashpoint import reach
from server.ids import new_id
from server.store.contract import Conflict, Store, Tx
from server.telemetry import Metrics
from server.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of storage: what the message became; ``duplicate`` when the platform had delivered it before."""

    conversation_id: str
    message_id: str
    seq: int
    duplicate: bool


class _Elsewhere(Exception):
    """The address belongs to another conversation than the caller thinks; carries that one's id."""


class Gateway:
    """Accepts normalized messages of every channel."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._case_idle_s = settings.engine.case_idle_h * 3600
        self._metrics = metrics

    async def accept(self, inbound: Inbound) -> Receipt:
        """Store one message once; returns after the commit is on disk. Raises StoreUnavailable: answer 503."""
        message_id = new_id()

        async def unit(tx: Tx) -> Receipt:
            return await self._accept(tx, inbound, message_id, order)

        # a unit is independent only while its order names the very conversation that it locks
        order, known = inbound.conversation_id or inbound.address, bool(inbound.conversation_id)
        try:
            receipt = await self._store.write(unit, order=order, independent=known)
        except _Elsewhere as elsewhere:
            order = str(elsewhere)
            receipt = await self._store.write(unit, order=order)
        reach("accept_after_commit")
        if receipt.duplicate:
            self._metrics.duplicates.labels(inbound.channel).inc()
        else:
            self._metrics.messages_accepted.labels(inbound.channel).inc()
        return receipt

    async def _accept(self, tx: Tx, inbound: Inbound, message_id: str, order: str) -> Receipt:
        key = {
            "tenant": self._tenant,
            "channel": inbound.channel,
            "account": inbound.account,
            "external_id": inbound.external_id,
        }
        timeline = await self.open(tx, inbound)
        if inbound.conversation_id and timeline.id != order:
            raise _Elsewhere(timeline.id)
        if inbound.session_at is not None and inbound.session_at <= (timeline.signed_out_at or 0.0):
            raise SignedOut("the customer signed out of this conversation; start a new session")
        first = await tx.row(
            "conversations.seen_first", **key, conversation_id=timeline.id, message_id=message_id, now=tx.now_s
        )
        if first is None:
            known = await tx.row("conversations.seen_before", **key)
            if known is None:  # the first writer rolled back between our two statements; the platform asks again
                raise Conflict("this message id is being written by somebody else; send it again")
            return Receipt(known["conversation_id"], known["message_id"], known["seq"], duplicate=True)
        await timeline.change(CustomerSaid())
        idle_s = tx.now_s - timeline.said_at
        if timeline.case_id is None or idle_s > self._case_idle_s:
            await timeline.open_case()
        timeline.said_at = tx.now_s
        item_seq = await lanes.put(tx, self._tenant, "in", timeline.id, {"message_id": message_id})
        await timeline.say("customer", inbound.text, message_id=message_id, item_seq=item_seq, extra=inbound.echo)
        seq = timeline.seq
        await timeline.save()
        reach("accept_before_commit")
        return Receipt(timeline.id, message_id, seq, duplicate=False)

    async def open(self, tx: Tx, inbound: Inbound) -> Timeline:
        """Lock the conversation of an address, creating customer, identity and conversation on first contact."""
        address = {
            "tenant": self._tenant,
            "channel": inbound.channel,
            "account": inbound.account,
            "address": inbound.address,
        }
        row = await tx.row("conversations.lock_address", **address)
        if row is None:
            await self._create(tx, inbound, address)
            row = await tx.row("conversations.lock_address", **address)
        if row is None:
            raise Conflict("the conversation id of this address belongs to another one; start a new session")
        return Timeline(tx, row)

    async def _create(self, tx: Tx, inbound: Inbound, address: dict[str, str]) -> None:
        identity = await tx.row("conversations.identity_by_address", **address)
        identity_id, customer_id = new_id(), new_id()
        if identity is not None:
            identity_id, customer_id = identity["id"], identity["customer_id"]
        else:
            await tx.run(
                "conversations.create_customer",
                id=customer_id,
                tenant=self._tenant,
                name=inbound.name,
                now=tx.now_s,
            )
            created = await tx.row(
                "conversations.create_identity",
                **address,
                id=identity_id,
                customer_id=customer_id,
                verified=int(inbound.verified),
                profile=json.dumps(dict(inbound.profile)),
                now=tx.now_s,
            )
            if created is None:  # another process met this customer first; its conversation is there by now
                await tx.run("conversations.drop_customer", id=customer_id)
                return
        await tx.run(
            "conversations.create",
            **address,
            id=inbound.conversation_id or new_id(),
            identity_id=identity_id,
            customer_id=customer_id,
            language=inbound.profile.get("locale"),
            now=tx.now_s,
        )
