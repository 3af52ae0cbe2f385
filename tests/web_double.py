"""A small double of the web channel's HTTP interface, so that the widget can be driven through every case on command.

It speaks the contract of the chat frame (session, snapshot, messages, feedback, handoff, stop, server-sent events) and
adds what a test needs: drafts written word by word, faults on demand, and a log of every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

WIDGET = Path(__file__).parent.parent / "channels" / "widget"
LIMIT_BYTES = 8 * 1024
LOOK_S = 0.1  # how often an open stream looks whether its browser left
PING_S = 15.0
SCRIPT_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    path_qs: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Fault:
    """What goes wrong with the next message a customer posts; status 0 accepts it and loses the answer."""

    status: int
    retry_after_s: int = 0


@dataclass
class Draft:
    """The answer being written."""

    turn: int
    attempt: int
    text: str = ""


@dataclass
class Conversation:
    """One visitor's thread: its committed events, the draft of the moment, and the streams that listen."""

    id: str
    visitor: str
    seq: int = 0
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    posted: dict[str, dict[str, Any]] = field(default_factory=dict)
    posts: Counter[str] = field(default_factory=Counter)
    status: str = "bot"
    position: int | None = None
    model: str = "ready"
    retained_after: int = 0
    draft: Draft | None = None
    turns: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    listeners: set[asyncio.Queue[bytes | None]] = field(default_factory=set)

    def commit(self, event: str, data: dict[str, Any]) -> None:
        """Appends a numbered event and hands it to every stream."""
        self.seq += 1
        if event == "message":
            data = {**data, "seq": self.seq}
            self.messages[data["id"]] = data
        self.events.append((self.seq, event, data))
        self.push(frame(event, data, self.seq))

    def push(self, chunk: bytes | None) -> None:
        """Hands bytes to every stream; None closes them."""
        for listener in self.listeners:
            listener.put_nowait(chunk)

    def say(self, role: str, text: str, **more: object) -> dict[str, Any]:
        """Commits a message and returns it as the snapshot shows it."""
        message = {"id": secrets.token_hex(8), "role": role, "text": text, "at": time.time(), **more}
        self.commit("message", message)
        return self.messages[str(message["id"])]

    def begin(self, attempt: int = 1) -> None:
        """Starts the draft of a new turn, or another attempt at the same turn."""
        self.turns += attempt == 1
        self.draft = Draft(self.turns, attempt)
        self.commit("draft_started", {"turn": self.turns, "attempt": attempt})

    def write(self, text: str) -> None:
        """Appends text to the draft."""
        assert self.draft is not None
        offset, self.draft.text = len(self.draft.text), self.draft.text + text
        self.push(frame("draft", {**self.key(), "offset": offset, "text": text}))

    def key(self) -> dict[str, int]:
        """Names the draft of the moment."""
        assert self.draft is not None
        return {"turn": self.draft.turn, "attempt": self.draft.attempt}

    def finish(self, how: str = "final", **more: object) -> None:
        """Ends the draft; final commits its text as a message first."""
        assert self.draft is not None
        key, text, self.draft = self.key(), self.draft.text, None
        message = self.say("assistant", text, turn=key["turn"], **more) if how == "final" else None
        self.commit("draft_ended", {**key, "how": how, **({"message_id": message["id"]} if message else {})})

    def set_state(self, status: str, position: int | None = None) -> None:
        """Changes who answers."""
        self.status, self.position = status, position
        self.commit("state", {"status": status, "position": position})

    def set_model(self, model: str) -> None:
        """Tells the streams how the model is."""
        self.model = model
        self.push(frame("status", {"model": model}))

    def customer_texts(self) -> list[str]:
        """What the customer said, in order, as committed."""
        return [message["text"] for message in self.messages.values() if message["role"] == "customer"]


def frame(event: str, data: dict[str, Any], seq: int | None = None) -> bytes:
    """Encodes one server-sent event."""
    head = f"id: {seq}\n" if seq is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def problem(status: int, title: str, **headers: str) -> web.Response:
    """Answers in the form every error of the interface has."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": title}
    return web.json_response(body, status=status, content_type="application/problem+json", headers=headers)


class WebDouble:
    """The desk's web channel on a loopback port, with its controls in the open."""

    def __init__(self, shop_origin: str = "") -> None:
        self.shop_origin = shop_origin
        self.base_url = ""
        self.conversations: dict[str, Conversation] = {}
        self.tokens: dict[str, str] = {}
        self.requests: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.cuts: deque[str] = deque()
        self.expired: set[str] = set()
        self.refuse_streams = False
        self.most_streams = 0
        self.on_message: Callable[[Conversation, str], None] | None = None
        self._runner: web.AppRunner | None = None

    @property
    def conversation(self) -> Conversation:
        """The newest conversation."""
        return next(reversed(self.conversations.values()))

    @property
    def open_streams(self) -> int:
        """How many event streams are open now."""
        return sum(len(each.listeners) for each in self.conversations.values())

    async def start(self, port: int = 0) -> None:
        """Listens on loopback; `base_url` is known afterwards."""
        app = web.Application(middlewares=[self._record])
        app.add_routes(
            [
                web.get("/web/frame", self._frame),
                web.get("/web/demo", self._demo),
                web.post("/web/session", self._session),
                web.post("/web/session/end", self._end),
                web.get("/web/conversations/{id}", self._bound(self._snapshot)),
                web.get("/web/conversations/{id}/events", self._bound(self._events)),
                web.post("/web/conversations/{id}/{what}", self._bound(self._post)),
                web.get("/widget.js", self._file),
                web.get("/web/{name}", self._file),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Closes every stream and the port."""
        self.drop_streams()
        if self._runner:
            await self._runner.cleanup()

    def drop_streams(self) -> None:
        """Cuts every open stream, as a dying proxy does."""
        for each in self.conversations.values():
            each.push(None)

    def expire_tokens(self) -> None:
        """Refuses every token of the moment; they still prove who renews a session."""
        self.expired.update(self.tokens)

    @staticmethod
    async def _cut(request: web.Request) -> web.StreamResponse:
        """Begins an answer and dies in the middle of its body."""
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "500"})
        await response.prepare(request)
        await response.write(b'{"conversation_id": "')
        assert request.transport is not None
        request.transport.abort()
        return response

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        body: dict[str, Any] = {}
        if request.method == "POST":
            body = await request.json()
        self.requests.append(Seen(request.method, request.path_qs, dict(request.headers), body))
        if request.method == "POST" and request.headers.get("Origin") != self.base_url:
            return problem(403, "Origin is not on the list")
        if self.cuts and self.cuts[0] in request.path.split("/"):
            self.cuts.popleft()
            return await self._cut(request)
        return await handler(request)

    def _page(self, name: str, policy: str) -> web.Response:
        text = (WIDGET / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _frame(self, _request: web.Request) -> web.Response:
        return self._page("frame.html", f"{SCRIPT_POLICY}; frame-ancestors 'self' {self.shop_origin}".strip())

    async def _demo(self, _request: web.Request) -> web.Response:
        return self._page("demo.html", f"{SCRIPT_POLICY}; frame-src 'self'")

    async def _file(self, request: web.Request) -> web.Response:
        path = WIDGET / request.match_info.get("name", "widget.js")
        if path.parent != WIDGET or path.suffix not in KINDS or not path.is_file():
            return problem(404, "No such file")
        text = path.read_text(encoding="utf-8")
        return web.Response(text=text, content_type=KINDS[path.suffix], headers={"Cache-Control": "no-cache"})

    async def _session(self, request: web.Request) -> web.Response:
        body = await request.json()
        verified = str(body.get("identity", "")).startswith("valid:")
        visitor = body["identity"] if verified else self.tokens.get(body.get("token", ""), secrets.token_hex(8))
        known = next((each for each in self.conversations.values() if each.visitor == visitor), None)
        conversation = known or Conversation(secrets.token_hex(12), visitor)
        self.conversations[conversation.id] = conversation
        token = f"tok_{secrets.token_hex(16)}"
        self.tokens[token] = visitor
        answer = {
            "token": token,
            "expires_at": time.time() + 3600,
            "visitor_id": visitor[:4],
            "conversation_id": conversation.id,
            "disclosure": "You are talking to an AI assistant. A person from our team can join at any time.",
            "name": "Marlow & Pine",
            "verified": verified,
        }
        return web.json_response(answer)

    async def _end(self, request: web.Request) -> web.Response:
        visitor = self.tokens.pop(request.headers["Authorization"].removeprefix("Bearer "), None)
        for each in self.conversations.values():
            if each.visitor == visitor:
                each.commit("session_ended", {})
        return web.Response(status=204)

    def _bound(self, handler: Callable[[web.Request, Conversation], Awaitable[web.StreamResponse]]) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.tokens or token in self.expired:
                return problem(401, "The session has ended")
            conversation = self.conversations.get(request.match_info["id"])
            if conversation is None or conversation.visitor != self.tokens[token]:
                return problem(404, "No such conversation")
            return await handler(request, conversation)

        return checked

    async def _snapshot(self, _request: web.Request, conversation: Conversation) -> web.Response:
        body = {
            "conversation_id": conversation.id,
            "status": conversation.status,
            "position": conversation.position,
            "last_event_id": conversation.seq,
            "messages": list(conversation.messages.values())[-100:],
            "model": conversation.model,
        }
        return web.json_response(body)

    async def _events(self, request: web.Request, conversation: Conversation) -> web.StreamResponse:
        if self.refuse_streams:
            return problem(503, "Away")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        last = int(request.headers.get("Last-Event-ID", "0"))
        if last < conversation.retained_after:
            queue.put_nowait(frame("reset", {"last_event_id": conversation.seq}))
        for seq, event, data in conversation.events:
            if seq > max(last, conversation.retained_after):
                queue.put_nowait(frame(event, data, seq))
        if conversation.draft is not None:
            queue.put_nowait(frame("draft", {**conversation.key(), "offset": 0, "text": conversation.draft.text}))
        conversation.listeners.add(queue)
        self.most_streams = max(self.most_streams, self.open_streams)
        try:
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await self._pump(request, response, queue)
        finally:
            conversation.listeners.discard(queue)
        return response

    @staticmethod
    async def _pump(request: web.Request, response: web.StreamResponse, queue: asyncio.Queue[bytes | None]) -> None:
        pinged = time.monotonic()
        await response.write(b": here\n\n")
        while request.transport is not None and not request.transport.is_closing():
            chunk: bytes | None = b""
            with contextlib.suppress(TimeoutError):
                chunk = await asyncio.wait_for(queue.get(), LOOK_S)
            if chunk is None:
                if request.transport is not None:
                    request.transport.abort()
                return
            if not chunk and time.monotonic() - pinged > PING_S:
                pinged, chunk = time.monotonic(), b": ping\n\n"
            if chunk:
                await response.write(chunk)

    async def _post(self, request: web.Request, conversation: Conversation) -> web.StreamResponse:
        what, body = request.match_info["what"], await request.json()
        conversation.calls.append((what, body))
        if what == "messages":
            return self._message(request, conversation, body)
        if what == "handoff":
            conversation.set_state("waiting", 2)
            return web.json_response({"status": "waiting", "position": 2}, status=202)
        if what == "stop":
            if conversation.draft is not None:
                conversation.finish(stopped=True)
            return web.Response(status=202)
        if what == "feedback":
            conversation.messages[body["message_id"]]["feedback"] = body["value"]
            conversation.commit("feedback", {"message_id": body["message_id"], "value": body["value"]})
        return web.Response(status=204)

    def _message(self, request: web.Request, conversation: Conversation, body: dict[str, Any]) -> web.StreamResponse:
        key, text = body["client_message_id"], body["text"]
        conversation.posts[key] += 1
        fault = self.faults.popleft() if self.faults else None
        if fault and fault.status:
            headers = {"Retry-After": str(fault.retry_after_s)} if fault.retry_after_s else {}
            return problem(fault.status, "Not now", **headers)
        if not text.strip():
            return problem(422, "Empty")
        if len(text.encode()) > LIMIT_BYTES:
            return problem(413, "Text over 8 kB")
        duplicate = key in conversation.posted
        message = conversation.posted.get(key) or conversation.say("customer", text, client_message_id=key)
        conversation.posted[key] = message
        if fault:
            assert request.transport is not None
            request.transport.abort()
        elif not duplicate and self.on_message:
            self.on_message(conversation, text)
        answer = {"message_id": message["id"], "seq": message["seq"], "duplicate": duplicate}
        return web.json_response(answer, status=202)
