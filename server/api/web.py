"""The web channel over HTTP: sessions, messages up, events down, ratings, a wish for a person, stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from channels.base import Rejected
from channels.message import Inbound
from channels.web import TEXT_BYTES, Visitor, WebChannel, origin_of
from config.settings import Settings
from server.api.stream import EventStream
from server.api.web_shapes import FeedbackBody, HandoffBody, MessageBody, SessionBody, greeting, message_of
from server.auth.attempts import address_key
from server.buckets import Buckets
from server.conversation import NotFound, Reason, Refused, SignedOut, Status
from server.feedback import Feedback
from server.gateway import Gateway
from server.handoff import Handoff, shown, wait_for_person
from server.hub import Hub
from server.ids import new_id
from server.problems import Problem, too_many
from server.routes import Role, Route, client_ip, read_body
from server.store.contract import Row, Store, Tx
from server.telemetry import Metrics
from server.timeline import lock, state_of

SNAPSHOT_MESSAGES = 100
DAY_S = 86_400
ID_DIGITS = 18  # of an event id: more than any store counts to
ACTIONS_PER_MINUTE = 60  # of one visitor, besides messages: ratings, stops, wishes for a person
SHARED = 10  # visitors behind one address that may write at full speed at once
STREAMS_RETRY_S = 5.0
STREAMS = 20  # open at once per visitor: browsers share one over all their tabs
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": "600",  # seconds
}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class WebApi:
    """Routes under ``/web/`` that visitors call; every one checks the visitor's token itself."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        handoff: Handoff,
        feedback: Feedback,
        hub: Hub,
        metrics: Metrics,
        settings: Settings,
        channels: Mapping[str, WebChannel],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._handoff = handoff
        self._feedback = feedback
        self._hub = hub
        self._metrics = metrics
        self._settings = settings
        self._channels = channels
        self._closing = asyncio.Event()
        accounts = settings.channels.web
        self._visitors = {name: Buckets(account.messages_per_minute) for name, account in accounts.items()}
        self._addresses = {name: Buckets(account.sessions_per_minute) for name, account in accounts.items()}
        self._actions = Buckets(ACTIONS_PER_MINUTE)
        self._senders = {name: Buckets(SHARED * account.messages_per_minute) for name, account in accounts.items()}
        self._streams: Counter[str] = Counter()
        self._sites = {name: Buckets(account.site_messages_per_minute) for name, account in accounts.items()}

    def routes(self) -> list[Route]:
        """Every address of the web channel."""
        one = "/web/conversations/{id}"
        table = [
            Route("POST", "/web/session", self.session, Role.PUBLIC, "Begin or refresh a visitor's session",
                  body=SessionBody),
            Route("POST", "/web/session/end", self.end, Role.VISITOR, "Sign the visitor out"),
            Route("GET", one, self.snapshot, Role.VISITOR, "The conversation as it is now"),
            Route("POST", f"{one}/messages", self.message, Role.VISITOR, "Say something", body=MessageBody),
            Route("POST", f"{one}/feedback", self.rate, Role.VISITOR, "Rate an answer", body=FeedbackBody),
            Route("POST", f"{one}/handoff", self.ask, Role.VISITOR, "Ask for a person", body=HandoffBody),
            Route("POST", f"{one}/stop", self.stop, Role.VISITOR, "Stop the answer being written"),
            Route("GET", f"{one}/events", self.events, Role.VISITOR, "Follow the conversation (server-sent events)"),
        ]  # fmt: skip
        asked = sorted({route.path for route in table})
        summary = "Which sites' own pages may call this"
        return table + [Route("OPTIONS", path, self.preflight, Role.PUBLIC, summary) for path in asked]

    async def preflight(self, request: web.Request) -> web.Response:
        """204 for a listed site, 403 for every other page; the frame itself is same-origin and never asks."""
        if not self._shared_with(request):
            raise Problem(403, "Origin not allowed", "This site is not in channels.web.allowed_origins.")
        return web.Response(status=204, headers=PREFLIGHT)

    async def share(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let pages of listed sites read the answers: echo a listed origin, never another (runs before each head)."""
        if request.path.startswith(("/web/session", "/web/conversations/")):
            response.headers["Vary"] = "Origin"
            if self._shared_with(request):
                response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
                response.headers["Access-Control-Expose-Headers"] = "Retry-After"

    def _shared_with(self, request: web.Request) -> bool:
        origin = request.headers.get("Origin")
        sites = (channel.sites for channel in self._channels.values() if channel.settings.enabled)
        return any(origin in allowed for allowed in sites)

    async def close_streams(self) -> None:
        """End every event stream with ``resume``, so that its reader comes back to another process."""
        self._closing.set()
        self._hub.wake("")

    async def session(self, request: web.Request) -> web.Response:
        """Issue a token; an identity proof that holds moves the visitor to the customer's own conversation."""
        body = await read_body(request, SessionBody)
        channel = self._channel(body.account)
        self._check_origin(request, channel)
        now = time.time()
        visitor = self._known(channel, body.token, now)
        if visitor is not None and await self._signed_out(visitor):
            visitor = None
        if visitor is None:  # a refresh costs nothing: an office behind one address has many pages open
            self._limit(self._addresses[channel.account], address_key(client_ip(request, self._settings.http)))
            visitor = self._stranger(channel, now)
        customer = channel.identify(body.identity, now) if body.identity else None
        if customer is not None:
            visitor = await self._proven(channel, visitor, customer)
        elif body.identity and visitor.verified:
            visitor = self._stranger(channel, now)  # somebody else on a shared browser, whose proof does not hold
        issued = Visitor(
            channel.account,
            visitor.visitor_id,
            visitor.conversation_id,
            visitor.address,
            visitor.verified,
            now,
            int(now + channel.settings.token_days * DAY_S),
        )
        name = channel.settings.name or self._settings.name
        return web.json_response(
            {
                "token": channel.issue(issued),
                "expires_at": issued.expires_at,
                "visitor_id": issued.visitor_id,
                "conversation_id": issued.conversation_id,
                "verified": issued.verified,
                "name": name,
                "greeting": channel.settings.greeting,
                "disclosure": "ai",
            }
        )

    async def end(self, request: web.Request) -> web.Response:
        """Tell every page of this visitor to forget the conversation."""
        visitor, _ = await self._acting(request)

        async def unit(tx: Tx) -> None:
            try:
                timeline = await lock(tx, visitor.conversation_id)
            except NotFound:
                return
            timeline.signed_out_at = tx.now_s
            timeline.emit("session_ended", {})
            await timeline.save()

        await self._store.write(unit, order=visitor.conversation_id)
        return web.Response(status=204)

    async def snapshot(self, request: web.Request) -> web.Response:
        """State, latest messages and the event id they are current to."""
        visitor, _ = self._visitor(request)
        row = await self._store.row("conversations.read", id=visitor.conversation_id)
        _check_current(visitor, row)
        answer: dict[str, Any] = {
            "conversation_id": visitor.conversation_id,
            "status": Status.BOT.value,
            "reason": None,
            "position": None,
            "last_event_id": 0,
            "messages": [],
            "model": self._hub.model_state,
        }
        if row is not None:
            messages = await self._store.rows(
                "conversations.messages_before",
                conversation_id=visitor.conversation_id,
                seq=row["seq"],
                limit=SNAPSHOT_MESSAGES,
            )
            state = shown(state_of(row))
            answer |= {key: state[key] for key in ("status", "reason")}
            answer["position"] = await self._position(row)
            answer["last_event_id"] = row["seq"]
            answer["messages"] = [message_of(message) for message in reversed(messages)]
        return web.json_response(answer)

    async def message(self, request: web.Request) -> web.Response:
        """Store a message; the 202 leaves only after the commit is on disk."""
        visitor, channel = self._visitor(request)
        body = await read_body(request, MessageBody)
        now = time.time()
        payload = {"visitor": visitor, "client_message_id": body.client_message_id, "text": body.text,
                   "locale": body.locale}  # fmt: skip
        (inbound,) = _normalized(channel, payload, now)
        self._limit(self._visitors[channel.account], visitor.visitor_id)
        self._limit(self._senders[channel.account], address_key(client_ip(request, self._settings.http)))
        self._limit(self._sites[channel.account], channel.account)
        try:
            receipt = await self._gateway.accept(inbound)
        except SignedOut:
            raise _ended() from None
        return web.json_response(
            {"message_id": receipt.message_id, "seq": receipt.seq, "duplicate": receipt.duplicate}, status=202
        )

    async def rate(self, request: web.Request) -> web.Response:
        """Thumbs up or down with a reason, or their withdrawal."""
        visitor, _ = await self._acting(request)
        body = await read_body(request, FeedbackBody)
        giver = ("customer", visitor.address)
        try:
            await self._feedback.rate(
                visitor.conversation_id, body.message_id, giver, body.value, reason=body.reason, comment=body.comment
            )
        except NotFound as error:
            raise Problem(404, "Not found", str(error)) from None
        except Refused as error:
            raise Problem(409, "Not possible", str(error)) from None
        return web.Response(status=204)

    async def ask(self, request: web.Request) -> web.Response:
        """Let the conversation wait for a person, also before the first message."""
        visitor, channel = await self._acting(request)
        body = await read_body(request, HandoffBody)
        self._limit(self._visitors[channel.account], visitor.visitor_id)
        inbound = greeting(visitor, body.locale)

        async def unit(tx: Tx) -> dict[str, Any]:
            timeline = await self._gateway.open(tx, inbound)
            return await wait_for_person(tx, timeline, Reason.CUSTOMER_ASKED)

        answer = await self._store.write(unit, order=visitor.conversation_id)
        return web.json_response({"status": answer["status"], "position": answer["position"]}, status=202)

    async def stop(self, request: web.Request) -> web.Response:
        """Stop the answer being written; what was written so far stays."""
        visitor, _ = await self._acting(request)
        try:
            stopping = await self._handoff.stop(visitor.conversation_id)
        except NotFound:
            stopping = False
        return web.json_response({"stopping": stopping}, status=202)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The stream; ``Last-Event-ID`` resumes it."""
        visitor, _ = self._visitor(request)
        last = request.headers.get("Last-Event-ID", "").strip()
        if last and not (last.isascii() and last.isdigit() and len(last) <= ID_DIGITS):
            raise Problem(422, "Invalid input", "Last-Event-ID must be the id of an event of this stream.")
        if self._streams[visitor.visitor_id] >= STREAMS:
            raise too_many(STREAMS_RETRY_S, f"More than {STREAMS} event streams are open; close some.")
        row = await self._store.row("conversations.read", id=visitor.conversation_id)
        _check_current(visitor, row)
        after = int(last) if last else None
        stream = EventStream(self._store, self._hub, visitor.conversation_id, after, self._closing)
        self._streams[visitor.visitor_id] += 1
        try:
            with self._metrics.sse_connections.labels("visitor").track_inprogress():
                return await stream.serve(request)
        finally:
            self._streams[visitor.visitor_id] -= 1
            if not self._streams[visitor.visitor_id]:
                del self._streams[visitor.visitor_id]

    def _channel(self, account: str) -> WebChannel:
        channel = self._channels.get(account)
        if channel is None or not channel.settings.enabled:
            raise Problem(404, "Not found", "There is no web account of this name; check data-account.")
        return channel

    def _visitor(self, request: web.Request) -> tuple[Visitor, WebChannel]:
        """Who calls: 403 for a foreign page, 401 without a valid token, 404 for a conversation of somebody else."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, "No session", "Send the visitor's token as `Authorization: Bearer <token>`.")
        now = time.time()
        for channel in filter(lambda channel: channel.settings.enabled, self._channels.values()):
            visitor = self._known(channel, token, now)
            if visitor is not None:
                self._check_origin(request, channel)
                if request.match_info.get("id", visitor.conversation_id) != visitor.conversation_id:
                    raise Problem(404, "Not found", "There is no such conversation.")
                return visitor, channel
        raise _ended()

    async def _acting(self, request: web.Request) -> tuple[Visitor, WebChannel]:
        """Like ``_visitor`` for what is not a message: also 401 after a sign-out, 429 when it happens too often."""
        visitor, channel = self._visitor(request)
        self._limit(self._actions, visitor.visitor_id)
        _check_current(visitor, await self._store.row("conversations.read", id=visitor.conversation_id))
        return visitor, channel

    async def _signed_out(self, visitor: Visitor) -> bool:
        row = await self._store.row("conversations.read", id=visitor.conversation_id)
        return row is not None and visitor.issued_at <= (row["signed_out_at"] or 0.0)

    @staticmethod
    def _known(channel: WebChannel, token: str | None, now_s: float) -> Visitor | None:
        try:
            return channel.read(token, now_s) if token else None
        except Rejected:
            return None

    @staticmethod
    def _stranger(channel: WebChannel, now_s: float) -> Visitor:
        visitor_id = new_id()
        return Visitor(channel.account, visitor_id, new_id(), visitor_id, verified=False, issued_at=now_s,
                       expires_at=0)  # fmt: skip

    async def _proven(self, channel: WebChannel, visitor: Visitor, customer: str) -> Visitor:
        """The customer's own conversation, made at once so that all their devices share one id."""
        address = f"user:{customer}"
        if visitor.address == address:
            return visitor
        proven = Visitor(channel.account, new_id(), new_id(), address, verified=True, issued_at=0.0, expires_at=0)

        async def unit(tx: Tx) -> str:
            timeline = await self._gateway.open(tx, greeting(proven, "en"))
            return timeline.id

        conversation_id = await self._store.write(unit, order=address)
        return Visitor(channel.account, proven.visitor_id, conversation_id, address, verified=True, issued_at=0.0,
                       expires_at=0)  # fmt: skip

    def _check_origin(self, request: web.Request, channel: WebChannel) -> None:
        own = "" if self._settings.http.public_url else self._page_origin(request)
        if not channel.origin_allowed(request.headers.get("Origin"), own):
            detail = (
                "This site may not use the chat; an admin adds it to channels.web.allowed_origins, or sets "
                "http.public_url when this is the desk's own page."
            )
            raise Problem(403, "Origin not allowed", detail)

    def _page_origin(self, request: web.Request) -> str:
        """The origin of our own pages on a laptop without a public URL; empty for a host that is not ours."""
        try:
            url = request.url
        except ValueError:
            raise Problem(400, "Bad host", "The Host header is not a valid host and port.") from None
        return origin_of(str(url)) if url.host in {*LOOPBACK, self._settings.http.host} else ""

    @staticmethod
    def _limit(buckets: Buckets, key: str) -> None:
        wait_s = buckets.take(key)
        if wait_s:
            raise too_many(wait_s, "Too much in a short time; wait a moment and send it again.")

    async def _position(self, row: Row) -> int | None:
        if row["status"] != Status.WAITING.value:
            return None
        before = await self._store.row("conversations.waiting_before", tenant=row["tenant"], since=row["waiting_since"])
        return 1 + (before["n"] if before else 0)


def _ended() -> Problem:
    return Problem(401, "Session ended", "The session token is not valid any more; start a new session.")


def _check_current(visitor: Visitor, row: Row | None) -> None:
    """Refuse a session that began before the customer signed out; raises 401."""
    if row is not None and visitor.issued_at <= (row["signed_out_at"] or 0.0):
        raise _ended()


def _normalized(channel: WebChannel, payload: Mapping[str, Any], now_s: float) -> list[Inbound]:
    try:
        return channel.normalize(payload, now_s=now_s)
    except Rejected as error:
        title = f"Longer than {TEXT_BYTES} bytes" if error.status == web.HTTPRequestEntityTooLarge.status_code else ""
        raise Problem(error.status, title, error.reason) from None
