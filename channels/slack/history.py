"""Reading back: what Slack has of ours (look-ups before a repeat), and what arrived while we were away (catch-up).

Look-ups go by the part id in a message's metadata. Streams carry none until they are finished, so a draft is found by
thread and time: ours, and without a part's metadata.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import structlog

from channels.base import Limited, Outgoing, Refused, Unauthorized
from channels.slack.api import Api
from channels.slack.missed import edited_since
from channels.slack.route import provider_id, seconds

log = structlog.get_logger()

PAGE = 200  # messages; what Slack recommends at most
PAGES_MAX = 250
LOOK_BACK_S = 60.0  # how far Slack's clock may be behind ours
THREADS_S = 86_400.0  # threads begun this long before an outage are read too
WAITS_MAX = 100  # rate limits sat out in one catch-up
PART_EVENT = "frontdesk_part"

Message = Mapping[str, Any]


class History:
    """Reads conversations of one workspace."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._me: Mapping[str, Any] = {}

    async def me(self, *, again: bool = False) -> Mapping[str, Any]:
        """Who the token belongs to (``auth.test``), asked once unless ``again``."""
        if again or not self._me:
            self._me = await self._api.read("auth_test")
        return self._me

    @property
    def bot_user(self) -> str:
        """Our user id, "" until Slack was asked."""
        return str(self._me.get("user_id") or "")

    async def find_part(self, out: Outgoing) -> str:
        """The provider id of a part that Slack has, "" when it has none.

        Raises SendErrors; Refused (a missing scope, a platform without history) means that there is no telling.
        """
        if out.tried_at is None:
            return ""
        channel = out.route.get("channel", "")
        async for message in self._since(channel, out.route.get("thread_ts", ""), out.tried_at - LOOK_BACK_S):
            if _is_part(message, out) and provider_id(channel, message["ts"]) not in out.known:
                return provider_id(channel, message["ts"])
        return ""

    async def find_draft(self, route: Mapping[str, str], tried_at: float) -> str:
        """The provider id of an unfinished message of ours since then, "" when there is none or no telling."""
        channel, thread, found = route.get("channel", ""), route.get("thread_ts", ""), ""
        try:
            me = await self._who()
            async for message in self._since(channel, thread, tried_at - LOOK_BACK_S):
                if _ours(message, me) and not _metadata(message) and message["ts"] != thread:
                    found = max(found, provider_id(channel, message["ts"]))
        except Unauthorized:
            raise
        except Refused:
            return ""
        return found

    async def _who(self) -> Mapping[str, Any]:
        """Who we are, nothing known where Slack is too small to tell."""
        try:
            return await self.me()
        except Unauthorized:
            raise
        except Refused:
            return {}

    async def missed(self, since_s: float) -> AsyncIterator[tuple[Mapping[str, Any], Sequence[Message]]]:
        """Each conversation we are in with its messages since then, oldest first, those of threads among them."""
        patient = _Patient(self._api)
        await self.me()
        async for channel in patient.pages("users_conversations", "channels", **_EVERYWHERE):
            try:
                messages = await self._missed_in(patient, str(channel.get("id") or ""), since_s)
            except Unauthorized:
                raise
            except Refused as error:
                log.warning("slack_catch_up_skipped", code=error.code, detail=error.detail)
                continue
            if messages:
                yield channel, messages

    async def _missed_in(self, patient: _Patient, channel: str, since_s: float) -> Sequence[Message]:
        found: dict[str, Message] = {}
        roots: list[str] = []
        oldest = _ts(since_s - THREADS_S)
        async for message in patient.pages("conversations_history", "messages", channel=channel, oldest=oldest):
            if _after(message, since_s) or edited_since(message, since_s):
                found[message["ts"]] = message
            if seconds(message.get("latest_reply")) >= since_s:
                roots.append(str(message["ts"]))
        for root in roots:
            replies = patient.pages("conversations_replies", "messages", channel=channel, ts=root, oldest=_ts(since_s))
            async for reply in replies:
                if _after(reply, since_s) or edited_since(reply, since_s):
                    found[reply["ts"]] = reply
        return [found[ts] for ts in sorted(found, key=float)]

    async def _since(self, channel: str, thread: str, oldest_s: float) -> AsyncIterator[Message]:
        """A thread's messages, or the conversation's own, since then, with their metadata; one try per page."""
        where = {"channel": channel, "oldest": _ts(oldest_s), "include_all_metadata": True}
        if thread:
            pages = _Patient(self._api, waits=0).pages("conversations_replies", "messages", ts=thread, **where)
        else:
            pages = _Patient(self._api, waits=0).pages("conversations_history", "messages", **where)
        async for message in pages:
            if _after(message, oldest_s):
                yield message


_EVERYWHERE = {"types": "public_channel,private_channel,mpim,im", "exclude_archived": True}


class _Patient:
    """Pages through a list method; sits out rate limits as long as Slack asks, up to ``waits`` times."""

    def __init__(self, api: Api, waits: int = WAITS_MAX) -> None:
        self._api = api
        self._waits = waits

    async def pages(self, method: str, items: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        for _ in range(PAGES_MAX):
            page = await self._page(method, arguments | {"limit": PAGE} | ({"cursor": cursor} if cursor else {}))
            found = page.get(items)
            for item in found if isinstance(found, list) else ():
                if isinstance(item, dict):
                    yield item
            metadata = page.get("response_metadata")
            cursor = str(metadata.get("next_cursor") or "") if isinstance(metadata, Mapping) else ""
            if not cursor:
                return
        log.warning("slack_pages_cut", method=method, pages=PAGES_MAX)

    async def _page(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        while True:
            try:
                return await self._api.read(method, **arguments)
            except Limited as error:
                if self._waits <= 0:
                    raise
                self._waits -= 1
                await asyncio.sleep(error.retry_after_s)


def _is_part(message: Message, out: Outgoing) -> bool:
    """Whether a message is this part: by its metadata, else (where none is shown) by its very text."""
    if metadata := _metadata(message):
        return bool(metadata) and _part_id(message) == out.id
    sent = bool(message.get("bot_id")) and "metadata" not in message
    return sent and bool(out.payload.get("text")) and message.get("text") == out.payload["text"]


def _part_id(message: Message) -> str:
    payload = _metadata(message).get("event_payload")
    return str(payload.get("id") or "") if isinstance(payload, Mapping) else ""


def _metadata(message: Message) -> Mapping[str, Any]:
    metadata = message.get("metadata")
    ours = isinstance(metadata, Mapping) and metadata.get("event_type") == PART_EVENT
    return metadata if ours and isinstance(metadata, Mapping) else {}


def _ours(message: Message, me: Mapping[str, Any]) -> bool:
    known = {str(me.get(name)) for name in ("user_id", "bot_id") if me.get(name)}
    if not known:
        return bool(message.get("bot_id"))
    return bool(known & {str(message.get("user")), str(message.get("bot_id"))})


def _after(message: Message, since_s: float) -> bool:
    return seconds(message.get("ts")) >= max(since_s, 1.0)


def _ts(seconds: float) -> str:
    return f"{min(max(seconds, 0.0), time.time()):.6f}"
