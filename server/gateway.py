"""The edge every message enters by: stored, numbered and queued in one commit, acknowledged only after it."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from channels.base import pulls
from channels.message import Attachment, Inbound
from config.settings import Settings
from server import lanes
from server.conversation import CustomerSaid, NotFound, PersonAsked, Reason, SignedOut, Status
from server.crashpoint import reach
from server.engine.words import asks_for_person
from server.ids import new_id
from server.store.contract import Conflict, Row, Store, Tx
from server.store.text import dump
from server.surveys.scoring import typed
from server.telemetry import Metrics
from server.timeline import Timeline

KNOWN = 10_000  # addresses whose conversation this process remembers; a forgotten one only costs a little speed
FOLLOWS_S = 1.0  # platforms give times in whole seconds; a follow-up comes after what it follows
LATE_S = 60.0  # a message older than this when it comes is stored with its own time
_sorted = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of storage: what the message became; ``duplicate`` when the platform had delivered it before."""

    conversation_id: str
    message_id: str
    seq: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What this process last saw of an address: its conversation, and what the platform said of the customer."""

    conversation_id: str
    facts: tuple[str, str]  # name, profile as JSON


class _Elsewhere(Exception):
    """The address belongs to another conversation than the caller thinks; carries that one's id."""


class Gateway:
    """Accepts normalized messages of every channel."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._surveys = settings.surveys
        self._case_idle_s = settings.engine.case_idle_h * 3600
        self._metrics = metrics
        self._known: OrderedDict[tuple[str, str, str], _Known] = OrderedDict()

    async def accept(self, inbound: Inbound, *, allowed: bool | None = None) -> Receipt:
        """Store one message once; returns after the commit is on disk. Raises StoreUnavailable: answer 503.

        ``allowed`` is for a message that forbids or allows answers (STOP, START): it is stored, but never answered.
        Raises NotFound for a follow-up in a conversation that does not exist.
        """
        (receipt,) = await self.accept_all([inbound], allowed=allowed)
        if receipt is None:
            raise NotFound("nobody talks to us at this address, so its follow-up is not ours")
        return receipt

    async def accept_all(self, messages: Sequence[Inbound], *, allowed: bool | None = None) -> Sequence[Receipt | None]:
        """Store messages of one address in their order, in one commit; None for follow-ups that are not ours."""
        first = messages[0]
        place = (first.channel, first.account, first.address)
        ids = [new_id() for _ in messages]
        known = self._known.get(place)
        # a unit is independent only while its order names the very conversation that it locks
        expected = first.conversation_id or (known.conversation_id if known else "")

        async def unit(tx: Tx) -> list[Receipt | None]:
            facts = known.facts if known else None
            return [
                await self._accept(tx, inbound, message_id, expected, facts, allowed=allowed)
                for inbound, message_id in zip(messages, ids, strict=True)
            ]

        try:
            receipts = await self._store.write(unit, order=expected or first.address, independent=bool(expected))
        except _Elsewhere as elsewhere:
            order, expected = str(elsewhere), ""
            receipts = await self._store.write(unit, order=order)
        reach("accept_after_commit")
        self._note(place, messages[-1], receipts)
        return receipts

    def _note(self, place: tuple[str, str, str], last: Inbound, receipts: Sequence[Receipt | None]) -> None:
        """Count what came, and remember where the next message of this address goes."""
        for receipt in filter(None, receipts):
            figure = self._metrics.duplicates if receipt.duplicate else self._metrics.messages_accepted
            figure.labels(last.channel).inc()
        if receipts[-1] is not None and not receipts[-1].duplicate:
            self._known[place] = _Known(receipts[-1].conversation_id, _facts(last))
            self._known.move_to_end(place)
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)

    async def _accept(
        self,
        tx: Tx,
        inbound: Inbound,
        message_id: str,
        expected: str,
        facts: tuple[str, str] | None = None,
        *,
        allowed: bool | None = None,
    ) -> Receipt | None:
        row = await self._lock(tx, inbound)
        if row is None:
            forgotten = await self.forgotten(tx, inbound.channel, inbound.account, inbound.external_id)
            return Receipt("", "", 0, duplicate=True) if forgotten else None
        timeline = Timeline(tx, row)
        if expected and timeline.id != expected:
            raise _Elsewhere(timeline.id)
        if inbound.session_at is not None and inbound.session_at <= (timeline.signed_out_at or 0.0):
            raise SignedOut("the customer signed out of this conversation; start a new session")
        known = await self.seen(tx, inbound.channel, inbound.account, inbound.external_id, timeline.id, message_id)
        if known is not None:
            return known
        if not pulls(inbound.channel):
            await self._follow(tx, timeline, row["customer_id"], inbound, facts)
        if allowed is not None:
            timeline.opted_out_at = None if allowed else timeline.opted_out_at or tx.now_s
            if not allowed:  # an answer being written ends at once, and so does what is shown of it
                tx.notify("control", json.dumps({"conversation": timeline.id, "do": "owner"}))
        heard = timeline.opted_out_at is None and timeline.banned_at is None
        told = await self._surveyed(tx, timeline, inbound) if allowed is None and heard else ""
        await self._say(tx, timeline, inbound, message_id, answered=allowed is None and heard and not told)
        seq = timeline.seq
        if told:
            await timeline.say("notice", told, by_staff=True)
        await timeline.save()
        reach("accept_before_commit")
        return Receipt(timeline.id, message_id, seq, duplicate=False)

    async def _surveyed(self, tx: Tx, timeline: Timeline, inbound: Inbound) -> str:
        """What to answer where a message is a score or its reason; '' where it is a message like any other."""
        rules, status = self._surveys, timeline.state.status
        asks = rules.csat or rules.nps_days
        over = status is Status.CLOSED or (status is Status.BOT and rules.idle_minutes)
        if not (asks and over) or inbound.attachments or inbound.wants_person or asks_for_person(inbound.text):
            return ""
        return await typed(tx, timeline, inbound.text, rules)

    async def seen(
        self, tx: Tx, channel: str, account: str, external_id: str, conversation_id: str, message_id: str
    ) -> Receipt | None:
        """Remember an id of the platform inside a unit; None when it is new, else what it became. Raises Conflict."""
        key = {"tenant": self._tenant, "channel": channel, "account": account, "external_id": external_id}
        key["blind"] = blind(external_id)
        first = await tx.row(
            "conversations.seen_first", **key, conversation_id=conversation_id, message_id=message_id, now=tx.now_s
        )
        if first is not None:
            return None
        known = await tx.row("conversations.seen_before", **key)
        if known is None:  # the first writer rolled back between our two statements; the platform asks again
            raise Conflict("this message id is being written by somebody else; send it again")
        return Receipt(known["conversation_id"], known["message_id"], known["seq"], duplicate=True)

    async def forgotten(self, tx: Tx, channel: str, account: str, external_id: str) -> bool:
        """Whether this id of the platform belonged to somebody who was erased: its repetition begins nothing."""
        key = {"tenant": self._tenant, "channel": channel, "account": account}
        return await tx.row("erasing.known_blind", **key, blind=blind(external_id)) is not None

    async def _say(self, tx: Tx, timeline: Timeline, inbound: Inbound, message_id: str, *, answered: bool) -> None:
        """Open a case where need be, queue the message for an answer, number and announce it with its files."""
        late = not pulls(inbound.channel) and tx.now_s - inbound.sent_at > LATE_S
        item_seq = None
        if answered:
            await timeline.change(CustomerSaid())
            if timeline.case_id is None or tx.now_s - timeline.said_at > self._case_idle_s:
                await timeline.open_case()
            if inbound.wants_person or (not pulls(inbound.channel) and asks_for_person(inbound.text)):
                await timeline.change(PersonAsked(Reason.CUSTOMER_ASKED, tx.now_s))
            item_seq = await lanes.put(tx, self._tenant, "in", timeline.id, {"message_id": message_id})
        timeline.said_at = max(timeline.said_at, inbound.sent_at) if late else tx.now_s
        extra: dict[str, Any] = dict(inbound.echo)
        if late:
            extra["sent_at"] = inbound.sent_at
        files = [new_id() for _ in inbound.attachments]
        if files:
            extra["attachments"] = [_shown(*pair) for pair in zip(inbound.attachments, files, strict=True)]
        await timeline.say("customer", inbound.text, message_id=message_id, item_seq=item_seq, extra=extra)
        for number, (attachment, file_id) in enumerate(zip(inbound.attachments, files, strict=True)):
            await tx.run(
                "media.add",
                id=file_id,
                tenant=self._tenant,
                conversation_id=timeline.id,
                message_id=message_id,
                number=number,
                source=dump(asdict(attachment)),
                now=tx.now_s,
            )

    @staticmethod
    async def _follow(
        tx: Tx, timeline: Timeline, customer_id: str, inbound: Inbound, facts: tuple[str, str] | None
    ) -> None:
        """Keep up with the platform: where to answer, how the customer is called; whoever writes blocks us no more."""
        timeline.blocked_at = None
        if inbound.route:
            timeline.route = dict(inbound.route)
        name, profile = _facts(inbound)
        if (name, profile) == facts:
            return
        if inbound.profile:
            await tx.run("channels.profile", id=timeline.identity_id, profile=profile)
        if name:
            await tx.run("channels.rename", id=customer_id, name=name)

    async def open(self, tx: Tx, inbound: Inbound) -> Timeline:
        """Lock the conversation of an address, creating customer, identity and conversation on first contact."""
        row = await self._lock(tx, inbound)
        if row is None:
            raise NotFound("nobody talks to us at this address, so its follow-up is not ours")
        return Timeline(tx, row)

    async def _lock(self, tx: Tx, inbound: Inbound) -> Row | None:
        """The locked row of an address, made on first contact; None where a follow-up follows nothing of ours."""
        address = {
            "tenant": self._tenant,
            "channel": inbound.channel,
            "account": inbound.account,
            "address": inbound.address,
        }
        row = await tx.row("conversations.lock_address", **address)
        if inbound.follow_up and (row is None or inbound.sent_at < row["created_at"] - FOLLOWS_S):
            return None
        if row is None and await self.forgotten(tx, inbound.channel, inbound.account, inbound.external_id):
            return None
        if row is None:
            await self._create(tx, inbound, address)
            row = await tx.row("conversations.lock_address", **address)
        if row is None:
            raise Conflict("the conversation id of this address belongs to another one; start a new session")
        return row

    async def _create(self, tx: Tx, inbound: Inbound, address: Mapping[str, str]) -> None:
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
                profile=_facts(inbound)[1],
                now=tx.now_s,
            )
            if created is None:  # another process met this customer first; its conversation is there by now
                await tx.run("conversations.drop_customer", id=customer_id)
                return
        began_at = tx.now_s if pulls(inbound.channel) or inbound.sent_at <= 0 else min(tx.now_s, inbound.sent_at)
        await tx.run(
            "conversations.create",
            **address,
            id=inbound.conversation_id or new_id(),
            identity_id=identity_id,
            customer_id=customer_id,
            language=inbound.profile.get("locale"),
            now=began_at,
        )


def blind(external_id: str) -> str:
    """What stays of a platform's id when its customer is erased: enough to know its repetition, nothing to read."""
    return f"erased:{hashlib.sha256(external_id.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _facts(inbound: Inbound) -> tuple[str, str]:
    return inbound.name, _sorted(dict(inbound.profile))


def _shown(attachment: Attachment, file_id: str) -> dict[str, Any]:
    """An attachment as the message holds it; the platform's own addresses stay inside the media table."""
    shown = asdict(attachment)
    del shown["url"], shown["ref"]
    return {"id": file_id, **{name: value for name, value in shown.items() if value not in {"", None, False}}}
