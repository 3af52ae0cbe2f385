"""Conversations for staff: the list, one with its messages and turns, and taking it over."""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Mapping
from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import StringConstraints

from channels.base import pulls
from server.api.shapes import ID, Answer, Body, Page, answer, encode_cursor, load
from server.conversation import NotFound, Refused
from server.problems import Problem
from server.routes import PRINCIPAL, Role, Route, read_body, read_query
from server.store.contract import Row, Store

MESSAGES = 200  # the latest ones shown with a conversation
TURNS = 100
PREVIEW_CHARACTERS = 160
NEWEST_SEQ = 2**62
Status = Literal["", "bot", "waiting", "claimed", "closed"]


class Handoff(Protocol):
    """What this resource needs from :mod:`server.handoff`: each transition returns what the console shows."""

    async def claim(self, conversation_id: str, person_id: str) -> dict[str, Any]:
        """Take a conversation over; the bot is silent from the commit on."""

    async def give_back(self, conversation_id: str, person_id: str) -> dict[str, Any]:
        """Return a conversation to the bot."""

    async def close(self, conversation_id: str, person_id: str) -> dict[str, Any]:
        """End the case."""

    async def say(self, conversation_id: str, person_id: str, text: str) -> dict[str, Any]:
        """Write to the customer."""


class ConversationQuery(Page):
    """A page of the list, optionally of one status only."""

    status: Status = ""


class ConversationRow(Answer):
    """One line of the list; times are epoch seconds."""

    id: str
    channel: str
    account: str
    status: str
    reason: str | None
    waiting_since: float | None
    owner: str | None
    owner_name: str | None
    customer_name: str
    language: str | None
    created_at: float
    updated_at: float
    opted_out_at: float | None = None
    blocked_at: float | None = None
    banned_at: float | None = None
    preview: str = ""
    preview_role: str = ""


class ConversationPage(Answer):
    """Conversations, the latest change first; ``next`` is the cursor of the following page, None at the end."""

    conversations: list[ConversationRow]
    next: str | None


class DeliveryRow(Answer):
    """What became of a message on its platform: queued, sending, uncertain, sent, delivered, read, failed and so on.

    ``reason`` is ours, ``code`` and ``detail`` are the platform's words for a failure; ``repeats`` counts platform
    messages that were sent again although the first may have arrived.
    """

    state: str
    reason: str | None
    code: str | None
    detail: str | None
    parts: int
    repeats: int
    updated_at: float


class FileRow(Answer):
    """A file that came with a message; a stored one is read at ``/api/media/{id}``."""

    id: str
    kind: str
    name: str
    state: str
    reason: str | None
    mime: str | None
    size_bytes: int | None
    transcript: str | None


class RatedRow(Answer):
    """What a customer thought of an answer: up or down, with the reason they chose and what they wrote."""

    value: str
    reason: str | None
    comment: str | None


class MessageRow(Answer):
    """One message; ``body`` holds attachments, buttons and citations, ``delivery`` is None for what nobody sends.

    ``rated`` is the customer's word on it, ``rating`` that of the person who asks.
    """

    id: str
    seq: int
    role: str
    author: str | None
    text: str
    body: dict[str, Any]
    turn_id: str | None
    release_id: str | None
    created_at: float
    edited_at: float | None = None
    delivery: DeliveryRow | None = None
    rated: RatedRow | None = None
    rating: str | None = None
    files: list[FileRow]


class StepRow(Answer):
    """One tool call of a turn: proposed, running, waiting (for a yes), done or failed."""

    first_seq: int
    number: int
    tool: str
    arguments: dict[str, Any]
    state: str
    result: dict[str, Any]
    created_at: float
    ended_at: float | None


class TurnRow(Answer):
    """How one turn ended; ``timings`` are milliseconds, ``grounding`` is what its answer rests on (empty: nothing)."""

    id: str
    first_seq: int
    last_seq: int
    attempt: int
    outcome: str
    reason: str | None
    release_id: str | None
    message_id: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    timings: dict[str, Any]
    grounding: dict[str, Any]
    ended_at: float


class CaseRow(Answer):
    """The episode a conversation is in."""

    id: str
    release_id: str | None
    opened_at: float
    closed_at: float | None
    closed_by: str | None
    csat: int | None


class ConversationDetail(Answer):
    """A conversation with its latest messages, turns and tool calls, oldest first."""

    conversation: ConversationRow
    case: CaseRow | None
    messages: list[MessageRow]
    turns: list[TurnRow]
    steps: list[StepRow]


class StaffMessage(Body):
    """What staff write to the customer, CommonMark."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000)]


class ConversationsApi:
    """Addresses ``/api/conversations``."""

    def __init__(self, store: Store, tenant: str, handoff: Handoff) -> None:
        self._store = store
        self._tenant = tenant
        self._handoff = handoff

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/conversations/{ID}"
        return [
            Route(
                "GET", "/api/conversations", self.list, Role.VIEWER, "Conversations, the latest change first",
                answer=ConversationPage,
            ),
            Route(
                "GET", one, self.read, Role.VIEWER, "One conversation with messages and turns",
                answer=ConversationDetail,
            ),
            Route("POST", f"{one}/claim", self.claim, Role.STAFF, "Take over from the bot", "conversation.claim"),
            Route("POST", f"{one}/return", self.give_back, Role.STAFF, "Return to the bot", "conversation.return"),
            Route("POST", f"{one}/close", self.close, Role.STAFF, "Close the case", "conversation.close"),
            Route(
                "POST", f"{one}/messages", self.say, Role.STAFF, "Write to the customer", "conversation.say",
                body=StaffMessage,
            ),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of the list."""
        query = read_query(request, ConversationQuery)
        at, row_id = query.position
        rows = await self._store.rows(
            "inbox.page", tenant=self._tenant, status=query.status, at=at, id=row_id, count=query.limit + 1,
            person=request[PRINCIPAL].owner, scope=request[PRINCIPAL].scope,
        )  # fmt: skip
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["updated_at"], shown[-1]["id"]) if len(rows) > query.limit else None
        return answer(ConversationPage(conversations=[_line(row) for row in shown], next=more))

    async def read(self, request: web.Request) -> web.Response:
        """One conversation with the latest messages, its turns, and its case."""
        key = {"tenant": self._tenant, "id": request.match_info["id"]}
        row = await self._store.row("inbox.one", **key)
        if row is None:
            raise _unknown()
        messages = await self._store.rows("inbox.messages", **key, before=NEWEST_SEQ, count=MESSAGES)
        turns = await self._store.rows("inbox.turns", **key, count=TURNS)
        steps = await self._store.rows("listing.steps", **key, count=TURNS)
        case = await self._store.row("inbox.case", tenant=self._tenant, id=row["case_id"] or "")
        sent = {} if pulls(row["channel"]) else await self._deliveries(key)
        files = {} if pulls(row["channel"]) else await self._files(key)
        ratings = await self._ratings(key, request[PRINCIPAL].owner)
        return answer(
            ConversationDetail(
                conversation=_line(row),
                case=CaseRow(**case) if case is not None else None,
                messages=[
                    MessageRow(
                        **{**found, "body": load(found["body"])},
                        **ratings.get(found["id"], {}),
                        delivery=sent.get(found["id"]),
                        files=files.get(found["id"], []),
                    )
                    for found in reversed(messages)
                ],
                turns=[TurnRow(**_loaded(found, "timings", "grounding")) for found in reversed(turns)],
                steps=[StepRow(**_loaded(found, "arguments", "result")) for found in reversed(steps)],
            )
        )

    async def _deliveries(self, key: Mapping[str, str]) -> dict[str, DeliveryRow]:
        """The latest word on each message; a template stands for the message it replaced."""
        rows = await self._store.rows("inbox.deliveries", **key, count=MESSAGES)
        return {
            row["message_id"]: DeliveryRow(**{name: row[name] for name in DeliveryRow.model_fields})
            for row in reversed(rows)
        }

    async def _ratings(self, key: Mapping[str, str], person: str) -> dict[str, dict[str, Any]]:
        """What the customer and this person said of each message, as fields of its row."""
        found: dict[str, dict[str, Any]] = {}
        for row in await self._store.rows("inbox.ratings", **key, person=person):
            said = {"rating": row["value"]}
            if row["giver_kind"] == "customer":
                said = {"rated": RatedRow(**{name: row[name] for name in RatedRow.model_fields})}
            found.setdefault(row["message_id"], {}).update(said)
        return found

    async def _files(self, key: Mapping[str, str]) -> dict[str, builtins.list[FileRow]]:
        found: dict[str, builtins.list[FileRow]] = {}
        for row in await self._store.rows("inbox.files", **key, count=MESSAGES):
            source = load(row["source"])
            kept = {name: row[name] for name in FileRow.model_fields if name in row}
            file = FileRow(**kept, kind=str(source.get("kind", "other")), name=str(source.get("name", "")))
            found.setdefault(row["message_id"], []).append(file)
        return found

    async def claim(self, request: web.Request) -> web.Response:
        """Take a conversation over; from the commit on the bot sends nothing."""
        return await _moved(self._handoff.claim(*await self._who(request)))

    async def give_back(self, request: web.Request) -> web.Response:
        """Return a conversation to the bot, which then sees what staff wrote."""
        return await _moved(self._handoff.give_back(*await self._who(request)))

    async def close(self, request: web.Request) -> web.Response:
        """End the case."""
        return await _moved(self._handoff.close(*await self._who(request)))

    async def say(self, request: web.Request) -> web.Response:
        """Write to the customer of a conversation one has claimed."""
        body = await read_body(request, StaffMessage)
        return await _moved(self._handoff.say(*await self._who(request), body.text))

    async def _who(self, request: web.Request) -> tuple[str, str]:
        """Conversation and caller; raises 404 for a conversation of another tenant in the same database."""
        conversation_id = request.match_info["id"]
        if await self._store.row("inbox.one", tenant=self._tenant, id=conversation_id) is None:
            raise _unknown()
        return conversation_id, request[PRINCIPAL].owner


async def _moved(step: Awaitable[Mapping[str, Any]]) -> web.Response:
    """Answer a transition; raises 409 with the reason, 404 for an unknown conversation."""
    try:
        return web.json_response(await step)
    except Refused as refused:
        raise Problem(409, "Not possible now", str(refused)) from None
    except NotFound:
        raise _unknown() from None


def _loaded(row: Row, *names: str) -> dict[str, Any]:
    """A row with some columns read as JSON."""
    return {**row, **{name: load(row[name]) for name in names}}


def _unknown() -> Problem:
    return Problem(404, "No such conversation", "There is no conversation with this id; reload the list.")


def _line(row: Row) -> ConversationRow:
    text = row.get("last_text") or ""
    return ConversationRow(
        **{name: row[name] for name in ConversationRow.model_fields if name in row},
        preview=text[:PREVIEW_CHARACTERS],
        preview_role=row.get("last_role") or "",
    )
