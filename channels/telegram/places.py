"""Where a Telegram message belongs: chat, topic and business connection, as address, route and message key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from channels.base import Refused


@dataclass(frozen=True, slots=True)
class Place:
    """One thread of talk: a private chat, a group, a topic in either, or a chat of a business account.

    ``chat`` is Telegram's chat id (negative for groups), ``thread`` the topic, ``business`` the connection through
    which we answer in somebody's name; the last two are empty in most chats. ``message`` is the message to reply to.
    """

    chat: str
    thread: str = ""
    business: str = ""
    message: str = ""

    @property
    def private(self) -> bool:
        """Whether one customer writes to the bot here (groups have negative ids)."""
        return not self.chat.startswith("-")

    @property
    def address(self) -> str:
        """What names the conversation: ``chat[:thread][@business]``."""
        thread = f":{self.thread}" if self.thread else ""
        return f"{self.chat}{thread}{self._connection}"

    @property
    def route(self) -> dict[str, str]:
        """What is kept with the conversation, so that it can be answered."""
        found = {"chat": self.chat, "thread": self.thread, "business": self.business, "message": self.message}
        group = "" if self.private else "1"
        return {name: value for name, value in {**found, "group": group}.items() if value}

    def key(self, message_id: object) -> str:
        """The identity of a message; a business account numbers its chats apart from the bot's own."""
        return f"{self.chat}{self._connection}:{message_id}"

    def moved(self, chat: str) -> Place:
        """The same place under another chat id; message ids start anew there."""
        return replace(self, chat=chat, message="")

    @property
    def _connection(self) -> str:
        return f"@{self.business}" if self.business else ""


def place_of(message: Mapping[str, Any]) -> Place:
    """The place of a message object; a thread counts only when it is a topic (replies in groups have one too)."""
    topic = message.get("message_thread_id") if message.get("is_topic_message") else None
    return Place(
        chat=str(int(message["chat"]["id"])),
        thread=str(int(topic)) if topic else "",
        business=str(message.get("business_connection_id") or ""),
        message=str(int(message["message_id"])),
    )


def route_place(route: Mapping[str, str]) -> Place:
    """The place that a stored route names; raises Refused for one without a chat."""
    chat = route.get("chat", "")
    if not chat.removeprefix("-").isdecimal():
        raise Refused("no_route", "the conversation has no Telegram chat to write to")
    return Place(chat, route.get("thread", ""), route.get("business", ""), route.get("message", ""))


def message_id(provider_id: str) -> int:
    """The message number inside a message key; raises ValueError for any other text."""
    return int(provider_id.rpartition(":")[2])
