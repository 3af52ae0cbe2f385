"""A double of Slack: workspaces with people and history, the Web API, signed events with retries, and Socket Mode.

Everything that was documented or seen of Slack and matters to a desk is here: mentions that arrive twice, metadata that
is shown only when asked for, streams that expire, blocks that are refused at 13,200 characters, files behind a token.
``api_base`` goes into an account's settings. What happened on a customer's screen is in :attr:`Conversation.messages`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import WSMsgType, web

from tests.doubles.platform import SLACK, Courier, Delivered, Faults, Hook, Platform

ACK_S = 3.0
BLOCKS_CHARACTERS = 13_200
MARKDOWN_CHARACTERS = 12_000
SECTION_CHARACTERS = 3_000
TEXT_CHARACTERS = 40_000
STREAM_LIFE_S = 300.0

Answer = dict[str, Any]
Message = dict[str, Any]


class SlackError(Exception):
    """``{"ok": false, "error": ...}``."""


@dataclass
class Workspace:
    """One team in which the app is installed, and its tokens."""

    team: str
    token: str
    app_token: str = ""
    bot_user: str = "UDESK"
    bot_id: str = "BDESK"
    revoked: bool = False


@dataclass
class Conversation:
    """A channel or direct message: what its members see, by ts."""

    id: str
    kind: str = "channel"  # channel | group | mpim | im
    member: bool = True
    archived: bool = False
    ext_shared: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    @property
    def visible(self) -> list[Message]:
        """Its messages in order."""
        return [self.messages[ts] for ts in sorted(self.messages, key=float)]

    def said(self, by: str = "") -> list[str]:
        """Texts in order, of one person or program."""
        return [str(each["text"]) for each in self.visible if not by or by in {each.get("user"), each.get("bot_id")}]


@dataclass
class Envelope:
    """A Socket Mode envelope until it is acknowledged."""

    id: str
    kind: str
    payload: Mapping[str, Any]
    tries: int = 0
    acked: asyncio.Event = field(default_factory=asyncio.Event)


class Slack(Platform):
    """The whole of Slack on one loopback port."""

    def __init__(self, *workspaces: Workspace, faults: Faults | None = None, hang_s: float = 30.0) -> None:
        super().__init__(faults, hang_s=hang_s)
        self.workspaces = workspaces or (Workspace("T1", "xoxb-1", "xapp-1"),)
        self.places: dict[tuple[str, str], Conversation] = {}
        self.unknown: set[str] = set()  # methods of a newer Slack than this one
        self.absent: set[str] = set()  # methods answered by 404, as a smaller double would
        self.retry_after_s = 1
        self.stream_life_s = STREAM_LIFE_S
        self.feedback_known = True
        self.markdown_known = True
        self.files: dict[str, tuple[str, bytes]] = {}
        self.file_status = 200
        self.frozen = False  # the workspace allows neither edits nor deletions
        self.nameless = False  # answers name no message, as a careless double's would
        self.link = ""  # where sockets are said to be, when not here
        self.people: dict[str, dict[str, Any]] = {}  # user id -> users.info, as far as a test says
        self.whispers: list[tuple[str, str, str, str]] = []  # channel, thread, user, text
        self.statuses: list[tuple[str, str, str]] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.ack_s = ACK_S
        self.sockets: list[web.WebSocketResponse] = []
        self.envelopes: dict[str, Envelope] = {}
        self.sent_envelopes: list[str] = []
        self._streams: dict[str, float] = {}  # ts -> when it expires
        self._stopped: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_us = 0
        self._joined = asyncio.Event()
        self.app.router.add_route("*", "/api/{method}", self._api)
        self.app.router.add_get("/files/{name}", self._file)
        self.app.router.add_get("/link", self._link)

    @property
    def api_base(self) -> str:
        """The setting that sends an account here."""
        return f"{self.base_url}/api"

    def place(self, channel: str, team: str = "T1", **more: Any) -> Conversation:
        """A conversation, made on first use; ids that begin with D are direct messages."""
        if (team, channel) not in self.places:
            more.setdefault("kind", "im" if channel.startswith("D") else "channel")
            self.places[team, channel] = Conversation(channel, **more)
        return self.places[team, channel]

    def now(self, at_s: float | None = None) -> str:
        """A ts nobody had before, of ``at_s`` (epoch seconds) or of this moment."""
        if at_s is not None:
            return f"{at_s:.6f}"
        self._last_us = max(int(time.time() * 1e6), self._last_us + 1)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    # ---- people

    def say(
        self,
        channel: str,
        text: str,
        *,
        team: str = "T1",
        user: str = "UANNA",
        at_s: float | None = None,
        **more: Any,
    ) -> list[Answer]:
        """A person writes, now or at ``at_s``; returns the event payloads Slack makes of it, twins and all."""
        place, ts = self.place(channel, team), self.now(at_s)
        message = {"type": "message", "user": user, "text": text, "ts": ts, "team": team, **more}
        if root := place.messages.get(str(more.get("thread_ts") or "")):
            root |= {"reply_count": root.get("reply_count", 0) + 1, "latest_reply": ts, "thread_ts": root["ts"]}
        place.messages[ts] = message
        space = self._space(team)
        kind = {"group": "group", "mpim": "mpim", "im": "im"}.get(place.kind, "channel")
        events: list[Answer] = []
        if f"<@{space.bot_user}>" in text and place.kind != "im":
            events.append({**message, "type": "app_mention", "channel": channel, "event_ts": ts})
        if place.member:
            events.append({**message, "channel": channel, "channel_type": kind, "event_ts": ts})
        return [self.envelope(event, team=team, ext=place.ext_shared) for event in events]

    def envelope(self, event: Mapping[str, Any], *, team: str = "T1", ext: bool = False) -> Answer:
        """The event callback around an event."""
        space = self._space(team)
        return {
            "token": "verification",
            "team_id": team,
            "api_app_id": "A1",
            "event": dict(event),
            "type": "event_callback",
            "event_id": f"Ev{self.now().replace('.', '')}",
            "event_time": int(time.time()),
            "authorizations": [{"enterprise_id": None, "team_id": team, "user_id": space.bot_user, "is_bot": True}],
            "is_ext_shared_channel": ext,
        }

    def press(self, channel: str, ts: str, value: str, *, team: str = "T1", user: str = "UANNA") -> Answer:
        """A person presses the button with that value below one of our messages."""
        message = self.place(channel, team).messages[ts]
        element, button = next(found for found in _buttons(message.get("blocks", ())) if found[1].get("value") == value)
        action = {"action_id": element["action_id"], "type": element["type"], "text": button["text"], "value": value}
        container = {"type": "message", "message_ts": ts, "channel_id": channel, "thread_ts": message.get("thread_ts")}
        return {
            "type": "block_actions",
            "user": {"id": user, "username": "anna", "team_id": team},
            "team": {"id": team, "domain": "shop"},
            "container": container,
            "channel": {"id": channel, "name": "help"},
            "message": message,
            "response_url": f"{self.base_url}/response",
            "trigger_id": "1.2.3",
            "actions": [{**action, "block_id": "b1", "action_ts": self.now()}],
        }

    def stop_stream(self, ts: str) -> None:
        """The reader presses stop on a streaming message."""
        self._stopped.add(ts)
        self._streams.pop(ts, None)

    def expire_streams(self) -> None:
        """Five minutes pass."""
        self._streams = dict.fromkeys(self._streams, 0.0)

    # ---- webhooks

    async def deliver(self, courier: Courier, url: str, secret: str, payload: Mapping[str, Any]) -> Delivered:
        """Deliver an event or interaction as Slack would: signed anew for each try, tries counted in a header."""
        return await courier.deliver(lambda number: hook(url, secret, payload, number))

    # ---- Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        if method in self.absent:
            return web.Response(status=404, text="not found")

        async def effect() -> web.StreamResponse:
            self.log.append((method, arguments))
            try:
                answer = self._call(method, request.headers.get("Authorization", "").removeprefix("Bearer "), arguments)
            except SlackError as error:
                answer = {"ok": False, "error": str(error)}
            return web.json_response(answer)

        return await self.around(
            request,
            method,
            effect,
            limited=lambda: web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(self.retry_after_s)}
            ),
            refused=lambda: web.json_response({"ok": False, "error": "restricted_action"}),
        )

    def _call(self, method: str, token: str, arguments: dict[str, Any]) -> Answer:
        if method == "apps.connections.open":
            if token not in {space.app_token for space in self.workspaces}:
                raise SlackError("invalid_auth")
            return {"ok": True, "url": self.link or f"{self.base_url.replace('http', 'ws')}/link?ticket={self.now()}"}
        space = next((each for each in self.workspaces if each.token == token), None)
        if not token:
            raise SlackError("not_authed")
        if space is None:
            raise SlackError("invalid_auth")
        if space.revoked:
            raise SlackError("token_revoked")
        handler = self._methods().get(method)
        if handler is None or method in self.unknown:
            raise SlackError("unknown_method")
        answer = handler(space, arguments)
        return {"ok": True, **{name: value for name, value in answer.items() if name != "ts" or not self.nameless}}

    def _methods(self) -> Mapping[str, Callable[[Workspace, dict[str, Any]], Answer]]:
        return {
            "auth.test": lambda space, _: {
                "team_id": space.team,
                "team": "Shop",
                "user": "desk",
                "user_id": space.bot_user,
                "bot_id": space.bot_id,
            },
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._whisper,
            "users.info": self._person,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.startStream": self._start_stream,
            "chat.appendStream": self._append_stream,
            "chat.stopStream": self._stop_stream,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "users.conversations": self._conversations,
            "assistant.threads.setStatus": self._set_status,
            "files.info": lambda _, given: {
                "file": {"id": given["file"], "url_private": f"{self.base_url}/files/{given['file']}"}
            },
        }

    def _post(self, space: Workspace, given: dict[str, Any]) -> Answer:
        place = self._open(space, given)
        self._check(given)
        message = self._ours(space, place, given)
        return {"channel": place.id, "ts": message["ts"], "message": message}

    def _whisper(self, space: Workspace, given: dict[str, Any]) -> Answer:
        place = self._open(space, given)
        self.whispers.append((place.id, str(given.get("thread_ts") or ""), given["user"], given["text"]))
        return {"message_ts": self.now()}

    def _person(self, _space: Workspace, given: dict[str, Any]) -> Answer:
        if given["user"] not in self.people:
            raise SlackError("user_not_found")
        return {"user": {"id": given["user"], **self.people[given["user"]]}}

    def _ours(self, space: Workspace, place: Conversation, given: Mapping[str, Any]) -> Message:
        ts = self.now()
        message: Message = {"type": "message", "user": space.bot_user, "bot_id": space.bot_id, "ts": ts, "text": ""}
        message |= {
            name: given[name]
            for name in ("text", "blocks", "metadata", "thread_ts", "reply_broadcast")
            if given.get(name)
        }
        if "markdown_text" in given:
            message["text"] = given["markdown_text"]
        if root := place.messages.get(str(given.get("thread_ts") or "")):
            root |= {"reply_count": root.get("reply_count", 0) + 1, "latest_reply": ts, "thread_ts": root["ts"]}
        place.messages[ts] = message
        return message

    def _check(self, given: Mapping[str, Any]) -> None:
        """The limits of one message."""
        blocks = given.get("blocks") or []
        if not (given.get("text") or blocks or given.get("markdown_text")):
            raise SlackError("no_text")
        if given.get("markdown_text") and (given.get("text") or blocks):
            raise SlackError("markdown_text_conflict")
        if len(str(given.get("text") or "")) > TEXT_CHARACTERS:
            raise SlackError("msg_too_long")
        kinds = {block.get("type") for block in blocks}
        newer = {"context_actions": self.feedback_known, "markdown": self.markdown_known}
        if not all(newer.get(str(kind), True) for kind in kinds):
            raise SlackError("invalid_blocks")
        for block in blocks:
            text = _block_text(block)
            most = {"markdown": MARKDOWN_CHARACTERS, "section": SECTION_CHARACTERS}.get(str(block.get("type")))
            if most is not None and not 0 < len(text) <= most:
                raise SlackError("invalid_blocks")
        if sum(len(_block_text(block)) for block in blocks) > BLOCKS_CHARACTERS:
            raise SlackError("msg_blocks_too_long")
        if len(blocks) > 50:
            raise SlackError("invalid_blocks")

    def _update(self, space: Workspace, given: dict[str, Any]) -> Answer:
        message = self._own_message(space, given)
        if self.frozen:
            raise SlackError("edit_window_closed")
        if self._streams.get(message["ts"], 0.0) > time.monotonic():
            raise SlackError("streaming_state_conflict")
        self._check(given)
        message |= {name: given[name] for name in ("text", "blocks", "metadata") if name in given}
        message["edited"] = {"user": space.bot_id, "ts": self.now()}
        return {"channel": given["channel"], "ts": message["ts"], "text": message["text"]}

    def _delete(self, space: Workspace, given: dict[str, Any]) -> Answer:
        message = self._own_message(space, given)
        if self.frozen:
            raise SlackError("cant_delete_message")
        self._open(space, given).messages.pop(message["ts"])
        return {"channel": given["channel"], "ts": message["ts"]}

    def _start_stream(self, space: Workspace, given: dict[str, Any]) -> Answer:
        place = self._open(space, given)
        if not given.get("thread_ts"):
            raise SlackError("invalid_arguments")
        if place.kind != "im" and not given.get("recipient_user_id"):
            raise SlackError("missing_recipient_user_id")
        if place.kind != "im" and not given.get("recipient_team_id"):
            raise SlackError("missing_recipient_team_id")
        self._check(given)
        message = self._ours(space, place, given)
        self._streams[message["ts"]] = time.monotonic() + self.stream_life_s
        return {"channel": place.id, "ts": message["ts"]}

    def _append_stream(self, space: Workspace, given: dict[str, Any]) -> Answer:
        message = self._streaming(space, given)
        message["text"] += given["markdown_text"]
        if len(message["text"]) > MARKDOWN_CHARACTERS:
            raise SlackError("msg_too_long")
        return {"channel": given["channel"], "ts": message["ts"]}

    def _stop_stream(self, space: Workspace, given: dict[str, Any]) -> Answer:
        message = self._streaming(space, given)
        self._streams.pop(message["ts"])
        message["text"] += given.get("markdown_text") or ""
        message |= {name: given[name] for name in ("blocks", "metadata") if name in given}
        return {"channel": given["channel"], "ts": message["ts"], "message": message}

    def _streaming(self, space: Workspace, given: dict[str, Any]) -> Message:
        message = self._own_message(space, given)
        if message["ts"] in self._stopped:
            raise SlackError("stopped_by_user")
        if self._streams.get(message["ts"], 0.0) <= time.monotonic():
            self._streams.pop(message["ts"], None)
            raise SlackError("message_not_in_streaming_state")
        return message

    def _set_status(self, space: Workspace, given: dict[str, Any]) -> Answer:
        self._open(space, {"channel": given["channel_id"]})
        self.statuses.append((given["channel_id"], given["thread_ts"], given["status"]))
        return {}

    def _history(self, space: Workspace, given: dict[str, Any]) -> Answer:
        place = self._open(space, given, reading=True)
        roots = [each for each in place.visible if each.get("thread_ts") in {None, each["ts"]}]
        return _page(list(reversed(roots)), given)

    def _replies(self, space: Workspace, given: dict[str, Any]) -> Answer:
        place = self._open(space, given, reading=True)
        if given["ts"] not in place.messages:
            raise SlackError("thread_not_found")
        parent = [place.messages[given["ts"]]]
        replies = [each for each in place.visible if each.get("thread_ts") == given["ts"] != each["ts"]]
        page = _page(replies, given)
        page["messages"] = parent + page["messages"]  # the parent comes whatever was asked for
        return page

    def _conversations(self, space: Workspace, given: dict[str, Any]) -> Answer:
        rooms = [
            {
                "id": place.id,
                "is_im": place.kind == "im",
                "is_mpim": place.kind == "mpim",
                "is_private": place.kind == "group",
                "is_ext_shared": place.ext_shared,
            }
            for (team, _), place in sorted(self.places.items())
            if team == space.team and place.member and not place.archived
        ]
        page = _page(rooms, {"limit": given.get("limit"), "cursor": given.get("cursor")})
        return {"channels": page["messages"], "response_metadata": page["response_metadata"]}

    def _open(self, space: Workspace, given: Mapping[str, Any], *, reading: bool = False) -> Conversation:
        place = self.places.get((space.team, str(given.get("channel"))))
        if place is None:
            raise SlackError("channel_not_found")
        if place.archived and not reading:
            raise SlackError("is_archived")
        if not place.member:
            raise SlackError("not_in_channel")
        return place

    def _own_message(self, space: Workspace, given: Mapping[str, Any]) -> Message:
        message = self._open(space, given).messages.get(str(given.get("ts")))
        if message is None:
            raise SlackError("message_not_found")
        if message.get("bot_id") != space.bot_id:
            raise SlackError("cant_update_message")
        return message

    def _space(self, team: str) -> Workspace:
        return next(each for each in self.workspaces if each.team == team)

    # ---- files

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """A file for a token; without the right one a page that asks to sign in, with status 200."""
        self.calls["file"] += 1
        name = request.match_info["name"]
        tokens = {f"Bearer {space.token}" for space in self.workspaces}
        if request.headers.get("Authorization") not in tokens:
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        if self.file_status != 200:
            return web.Response(status=self.file_status)
        if name == "elsewhere":
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/stolen"})
        if name not in self.files:
            return web.Response(status=404)
        mime, content = self.files[name]
        if mime == "cut":
            cut = web.StreamResponse(headers={"Content-Length": "1000"})
            await cut.prepare(request)
            await cut.write(content)
            assert request.transport is not None
            request.transport.abort()
            return cut
        return web.Response(body=content, content_type=mime)

    # ---- Socket Mode

    async def _link(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets) + 1})
        self.sockets.append(socket)
        self._joined.set()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledged(json.loads(frame.data))
        finally:
            if socket in self.sockets:
                self.sockets.remove(socket)
        return socket

    def _acknowledged(self, answer: Mapping[str, Any]) -> None:
        if envelope := self.envelopes.get(str(answer.get("envelope_id"))):
            envelope.acked.set()

    def push(self, payload: Mapping[str, Any], kind: str = "events_api") -> Envelope:
        """Send a payload over a socket, again and again until it is acknowledged."""
        envelope = Envelope(f"env-{self.now()}", kind, payload)
        self.envelopes[envelope.id] = envelope
        task = asyncio.create_task(self._push(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return envelope

    async def _push(self, envelope: Envelope) -> None:
        while not envelope.acked.is_set():
            while not self.sockets:
                self._joined.clear()
                await self._joined.wait()
            body = {"envelope_id": envelope.id, "type": envelope.kind, "payload": envelope.payload}
            body |= {"retry_attempt": envelope.tries, "accepts_response_payload": False}
            with suppress(ConnectionError):
                self.sent_envelopes.append(envelope.id)
                await self.sockets[envelope.tries % len(self.sockets)].send_json(body)
            envelope.tries += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(envelope.acked.wait(), self.ack_s)

    async def renew(self) -> None:
        """Ask every connection to come again, as Slack does about hourly."""
        for socket in list(self.sockets):
            self.sockets.remove(socket)  # nothing more is sent over it
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})

    def drop(self) -> None:
        """Cut every connection without a word."""
        for socket in list(self.sockets):
            self.sockets.remove(socket)
            transport = socket.get_extra_info("socket") and socket._req.transport  # type: ignore[union-attr]
            if transport is not None:
                transport.abort()

    async def stop(self) -> None:
        """End deliveries and close every connection."""
        for task in self._tasks:
            task.cancel()
        for socket in list(self.sockets):
            await socket.close()
        await super().stop()


def hook(url: str, secret: str, payload: Mapping[str, Any], number: int = 0, *, at_s: float | None = None) -> Hook:
    """A signed delivery; interactions travel as a form with one JSON field."""
    text = json.dumps(payload)
    event = payload.get("type") in {"event_callback", "url_verification", "app_rate_limited"}
    body = (text if event else urlencode({"payload": text})).encode()
    kind = "application/json" if event else "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, **signature(secret, body, at_s)}
    if number:
        headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": "http_error"}
    return Hook(url, body, headers)


def signature(secret: str, body: bytes, at_s: float | None = None) -> dict[str, str]:
    """The two headers, made without the vendor's library."""
    stamp = str(int(time.time() if at_s is None else at_s))
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mac}"}


def courier(hurry: float = 100.0, **habits: Any) -> Courier:
    """Slack's patience, quicker."""
    return Courier(SLACK, hurry=hurry, **habits)


async def _arguments(request: web.Request) -> dict[str, Any]:
    """Query, form and JSON in one, as Slack takes them."""
    given: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        given |= await request.json()
    elif request.can_read_body:
        given |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return given


def _page(messages: Sequence[Message], given: Mapping[str, Any]) -> Answer:
    """Between oldest and latest (exclusive), cut into pages; metadata only for who asks for all of it."""
    oldest, latest = float(given.get("oldest") or 0), float(given.get("latest") or "inf")
    found = [each for each in messages if "ts" not in each or oldest < float(each["ts"]) < latest]
    start, size = int(given.get("cursor") or 0), int(given.get("limit") or 100)
    whole = str(given.get("include_all_metadata", "")).lower() in {"1", "true"}
    cut = [
        each if whole else {k: v for k, v in each.items() if k != "metadata"} for each in found[start : start + size]
    ]
    following = str(start + size) if start + size < len(found) else ""
    return {"messages": cut, "has_more": bool(following), "response_metadata": {"next_cursor": following}}


def _block_text(block: Mapping[str, Any]) -> str:
    text = block.get("text", "")
    return str(text.get("text", "")) if isinstance(text, Mapping) else str(text)


def _buttons(blocks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every button with the element that holds it."""
    for block in blocks:
        for element in block.get("elements", ()):
            if element["type"] == "feedback_buttons":
                yield element, element["positive_button"]
                yield element, element["negative_button"]
            elif element["type"] == "button":
                yield element, element
