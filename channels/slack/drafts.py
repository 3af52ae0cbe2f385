"""Answers shown while they are written: Slack's native stream, and ``chat.update`` where that is over.

A stream lives about five minutes whatever happens in it, and can be ended by the reader. What this process appended is
remembered, so that only the new end goes out; after a restart, or when a text does not continue the shown one, the
stream is closed and the message is updated as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.base import Refused, Unauthorized
from channels.slack import words
from channels.slack.api import Api
from channels.slack.parts import TEXT_CHARACTERS, escaped, markdown_block
from channels.slack.route import placed, provider_id

REMEMBERED = 1_000  # streams of this process
OVER = frozenset({"message_not_in_streaming_state", "streaming_state_conflict", "message_not_streaming"})
STOPPED = "stopped_by_user"


class Drafts:
    """The shown drafts of one workspace."""

    def __init__(self, api: Api, remembered: int = REMEMBERED) -> None:
        self._api = api
        self._remembered = remembered
        self._shown: dict[str, str | None] = {}  # text appended so far; None = an ordinary message by now

    async def open(self, route: Mapping[str, str], text: str) -> str:
        """Start a stream in the route's thread; raises SendError, Refused where none can be."""
        thread = route.get("thread_ts", "")
        if not thread:
            raise Refused("no_thread", "streams live in threads only")
        shown = _fitting(text)
        arguments: dict[str, Any] = {"channel": route.get("channel", ""), "thread_ts": thread, "markdown_text": shown}
        if recipient := route.get("user"):
            arguments |= {"recipient_user_id": recipient, "recipient_team_id": route.get("recipient_team", "")}
        answer = await self._api.call("chat_startStream", **arguments)
        if not answer.get("ts"):
            raise Refused("no_ts", "the stream has no address")
        found = provider_id(str(answer.get("channel") or route.get("channel", "")), str(answer["ts"]))
        self._remember(found, shown)
        return found

    async def update(self, message: str, route: Mapping[str, str], text: str) -> None:
        """Show the whole text so far; Refused("stopped_by_user") when the reader pressed Slack's stop."""
        whole = _fitting(text)
        # forgotten while the call is out: after an unknown outcome the shown text is not known either
        known, shown = message in self._shown, self._shown.pop(message, "")
        if known and shown is not None and whole.startswith(shown):
            if await self._append(message, route, whole[len(shown) :]):
                self._remember(message, whole)
                return
        elif shown is not None:
            await self.close(message, route)
        channel, ts = placed(message, route)
        await self._api.call("chat_update", channel=channel, ts=ts, text=escaped(whole), blocks=[markdown_block(whole)])
        self._remember(message, None)

    async def close(self, message: str, route: Mapping[str, str]) -> None:
        """End the stream, if it still is one; afterwards the message can be updated or deleted."""
        if message in self._shown and self._shown.pop(message) is None:
            return
        channel, ts = placed(message, route)
        try:
            await self._api.call("chat_stopStream", channel=channel, ts=ts)
        except Unauthorized:
            raise
        except Refused:  # over already, never one, or a platform without streams: what follows will tell
            return

    async def withdraw(self, message: str, route: Mapping[str, str]) -> None:
        """Delete the message; gone already is a success."""
        await self.close(message, route)
        channel, ts = placed(message, route)
        try:
            await self._api.call("chat_delete", channel=channel, ts=ts)
        except Refused as error:
            if error.code != "message_not_found":
                raise

    async def _append(self, message: str, route: Mapping[str, str], end: str) -> bool:
        """Whether the stream took the new end; False when it is over and the message must be updated instead."""
        if not end:
            return True
        channel, ts = placed(message, route)
        try:
            await self._api.call("chat_appendStream", channel=channel, ts=ts, markdown_text=end)
        except Refused as error:
            if error.code not in OVER:
                raise
            return False
        return True

    def _remember(self, message: str, shown: str | None) -> None:
        while len(self._shown) >= self._remembered:
            self._shown.pop(next(iter(self._shown)))
        self._shown[message] = shown


def _fitting(text: str) -> str:
    """As much as one message holds: the first part of a long answer, which is what the draft becomes."""
    return words.inert(text)[:TEXT_CHARACTERS]
