"""A double of Meta's Cloud API for WhatsApp: the messages and media endpoints, signed batches, unordered statuses.

In a test::

    async with MetaDouble().running() as meta:
        meta.webhook_url = "http://127.0.0.1:8080/webhooks/whatsapp/meta"
        await meta.say("4915112345678", "Where is my parcel?")
        meta.seen("4915112345678")

Bodies are escaped as Meta escapes them (``\\ud83d\\ude00``, ``\\/``), so only the raw bytes fit the signature.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from tests.doubles.platform import META, Courier, Delivered, Faults, Hook, Patience, Platform

WINDOW_S = 86_400.0
TEXT_CHARACTERS = 4_096
BUTTON_BODY_CHARACTERS = 1_024
PAIR_S = 6.0


@dataclass
class Message:
    """One message to a customer; ``shown`` None = never arrived."""

    wamid: str
    to: str
    payload: Mapping[str, Any]
    shown: str | None
    error_code: int = 0


class MetaDouble(Platform):
    """One phone number of a WhatsApp business account."""

    def __init__(
        self,
        *,
        phone_number_id: str = "106540352242922",
        access_token: str = "EAAtoken",
        app_secret: str = "secret-of-the-app",
        verify_token: str = "word-of-the-handshake",
        faults: Faults | None = None,
        hang_s: float = 30.0,
        window: str = "off",
        pair_burst: int = 0,
        statuses: str = "off",
        courier: Courier | None = None,
        patience: Patience = META,
        seed: int = 0,
    ) -> None:
        super().__init__(faults, hang_s=hang_s)
        self.phone_number_id, self.access_token = phone_number_id, access_token
        self.app_secret, self.verify_token = app_secret, verify_token
        self.window = window  # off | answer (131047 at once) | status (131047 in a status)
        self.pair_burst = pair_burst  # messages to one customer within PAIR_S before 131056; 0 = no limit
        self.statuses = statuses  # off | ordered | wild (shuffled and repeated)
        self.webhook_url = ""
        self.messages: list[Message] = []
        self.typing: list[str] = []
        self.files: dict[str, tuple[str, bytes]] = {}  # media id -> type, content
        self.file_url = ""  # where the files are said to be; empty = here
        self.clock = time.time
        self._last_heard: dict[str, float] = {}
        self._sends: defaultdict[str, list[float]] = defaultdict(list)
        self._courier = courier or Courier(patience, hurry=10.0)
        self._random = random.Random(seed)
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        number = f"/{{version}}/{phone_number_id}"
        self.app.add_routes(
            [
                web.post(f"{number}/messages", self._messages),
                web.post(f"{number}/media", self._upload),
                web.get(number, self._number),
                web.get("/file/{id}", self._file),
                web.get("/{version}/{id}", self._media),
            ]
        )

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[Self]:
        """Listen, and deliver webhooks until the end of the block."""
        async with super().running(port), self._courier.running():
            yield self
            await self.settled()

    async def settled(self) -> None:
        """Wait for every status under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self._courier.settle()

    # ---- what the customer does and sees

    async def say(self, customer: str, text: str) -> Delivered:
        """A customer writes."""
        return await self.deliver(self.batch(self.message(customer, text=text)))

    def message(self, customer: str, kind: str = "text", text: str = "", **content: Any) -> dict[str, Any]:
        """A message object as it stands in a batch."""
        self._last_heard[customer] = self.clock()
        body = {"body": text} if kind == "text" else content.pop(kind, content)
        return {
            "from": customer,
            "id": self._wamid(),
            "timestamp": str(int(self.clock())),
            "type": kind,
            kind: body,
        }

    def batch(self, *messages: Mapping[str, Any], field: str = "messages", **value: Any) -> dict[str, Any]:
        """A webhook's payload with one change."""
        customers = dict.fromkeys(str(message["from"]) for message in messages)
        contacts = [{"profile": {"name": "Ada"}, "wa_id": customer} for customer in customers]
        content = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": self.phone_number_id},
            **({"contacts": contacts, "messages": list(messages)} if messages else {}),
            **value,
        }
        change = {"value": content, "field": field}
        return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}

    async def deliver(self, payload: Mapping[str, Any]) -> Delivered:
        """Post a batch with Meta's patience."""
        return await self._courier.deliver(lambda _: self.hook(payload))

    def seen(self, customer: str = "") -> list[str]:
        """What a customer sees of us (or all of them do), in order."""
        return [m.shown for m in self.messages if m.shown is not None and (not customer or m.to == customer)]

    @property
    def visible(self) -> dict[str, list[str]]:
        """By customer, what they see of us, in order."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for message in self.messages:
            if message.shown is not None:
                found[message.to].append(message.shown)
        return dict(found)

    # ---- webhooks

    def hook(self, payload: object) -> Hook:
        """A signed batch (or any signed bytes)."""
        text = json.dumps(payload, separators=(",", ":")) if not isinstance(payload, bytes) else ""
        body = payload if isinstance(payload, bytes) else text.replace("/", "\\/").encode()
        signature = hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        return Hook(self.webhook_url, body, headers)

    def handshake(self, token: str | None = None, challenge: str = "1158201444") -> Hook:
        """The request that registers a webhook."""
        query = {
            "hub.mode": "subscribe",
            "hub.verify_token": self.verify_token if token is None else token,
            "hub.challenge": challenge,
        }
        return Hook(f"{self.webhook_url}?{urlencode(query)}", b"", {}, "GET")

    def status(self, message: Message, state: str) -> dict[str, Any]:
        """A status object as it stands in a batch."""
        found: dict[str, Any] = {
            "id": message.wamid,
            "status": state,
            "timestamp": str(int(self.clock())),
            "recipient_id": message.to,
            "biz_opaque_callback_data": message.payload.get("biz_opaque_callback_data", ""),
        }
        if state == "failed":
            found["errors"] = [{"code": message.error_code, "title": "Re-engagement message"}]
        return found

    def _report(self, message: Message) -> None:
        if self.statuses == "off":
            return
        states = ["failed"] if message.error_code else ["sent", "delivered", "read"]
        if self.statuses == "wild":
            states += self._random.sample(states, 1)
            self._random.shuffle(states)

        async def run() -> None:
            for state in states:
                await self.deliver(self.batch(statuses=[self.status(message, state)]))

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- the Graph API

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        payload = await request.json()
        typing = payload.get("status") == "read"

        async def effect() -> web.StreamResponse:
            if not self._known(request):
                return _error(401, 190, "Error validating access token")
            if typing:
                self.typing.append(payload["message_id"])
                return web.json_response({"success": True})
            problem = self._problem(payload)
            if problem is not None:
                return problem
            message = self._sent(payload)
            self._report(message)
            return web.json_response(
                {
                    "messaging_product": "whatsapp",
                    "contacts": [{"input": message.to, "wa_id": message.to}],
                    "messages": [{"id": message.wamid, "message_status": "accepted"}],
                }
            )

        return await self.around(
            request,
            "typing" if typing else "messages",
            effect,
            limited=lambda: _error(429, 130429, "Rate limit hit"),
            broken=lambda: _error(500, 131000, "Something went wrong"),
            refused=lambda: _error(400, 131026, "Message undeliverable"),
        )

    def _problem(self, payload: Mapping[str, Any]) -> web.Response | None:
        to = payload.get("to") or payload.get("recipient")
        body = payload.get("text", {}).get("body", "")
        interactive = payload.get("interactive", {})
        buttons = [button["reply"] for button in interactive.get("action", {}).get("buttons", [])]
        too_long = len(body) > TEXT_CHARACTERS
        too_long |= len(interactive.get("body", {}).get("text", "")) > BUTTON_BODY_CHARACTERS
        rows = [row for part in interactive.get("action", {}).get("sections", []) for row in part["rows"]]
        too_long |= len(rows) > 10 or any(not 0 < len(r["title"]) <= 24 or len(r["id"]) > 200 for r in rows)
        bad_buttons = len(buttons) > 3 or any(not 0 < len(b["title"]) <= 20 or len(b["id"]) > 256 for b in buttons)
        if payload.get("messaging_product") != "whatsapp" or not to:
            return _error(400, 100, "Invalid parameter")
        if (payload.get("type") == "text" and not body) or too_long or bad_buttons:
            return _error(400, 131009, "Parameter value is not valid")
        if payload.get("type") != "template" and self.window == "answer" and not self._window_open(str(to)):
            return _error(400, 131047, "Re-engagement message")
        return self._too_fast(str(to))

    def _too_fast(self, to: str) -> web.Response | None:
        now_s = self.clock()
        recent = self._sends[to] = [at for at in self._sends[to] if at > now_s - PAIR_S]
        if self.pair_burst and len(recent) >= self.pair_burst:
            return _error(400, 131056, "Pair rate limit hit")
        recent.append(now_s)
        return None

    def _window_open(self, customer: str) -> bool:
        return self._last_heard.get(customer, 0.0) > self.clock() - WINDOW_S

    def _sent(self, payload: Mapping[str, Any]) -> Message:
        to = str(payload.get("to") or payload.get("recipient"))
        message = Message(self._wamid(), to, payload, _shown(payload))
        if payload["type"] != "template" and self.window == "status" and not self._window_open(to):
            message.shown, message.error_code = None, 131047
        self.messages.append(message)
        return message

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            return _error(401, 190, "Error validating access token")
        form = await request.post()
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        media_id = str(next(self._ids))
        self.files[media_id] = (upload.content_type, upload.file.read())
        return web.json_response({"id": media_id})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            return _error(401, 190, "Error validating access token")
        media_id = request.match_info["id"]
        if media_id not in self.files:
            return _error(400, 100, "Unsupported get request")
        mime, content = self.files[media_id]
        url = self.file_url or f"{self.base_url}/file/{media_id}"
        return web.json_response({"id": media_id, "url": url, "mime_type": mime, "file_size": len(content)})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            raise web.HTTPNotFound  # what Meta's file host answers without a token
        mime, content = self.files[request.match_info["id"]]
        return web.Response(body=content, content_type=mime)

    async def _number(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            return _error(401, 190, "Error validating access token")
        return web.json_response({"id": self.phone_number_id, "display_phone_number": "+1 555-078-3881"})

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.access_token}"

    def _wamid(self) -> str:
        return f"wamid.HBgL{next(self._ids):08d}"


def _shown(payload: Mapping[str, Any]) -> str:
    kind = str(payload["type"])
    content = payload[kind]
    if kind == "text":
        return str(content["body"])
    if kind == "interactive":
        if content["type"] == "list":
            rows = [row for section in content["action"]["sections"] for row in section["rows"]]
            return content["body"]["text"] + "".join(f" [{row['title']}={row['id']}]" for row in rows)
        replies: Sequence[Mapping[str, Any]] = content["action"]["buttons"]
        buttons = "".join(f" [{one['reply']['title']}={one['reply']['id']}]" for one in replies)
        return f"{content['body']['text']}{buttons}"
    if kind == "template":
        return f"template {content['name']}/{content['language']['code']}"
    return f"<{kind} {content.get('id') or content.get('link')}>"


def _error(status: int, code: int, message: str) -> web.Response:
    error = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "fbtrace_id": "AbCd"}
    return web.json_response({"error": error}, status=status)
