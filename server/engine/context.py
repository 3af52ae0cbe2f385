"""What a turn reads before it starts: who holds the conversation, what was said, which release it is pinned to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.settings import Settings
from models.chat import ChatMessage
from server.conversation import NotFound, State
from server.engine.record import joined
from server.engine.words import Notice
from server.lanes import Lease
from server.releases.bundle import Release
from server.releases.registry import Releases
from server.store.contract import Row, Store, Value
from server.timeline import state_of

_CHAT_ROLES = {"customer": "user", "assistant": "assistant", "staff": "assistant"}


@dataclass(frozen=True, slots=True)
class Said:
    """One of the customer's messages that a turn covers; ``attached`` when files came with it."""

    id: str
    text: str
    attached: bool


@dataclass(frozen=True, slots=True)
class Context:
    """One consistent look at a conversation; ``question`` is the turn's text, unchanged.

    ``route`` is where its channel answers; ``edits`` counts changes of unanswered messages and is as old as the text;
    ``notes`` are what to tell besides the answer, about files that nobody could read. ``pin`` is the release that the
    case is tied to, also when its base answers because an adapter is not served.
    """

    conversation_id: str
    channel: str
    account: str
    language: str
    state: State
    stop_seq: int
    notice_at: float | None  # epoch seconds, None while this turn has had no graceful notice
    now_s: float
    release: Release
    question: str
    history: tuple[ChatMessage, ...]
    route: Mapping[str, str]
    edits: int
    opted_out: bool
    blocked: bool
    said: tuple[Said, ...]
    notes: tuple[Notice, ...] = ()
    pin: str = ""


class ContextReader:
    """Reads contexts; stateless apart from its collaborators."""

    def __init__(self, store: Store, releases: Releases, settings: Settings) -> None:
        self._store = store
        self._releases = releases
        self._history = settings.engine.history_messages

    async def read(self, lease: Lease, now_s: float, release: Release | None = None) -> Context:
        """The context of a leased turn; raises NotFound when its conversation was erased.

        ``release`` is what an earlier look at the same turn was made with: a turn keeps it to its end.
        """
        span: dict[str, Value] = {"conversation_id": lease.key, "first_seq": lease.first_seq}
        row, said, earlier = await asyncio.gather(
            self._store.row("conversations.context", id=lease.key),
            self._store.rows("conversations.messages_of_items", **span, last_seq=lease.tail),
            self._store.rows("conversations.history", **span, limit=self._history),
        )
        if row is None:
            raise NotFound(f"conversation {lease.key} is gone; its lane can be purged")
        if release is None:
            withdrawn = row["release_state"] == "withdrawn"
            release = await self._releases.of_case(lease.key, row["case_id"], row["release_id"], withdrawn=withdrawn)
        return Context(
            conversation_id=lease.key,
            channel=row["channel"],
            account=row["account"],
            language=row["language"] or "en",
            state=state_of(row),
            stop_seq=row["stop_seq"],
            notice_at=row["notice_at"] if row["notice_seq"] >= lease.first_seq else None,
            now_s=now_s,
            release=release,
            pin=release.id,
            question=joined([message["text"] for message in said]),
            history=_chat(earlier),
            route=json.loads(row["route"]),
            edits=said[0]["edits"] if said else row["edits"],
            opted_out=row["opted_out_at"] is not None,
            blocked=row["blocked_at"] is not None,
            said=tuple(Said(message["id"], message["text"], _attached(message["body"])) for message in said),
        )


def _attached(body: str) -> bool:
    return '"attachments"' in body and bool(json.loads(body).get("attachments"))


def _chat(newest_first: Sequence[Row]) -> tuple[ChatMessage, ...]:
    """History in prompt order; staff speak as the assistant, so the bot sees the human part after a return."""
    messages: list[ChatMessage] = []
    for row in reversed(newest_first):
        role = _CHAT_ROLES[row["role"]]
        messages.append(ChatMessage("user" if role == "user" else "assistant", row["text"]))
    return tuple(messages)
