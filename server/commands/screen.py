"""Shows a conversation's events as text that grows in a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from server.commands.client import Frame

Write = Callable[[str], None]


class Screen:
    """Writes drafts while they grow and makes every line end in what was committed.

    Attributes:
        answers: Assistant messages shown to their end.
        streamed: Answers of those that came as at least one draft frame before the message.
        sources: Footnotes under the latest answer.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._draft = ""  # text of the open draft that is on the screen
        self._open = False
        self._grew = False
        self.answers = 0
        self.streamed = 0
        self.sources = 0

    @property
    def writing(self) -> bool:
        """Whether an answer is being written right now."""
        return self._open

    def show(self, frame: Frame) -> bool:
        """Draw one event; True when it ends the wait for an answer."""
        match frame.event:
            case "draft_started":
                self._open, self._draft, self._grew = True, "", False
            case "draft":
                self._grow(int(frame.data["offset"]), str(frame.data["text"]))
            case "draft_ended":
                return self._end_draft(str(frame.data["how"]))
            case "message":
                return self._message(frame)
            case "state":
                self._state(str(frame.data["status"]), frame.data.get("position"))
        return False

    def _grow(self, offset: int, text: str) -> None:
        whole = self._draft[:offset] + text
        if whole.startswith(self._draft):
            self._write(whole[len(self._draft) :])
        else:  # another attempt took its place
            self._write("\n" + whole)
        self._draft, self._open, self._grew = whole, True, True

    def _end_draft(self, how: str) -> bool:
        self._open = False
        if how == "withdrawn" and self._draft:
            self._write("\n(withdrawn)\n")
        elif how == "replaced" and self._draft:
            self._write("\n(begun again)\n")
        self._draft = ""
        return how == "withdrawn"

    def _message(self, frame: Frame) -> bool:
        role, text = str(frame.data["role"]), str(frame.data["text"])
        if role == "customer":
            return False
        if role == "assistant":
            self._assistant(text)
            self._footnotes(frame.data.get("citations", ()), frame.data.get("replies", ()))
        else:
            self._write(f"{'' if not self._draft else chr(10)}[{role}] {text}\n")
            self._draft = ""
        return role != "notice"

    def _assistant(self, text: str) -> None:
        if self._draft and text.startswith(self._draft):
            self._write(text[len(self._draft) :] + "\n")
        else:
            self._write(f"\n{text}\n" if self._draft else f"{text}\n")
        self.answers += 1
        self.streamed += self._grew
        self._draft, self._open, self._grew = "", False, False

    def _footnotes(self, citations: Sequence[Mapping[str, Any]], replies: Sequence[str]) -> None:
        """The sources of an answer, and what is offered to say next."""
        self.sources = len(citations)
        for cited in citations:
            where = f" ({cited['url']})" if cited.get("url") else ""
            self._write(f"  [{cited['number']}] {cited['title']}{where}\n")
        if replies:
            self._write(f"  ({' | '.join(replies)})\n")

    def _state(self, status: str, position: object) -> None:
        if status == "waiting":
            self._write(f"[waiting for a person{f', position {position}' if position else ''}]\n")
        elif status == "claimed":
            self._write("[a person joined]\n")
