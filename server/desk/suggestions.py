"""A reply drafted by the model for staff to look at: it is shown, and nothing here can send it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from models.chat import ChatMessage
from server.assistant import Asked, Piece
from server.conversation import NotFound, Refused
from server.releases.bundle import Release
from server.store.contract import Row, Store

HISTORY: Final = 20  # messages before the question
LONGEST_TOKENS: Final = 400
Style = Literal["", "shorter", "friendlier", "formal"]
STYLES: Final[dict[str, str]] = {
    "shorter": "Keep it to two sentences.",
    "friendlier": "Be warm and personal.",
    "formal": "Be formal and precise.",
}
AS_STAFF: Final = "Write the reply that a member of our staff will send to the customer now. Only the reply itself."


REWRITE: Final = "Rewrite the reply that follows for the customer; keep every fact and figure. Only the new text."


@dataclass(frozen=True, slots=True)
class Wish:
    """How the draft is to be; ``language`` is a code, empty = the customer's. ``text``: rewrite this instead."""

    style: Style = ""
    language: str = ""
    text: str = ""


class Answers(Protocol):
    """The assistant, as far as it is needed here."""

    def answer(self, release: Release, asked: Asked) -> AsyncIterator[Piece]:
        """The answer, piece by piece."""


class Published(Protocol):
    """The releases, as far as they are needed here."""

    live: str

    async def get(self, release_id: str) -> Release:
        """One release; raises LookupError."""


class Suggestions:
    """Drafts replies with the conversation's own release, the documents, and what was said."""

    def __init__(self, store: Store, tenant: str, assistant: Answers, releases: Published) -> None:
        self._store = store
        self._tenant = tenant
        self._assistant = assistant
        self._releases = releases

    async def draft(self, conversation_id: str, wish: Wish) -> AsyncIterator[Piece]:
        """The pieces of a draft; raises NotFound, Refused, LookupError before them, errors of the model with them."""
        row = await self._store.row("conversations.context", id=conversation_id)
        if row is None or row["tenant"] != self._tenant:
            raise NotFound("no such conversation; check its id")
        release = await self._releases.get(row["release_id"] or self._releases.live)
        language = wish.language or row["language"] or ""
        wanted = f"Write in the language with the code {wish.language}." if wish.language else ""
        decoding = replace(release.decoding, max_tokens=min(LONGEST_TOKENS, release.decoding.max_tokens))
        if wish.text:
            orders = " ".join(part for part in (REWRITE, STYLES.get(wish.style, ""), wanted) if part)
            asked = Asked(wish.text, decoding, orders, structured=True, language=language)
            return self._assistant.answer(release, asked)
        said = await self._store.rows("inbox_desk.said", tenant=self._tenant, id=conversation_id, count=HISTORY)
        history, question = _talk(said)
        if not question:
            raise Refused("the customer has not written anything yet")
        orders = " ".join(part for part in (AS_STAFF, STYLES.get(wish.style, ""), wanted) if part)
        return self._assistant.answer(release, Asked(question, decoding, orders, tuple(history), language=language))


def _talk(said: Sequence[Row]) -> tuple[list[ChatMessage], str]:
    """The dialogue up to the customer's last words, and those words; ``said`` is newest first.

    What was answered after them is left out: a draft is wanted in its place, or beside it.
    """
    rows = list(reversed(said))
    while rows and rows[-1]["role"] != "customer":
        rows.pop()
    asked: list[str] = []
    while rows and rows[-1]["role"] == "customer":
        asked.insert(0, rows.pop()["text"])
    history = [ChatMessage("user" if row["role"] == "customer" else "assistant", row["text"]) for row in rows]
    return history, "\n".join(asked)
