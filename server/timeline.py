"""Writing into one conversation: its row is locked, changes collect in memory, events take its next sequences.

Every unit that touches a conversation goes through here, so the lock order (conversation, then its lanes) and the
event sequence are right in one place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from channels.base import pulls
from server.conversation import Event as Fact
from server.conversation import NotFound, State, Status, apply
from server.ids import new_id
from server.outbox import rows
from server.store.contract import Event, Row, Tx, Value
from server.store.text import dump

SPEAKS: dict[str, rows.Author] = {"assistant": "bot", "notice": "bot", "staff": "staff"}  # roles the customer hears


class Timeline:
    """A locked conversation inside one unit; call :meth:`save` last."""

    def __init__(self, tx: Tx, row: Row) -> None:
        self.tx = tx
        self.id: str = row["id"]
        self.tenant: str = row["tenant"]
        self.channel: str = row["channel"]
        self.account: str = row["account"]
        self.state = state_of(row)
        self.seq: int = row["seq"]
        self.covered: int = row["covered"]
        self.stop_seq: int = row["stop_seq"]
        self.notice_seq: int = row["notice_seq"]
        self.notice_at: float | None = row["notice_at"]
        self.busy_seq: int = row["busy_seq"]
        self.language: str = row["language"] or "en"
        self.case_id: str | None = row["case_id"]
        self.updated_at: float = row["updated_at"]
        self.said_at: float = row["said_at"]
        self.signed_out_at: float | None = row["signed_out_at"]
        self.address: str = row["address"]
        self.identity_id: str = row["identity_id"]
        self.route: dict[str, str] = json.loads(row["route"])
        self.edits: int = row["edits"]
        self.opted_out_at: float | None = row["opted_out_at"]
        self.blocked_at: float | None = row["blocked_at"]
        self.banned_at: float | None = row["banned_at"]  # set by staff: nothing they write is answered

    def emit(self, kind: str, body: Mapping[str, Any], *, audience: str = "customer") -> int:
        """Append an event and return its sequence."""
        self.seq += 1
        self.tx.emit(Event(self.tenant, kind, {"seq": self.seq, **body}, self.id, self.seq, audience))
        return self.seq

    async def say(
        self,
        role: str,
        text: str,
        *,
        message_id: str | None = None,
        item_seq: int | None = None,
        author: str | None = None,
        turn_id: str | None = None,
        release_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
        draft_seq: int | None = None,
        send: bool = True,
        by_staff: bool = False,
    ) -> str:
        """Store a message and announce it; ``extra`` is shown to the customer as well. Returns the message id.

        What bot or staff say on a platform is queued in the outbox too. ``draft_seq``: the first in-lane sequence of
        the turn whose draft this finishes (harmless when none was shown). ``send`` False: the customer has it already.
        ``by_staff``: a notice on behalf of staff, so it goes out while they hold the conversation or the bot is off.
        """
        message_id = message_id or new_id()
        body = dict(extra or {})
        shown = {"id": message_id, "role": role, "text": text, "at": self.tx.now_s, **body}
        if turn_id is not None:
            shown["turn"] = turn_id
        seq = self.emit("message", shown)
        await self.tx.run(
            "conversations.add_message",
            id=message_id,
            tenant=self.tenant,
            conversation_id=self.id,
            case_id=self.case_id,
            seq=seq,
            item_seq=item_seq,
            channel=self.channel,
            account=self.account,
            role=role,
            author=author,
            text=text,
            body=json.dumps(body, ensure_ascii=False),
            turn_id=turn_id,
            release_id=release_id,
            now=self.tx.now_s,
        )
        if send and role in SPEAKS and not pulls(self.channel):
            speaker: rows.Author = "staff" if by_staff else SPEAKS[role]
            await rows.put(self.tx, self, message_id=message_id, author=speaker, draft_seq=draft_seq, turn_id=turn_id)
        return message_id

    async def change(self, fact: Fact) -> bool:
        """Apply a fact to the state and announce a change of holder; raises Refused. Returns whether it changed."""
        before, self.state = self.state, apply(self.state, fact)
        if before == self.state:
            return False
        body: dict[str, Any] = {"status": self.state.status.value, "reason": self.state.reason}
        if self.state.status is Status.WAITING and self.state.waiting_since is not None:
            body["position"] = await position(self.tx, self.tenant, self.state.waiting_since)
        if self.state.status is Status.WAITING and self.case_id is not None:
            await self.tx.run("conversations.case_handed", id=self.case_id, reason=self.state.reason, now=self.tx.now_s)
        self.emit("state", body)
        return True

    async def end_drafts(self, how: str) -> int:
        """End every open draft of the conversation in one way; returns how many there were."""
        drafts = await self.tx.rows("conversations.open_drafts", conversation_id=self.id)
        for draft in drafts:
            await self.end_draft(draft["first_seq"], draft["attempt"], how)
        return len(drafts)

    async def end_draft(self, first_seq: int, attempt: int, how: str, message_id: str | None = None) -> None:
        """End one draft as final, replaced or withdrawn; a draft that already ended stays as it is.

        A withdrawn draft that a platform shows is taken away there, behind what was said before. A replaced one stays
        until :meth:`inherit_draft` lets the next attempt go on with it.
        """
        ended = await self.tx.run(
            "conversations.end_draft",
            conversation_id=self.id,
            first_seq=first_seq,
            attempt=attempt,
            state=how,
            now=self.tx.now_s,
        )
        if ended:
            body: dict[str, Any] = {"turn": turn_id(self.id, first_seq), "attempt": attempt, "how": how}
            if message_id is not None:
                body["message_id"] = message_id
            self.emit("draft_ended", body)
        if not ended or how != "withdrawn" or pulls(self.channel):
            return
        if await self.tx.row("outbox.draft_ended", conversation_id=self.id, first_seq=first_seq, state=how):
            await rows.put(self.tx, self, message_id=None, author="bot", kind="withdraw", draft_seq=first_seq)

    async def inherit_draft(self, first_seq: int, attempt: int) -> Row | None:
        """Let a new attempt's open draft go on with what the replaced one shows on the platform.

        Call it right after ``conversations.open_draft`` in the same unit. Returns the new draft's row (``shown`` is
        opening or open, with ``provider_id``, ``holder``, ``route`` and ``tried_at``), None when nothing is shown.
        """
        if pulls(self.channel):
            return None
        key: dict[str, Value] = {"conversation_id": self.id, "first_seq": first_seq, "attempt": attempt}
        if not await self.tx.run("outbox.draft_inherit", **key):
            return None
        await self.tx.run("outbox.draft_carried", **key)
        return await self.tx.row("outbox.draft", **key)

    async def move(self, address: str, route: Mapping[str, str]) -> None:
        """Follow a chat to its new id; where that one has a conversation of its own, only the route changes."""
        self.route = dict(route)
        place = {"tenant": self.tenant, "channel": self.channel, "account": self.account, "address": address}
        if await self.tx.row("outbox.address_taken", **place, identity_id=self.identity_id, id=self.id) is None:
            self.address = address
            await self.tx.run("outbox.move_identity", id=self.identity_id, address=address)

    async def open_case(self) -> None:
        """Begin an episode; a still open one is closed as idle first."""
        if self.case_id is not None:
            await self.close_case("idle")
        self.case_id = new_id()
        await self.tx.run(
            "conversations.open_case",
            id=self.case_id,
            tenant=self.tenant,
            conversation_id=self.id,
            now=self.tx.now_s,
        )
        place = {"channel": self.channel, "account": self.account, "language": self.language}
        self.emit("case_opened", {"case_id": self.case_id, **place}, audience="staff")

    async def close_case(self, by: str) -> None:
        """End the running episode, if there is one."""
        if self.case_id is None:
            return
        if await self.tx.run("conversations.close_case", id=self.case_id, closed_by=by, now=self.tx.now_s):
            self.emit("case_closed", {"case_id": self.case_id, "by": by}, audience="staff")
        self.case_id = None

    async def save(self, *, touch: bool = True) -> None:
        """Write the row back and wake readers after the commit; ``touch`` False keeps its place in the staff's list."""
        state = self.state
        await self.tx.run(
            "conversations.save",
            id=self.id,
            status=state.status.value,
            reason=state.reason,
            waiting_since=state.waiting_since,
            owner=state.owner,
            owner_epoch=state.owner_epoch,
            seq=self.seq,
            covered=self.covered,
            stop_seq=self.stop_seq,
            notice_seq=self.notice_seq,
            notice_at=self.notice_at,
            busy_seq=self.busy_seq,
            case_id=self.case_id,
            said_at=self.said_at,
            signed_out_at=self.signed_out_at,
            address=self.address,
            route=dump(self.route),
            edits=self.edits,
            opted_out_at=self.opted_out_at,
            blocked_at=self.blocked_at,
            updated_at=self.tx.now_s if touch else self.updated_at,
        )
        self.tx.notify("conversation", self.id)


def state_of(row: Row) -> State:
    """The pure state inside a conversation's row."""
    return State(Status(row["status"]), row["reason"], row["waiting_since"], row["owner"], row["owner_epoch"])


def turn_id(conversation_id: str, first_seq: int) -> str:
    """The id of the turn that begins with this in-lane sequence; equal for every attempt at it."""
    return f"{conversation_id}:{first_seq}"


async def position(tx: Tx, tenant: str, since_s: float) -> int:
    """Place in the queue for a person, 1 = next."""
    row = await tx.row("conversations.waiting_before", tenant=tenant, since=since_s)
    return 1 + (row["n"] if row else 0)


async def lock(tx: Tx, conversation_id: str) -> Timeline:
    """Lock a conversation by id; raises NotFound."""
    row = await tx.row("conversations.lock", id=conversation_id)
    if row is None:
        raise NotFound("no such conversation; check its id")
    return Timeline(tx, row)
