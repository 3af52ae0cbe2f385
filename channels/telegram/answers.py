"""What the Bot API's answers mean: one send error for each, without the bot's token in any of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unknown, Unreachable, WindowClosed

PAUSE_S = 5.0  # for a 429 that does not say how long
QUIET_S = 60.0  # whoever got nothing for a minute cannot have used up the chat's own allowance
CHATS = 4_096  # chats remembered for that
DETAIL_CHARACTERS = 300
NOT_SENT = frozenset({
    "ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL",
    "LocalProtocolError",
})  # fmt: skip
"""Names of transport errors that come before a request has left."""
GONE_CHAT = ("chat not found", "user is deactivated", "peer_id_invalid", "bot was kicked", "bot was blocked")
CLOSED = ("business_peer_usage_missing",)  # the business chat's last message is too long ago


class Migrated(Refused):
    """The group became a supergroup; ``chat`` is its new id."""

    def __init__(self, chat: str) -> None:
        super().__init__("400", "the group became a supergroup and has another id")
        self.chat = chat


@dataclass
class Answer:
    """What came back for one call: the HTTP status (0 = nothing yet) and the answer's object."""

    status: int = 0
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it says plainly that the call was done."""
        return 200 <= self.status < 300 and "result" in self.content  # noqa: PLR2004 - HTTP status

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Telegram's machine-readable hints (retry_after, migrate_to_chat_id)."""
        found = self.content.get("parameters")
        return found if isinstance(found, Mapping) else {}

    @property
    def description(self) -> str:
        """Telegram's words for a failure."""
        return str(self.content.get("description") or "")[:DETAIL_CHARACTERS]


class Floods:
    """Tells whose limit a 429 is: Telegram does not say whether one chat or the whole bot was too fast.

    A chat that got nothing for a minute has not used up its own allowance. One such chat may still be limited by
    Telegram for reasons of its own; when that happens to two at a time, it is the bot that is too fast.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: OrderedDict[str, float] = OrderedDict()
        self._puzzling: dict[str, float] = {}  # chat -> until when its 429 holds

    def sent(self, chat: str) -> None:
        """Note a message to a chat."""
        self._sent[chat] = self._clock()
        self._sent.move_to_end(chat)
        while len(self._sent) > CHATS:
            self._sent.popitem(last=False)

    def scope(self, chat: str, retry_after_s: float) -> Literal["chat", "account"]:
        """For whom a 429 that this chat's message got holds."""
        now = self._clock()
        self._puzzling = {name: until for name, until in self._puzzling.items() if until > now}
        if now - self._sent.get(chat, -QUIET_S) < QUIET_S:
            return "chat"
        self._puzzling[chat] = now + retry_after_s
        return "account" if len(self._puzzling) > 1 else "chat"


def retry_after(answer: Answer) -> float:
    """How long a 429 asks us to wait, seconds."""
    value = answer.parameters.get("retry_after")
    return float(value) if isinstance(value, int | float) and value > 0 else PAUSE_S


def error_of(answer: Answer) -> SendError:
    """The error an answer other than success stands for; a 2xx that is no answer means nobody knows what happened."""
    status, words = answer.status, answer.description
    text = words.lower()
    if status == 429 or text.startswith("too many requests"):  # noqa: PLR2004 - HTTP status
        return Limited("429", retry_after(answer))
    if status == 401:  # noqa: PLR2004 - HTTP status
        return Unauthorized("401", "Telegram does not accept the bot's token; set the one from @BotFather")
    if status >= 500:  # noqa: PLR2004 - HTTP status
        return Unavailable(str(status), words or "Telegram's server failed")
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP status
        return Unknown(str(status), "the answer could not be read")
    return _refusal(status, words, text, answer.parameters.get("migrate_to_chat_id"))


def _refusal(status: int, words: str, text: str, moved: object) -> Refused:
    if moved:
        return Migrated(str(moved))
    if any(sign in text for sign in GONE_CHAT) or (status == 403 and "rights" not in text):  # noqa: PLR2004
        return Unreachable(str(status), words)
    if any(sign in text for sign in CLOSED):
        return WindowClosed(str(status), words)
    if status == 404:  # noqa: PLR2004 - HTTP status
        return Refused("404", "the Bot API has no such method, or the token has a wrong form; check api_base and token")
    return Refused(str(status), words)


def lost(error: BaseException) -> SendError:
    """The error for a call that got no answer, by the transport's own error behind the library's."""
    names = {type(cause).__name__ for cause in _chain(error)}
    if NOT_SENT & names:
        return Unavailable("no_connection", "Telegram could not be reached")
    return Unknown("no_answer", "the connection ended before Telegram answered")


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while (cause := found[-1].__cause__) is not None:
        found.append(cause)
    return found
