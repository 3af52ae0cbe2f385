"""A double of Twilio's WhatsApp: its REST API as the real SDK expects it, signed webhooks, unordered callbacks.

In a test::

    async with TwilioDouble().running() as twilio:
        twilio.webhook_url = "http://127.0.0.1:8080/webhooks/whatsapp"
        await twilio.say("+4915112345678", "Where is my parcel?")
        twilio.seen("+4915112345678")        # what that customer sees, in order

Scripted faults (``twilio.faults.script("messages.create", Fault.RESET_AFTER)``) strike around the effect. Signatures
are made by Twilio's own RequestValidator.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode

from aiohttp import web
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from tests.doubles.platform import TWILIO, Courier, Delivered, Faults, Hook, Patience, Platform

WINDOW_S = 86_400.0
BODY_CHARACTERS = 1_600
TEMPLATE_CHARACTERS = 1_024


@dataclass
class Message:
    """One record of the Messages list; ``shown`` is what stands on the customer's screen, None = never arrived."""

    sid: str
    direction: str
    sender: str
    to: str
    body: str
    created_s: float
    status: str
    media: list[tuple[str, str, bytes]] = field(default_factory=list)  # sid, type, content
    shown: str | None = None
    error_code: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A content template: its text and the quick replies, both with ``{{1}}`` variables."""

    body: str
    replies: Sequence[tuple[str, str]] = ()  # label, payload


class TwilioDouble(Platform):
    """One Twilio account with one WhatsApp sender."""

    def __init__(
        self,
        *,
        account_sid: str = "AC" + "0" * 32,
        auth_token: str = "token-of-the-account",
        sender: str = "whatsapp:+14155238886",
        shared_key: str = "",
        faults: Faults | None = None,
        hang_s: float = 30.0,
        per_s: float = 0.0,
        window: bool = False,
        callbacks: str = "off",
        courier: Courier | None = None,
        patience: Patience = TWILIO,
        seed: int = 0,
    ) -> None:
        super().__init__(faults, hang_s=hang_s)
        self.account_sid, self.auth_token, self.sender = account_sid, auth_token, sender
        self.shared_key = shared_key
        self.per_s = per_s  # sends per second before 429; 0 = no limit
        self.window = window  # whether free text needs a customer's message of the last 24 hours
        self.callbacks = callbacks  # off | ordered | wild (shuffled and repeated)
        self.webhook_url = ""
        self.messages: list[Message] = []
        self.templates: dict[str, Template] = {}
        self.typing: list[str] = []
        self.clock = time.time
        self.leaked: list[str] = []  # paths on the file host that were asked with credentials
        self._courier = courier or Courier(patience, hurry=10.0)
        self._random = random.Random(seed)
        self._sids = itertools.count(1)
        self._sends: list[float] = []
        self._tasks: set[asyncio.Task[Delivered]] = set()
        self._routes()

    def _routes(self) -> None:
        account = f"/2010-04-01/Accounts/{self.account_sid}"
        self.app.add_routes(
            [
                web.post(f"{account}/Messages.json", self._create),
                web.get(f"{account}/Messages.json", self._list),
                web.get(f"{account}/Messages/{{sid}}/Media.json", self._media_list),
                web.get(f"{account}/Messages/{{sid}}/Media/{{media}}", self._media),
                web.get(f"{account}.json", self._account),
                web.post("/v2/Indicators/Typing.json", self._typing),
                web.get("/files/{media}", self._file),
            ]
        )

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[Self]:
        """Listen, and deliver webhooks until the end of the block."""
        async with super().running(port), self._courier.running():
            yield self
            await self.settled()

    async def settled(self) -> None:
        """Wait for every callback under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self._courier.settle()

    # ---- what the customer does and sees

    async def say(self, customer: str, text: str, **fields: str) -> Delivered:
        """A customer writes: it stands in the list at once and is delivered with Twilio's patience."""
        return await self.deliver(self.heard(customer, text, **fields))

    def heard(self, customer: str, text: str, files: Sequence[tuple[str, bytes]] = (), **fields: str) -> Message:
        """A message of a customer that no webhook was sent for (yet)."""
        sid = self._sid("MM" if files else "SM")
        media = [(self._sid("ME"), mime, content) for mime, content in files]
        message = Message(sid, "inbound", f"whatsapp:{customer}", self.sender, text, self.clock(), "received", media)
        message.fields = {**self._inbound(message), **fields}
        self.messages.append(message)
        return message

    async def deliver(self, message: Message) -> Delivered:
        """Post the webhook of a message of a customer."""
        token = f"{message.sid}-delivery"
        return await self._courier.deliver(lambda _: self.hook(self.webhook_url, message.fields, token))

    async def press(self, customer: str, payload: str, label: str = "👍") -> Delivered:
        """A customer presses a quick reply."""
        return await self.say(customer, label, ButtonPayload=payload, ButtonText=label, MessageType="button")

    def seen(self, customer: str = "") -> list[str]:
        """What a customer sees of us (or all of them do), in order; files as ``<type>``."""
        return [
            message.shown
            for message in self.messages
            if message.shown is not None and message.to.endswith(customer) and message.direction != "inbound"
        ]

    @property
    def visible(self) -> dict[str, list[str]]:
        """By customer, what they see of us, in order."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for message in self.messages:
            if message.direction != "inbound" and message.shown is not None:
                found[message.to.removeprefix("whatsapp:")].append(message.shown)
        return dict(found)

    # ---- webhooks

    def hook(self, url: str, fields: Mapping[str, str] | MultiDict[str], token: str = "") -> Hook:
        """A signed form; with a shared key, by HMAC_SHA256 and the settings header."""
        pairs = MultiDict(fields)
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        if token:
            headers["I-Twilio-Idempotency-Token"] = token
        if self.shared_key:
            headers["X-Twilio-Webhooks-Signature-Settings"] = "key=WK123,algorithm=HMAC_SHA256"
        algorithm = "HMAC_SHA256" if self.shared_key else "HMAC_SHA1"
        signature = RequestValidator(self.shared_key or self.auth_token).compute_signature(url, pairs, algorithm)
        return Hook(url, urlencode(list(pairs.items())).encode(), {**headers, "X-Twilio-Signature": signature})

    def json_hook(self, url: str, body: bytes) -> Hook:
        """A signed JSON body: its hash is in the URL, and only the URL is signed."""
        url = f"{url}?bodySHA256={sha256(body).hexdigest()}"
        signature = RequestValidator(self.auth_token).compute_signature(url, {})
        return Hook(url, body, {"Content-Type": "application/json", "X-Twilio-Signature": signature})

    def _inbound(self, message: Message) -> dict[str, str]:
        number = message.sender.removeprefix("whatsapp:+")
        fields = {
            "SmsMessageSid": message.sid,
            "NumMedia": str(len(message.media)),
            "ProfileName": "Ada",
            "MessageType": message.media[0][1].split("/")[0] if message.media else "text",
            "SmsSid": message.sid,
            "WaId": number,
            "SmsStatus": "received",
            "Body": message.body,
            "To": message.to,
            "NumSegments": "1",
            "ReferralNumMedia": "0",
            "MessageSid": message.sid,
            "AccountSid": self.account_sid,
            "ChannelMetadata": json.dumps({"type": "whatsapp", "data": {"context": {"WaId": number}}}),
            "From": message.sender,
            "ApiVersion": "2010-04-01",
        }
        base = f"{self.base_url}/2010-04-01/Accounts/{self.account_sid}/Messages/{message.sid}/Media"
        for number_of, (sid, mime, _) in enumerate(message.media):
            fields[f"MediaUrl{number_of}"], fields[f"MediaContentType{number_of}"] = f"{base}/{sid}", mime
        return fields

    def _call_back(self, message: Message, url: str) -> None:
        """Report what becomes of a message: in order, or shuffled and repeated."""
        if self.callbacks == "off" or not url:
            return
        states = ["sent", "undelivered"] if message.error_code else ["queued", "sent", "delivered", "read"]
        if self.callbacks == "wild":
            states += self._random.sample(states, 1)
            self._random.shuffle(states)
        task = asyncio.create_task(self._report(message, url, states))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, message: Message, url: str, states: Sequence[str]) -> Delivered:
        delivered = Delivered()
        for state in states:
            fields = {
                "MessageSid": message.sid,
                "SmsSid": message.sid,
                "SmsStatus": state,
                "MessageStatus": state,
                "AccountSid": self.account_sid,
                "From": message.sender,
                "To": message.to,
                "ApiVersion": "2010-04-01",
                "ChannelPrefix": "whatsapp",
            }
            if state == "read":
                fields["EventType"] = "READ"
            if state == "undelivered":
                fields["ErrorCode"] = str(message.error_code)
            hook = self.hook(url, fields)
            delivered = await self._courier.deliver(lambda _, hook=hook: hook)  # type: ignore[misc]
        return delivered

    # ---- the REST API

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = MultiDict(parse_qsl((await request.read()).decode(), keep_blank_values=True))

        async def effect() -> web.StreamResponse:
            problem = self._problem(request, form)
            if problem is not None:
                return problem
            message = self._sent(form)
            self._call_back(message, form.get("StatusCallback", ""))
            return web.json_response({**self._record(message), "status": "queued"}, status=201)

        return await self.around(
            request,
            "messages.create",
            effect,
            limited=lambda: _error(429, 20429, "Too many requests", {"Retry-After": "1"}),
            broken=lambda: _error(500, 20500, "Internal server error"),
            refused=lambda: _error(400, 63024, "Invalid message recipient"),
        )

    def _problem(self, request: web.Request, form: MultiDict[str]) -> web.Response | None:
        body, to = form.get("Body", ""), form.get("To", "")
        content = form.get("ContentSid", "")
        checks = [
            (not self._known(request), 401, 20003, "Authenticate"),
            (form.get("From") != self.sender, 400, 63007, "could not find a Channel with the specified From address"),
            (not to.startswith("whatsapp:+"), 400, 21211, f"The 'To' number {to} is not a valid phone number."),
            (len(body) > BODY_CHARACTERS, 400, 21617, "The message body exceeds the 1600 character limit."),
            (
                not (body or form.get("MediaUrl") or content),
                400,
                21619,
                "A message body or media urls must be specified.",
            ),
            (bool(content) and content not in self.templates, 400, 21655, "The ContentSid is Invalid"),
        ]
        for wrong, status, code, words in checks:
            if wrong:
                return _error(status, code, words)
        now_s = self.clock()
        self._sends = [at for at in self._sends if at > now_s - 1.0]
        if self.per_s and len(self._sends) >= self.per_s:
            return _error(429, 20429, "Too many requests", {"Retry-After": "1"})
        self._sends.append(now_s)
        return None

    def _sent(self, form: MultiDict[str]) -> Message:
        template = self.templates.get(form.get("ContentSid", ""))
        body = form.get("Body", "")
        shown = body
        if template is not None:
            variables = json.loads(form.get("ContentVariables", "{}"))
            body = _filled(template.body, variables)[:TEMPLATE_CHARACTERS]
            replies = "".join(f" [{label}={_filled(payload, variables)}]" for label, payload in template.replies)
            shown = body + replies
        elif form.get("MediaUrl"):
            shown = f"<{form['MediaUrl']}>{body}"
        media = [(self._sid("ME"), "image/jpeg", b"")] if form.get("MediaUrl") else []
        message = Message(
            self._sid("SM"), "outbound-api", self.sender, form["To"], body, self.clock(), "delivered", media, shown
        )
        if self.window and template is None and not self._window_open(form["To"]):
            message.status, message.error_code, message.shown = "undelivered", 63016, None
        self.messages.append(message)
        return message

    def _window_open(self, customer: str) -> bool:
        oldest = self.clock() - WINDOW_S
        return any(m.direction == "inbound" and m.sender == customer and m.created_s > oldest for m in self.messages)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        async def effect() -> web.StreamResponse:
            if not self._known(request):
                return _error(401, 20003, "Authenticate")
            query = request.query
            since = query.get("DateSent>", "")[:10]
            found = [
                message
                for message in reversed(self.messages)
                if query.get("To", message.to) == message.to
                and query.get("From", message.sender) == message.sender
                and time.strftime("%Y-%m-%d", time.gmtime(message.created_s)) >= since
            ]
            page, size = int(query.get("Page", "0")), int(query.get("PageSize", "50"))
            part = found[page * size : (page + 1) * size]
            further = {**query, "Page": str(page + 1), "PageToken": f"PASM{page}"}
            path = f"/2010-04-01/Accounts/{self.account_sid}/Messages.json?{urlencode(further, quote_via=quote)}"
            return web.json_response(
                {
                    "messages": [self._record(message) for message in part],
                    "page": page,
                    "page_size": size,
                    "next_page_uri": path if (page + 1) * size < len(found) else None,
                    "uri": request.path_qs,
                    "start": page * size,
                    "end": page * size + len(part),
                    "first_page_uri": request.path,
                    "previous_page_uri": None,
                }
            )

        return await self.around(
            request, "messages.list", effect, limited=lambda: _error(429, 20429, "Too many requests")
        )

    def _record(self, message: Message) -> dict[str, Any]:
        date = formatdate(message.created_s)
        return {
            "sid": message.sid,
            "account_sid": self.account_sid,
            "body": message.body,
            "from": message.sender,
            "to": message.to,
            "direction": message.direction,
            "status": message.status,
            "num_media": str(len(message.media)),
            "num_segments": "1",
            "date_created": date,
            "date_updated": date,
            "date_sent": date,
            "error_code": message.error_code,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "messaging_service_sid": None,
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{message.sid}.json",
            "subresource_uris": {},
        }

    async def _media_list(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            return _error(401, 20003, "Authenticate")
        message = next(message for message in self.messages if message.sid == request.match_info["sid"])
        media = [
            {"sid": sid, "parent_sid": message.sid, "account_sid": self.account_sid, "content_type": mime}
            for sid, mime, _ in message.media
        ]
        return web.json_response({"media_list": media, "page": 0, "page_size": 50, "next_page_uri": None})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        self.calls["media"] += 1
        if not self._known(request):
            return _error(401, 20003, "Authenticate")
        raise web.HTTPTemporaryRedirect(f"{self.base_url}/files/{request.match_info['media']}?Expires=1&Signature=x")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        if "Authorization" in request.headers:
            self.leaked.append(request.path)
        for message in self.messages:
            for sid, mime, content in message.media:
                if sid == request.match_info["media"]:
                    return web.Response(body=content, content_type=mime)
        raise web.HTTPNotFound

    async def _account(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            return _error(401, 20003, "Authenticate")
        return web.json_response({"sid": self.account_sid, "status": "active", "friendly_name": "Shop"})

    async def _typing(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()

        async def effect() -> web.StreamResponse:
            if not self._known(request):
                return _error(401, 20003, "Authenticate")
            known = any(m.sid == form.get("messageId") and m.direction == "inbound" for m in self.messages)
            if form.get("channel") != "whatsapp" or not known:
                return _error(400, 20422, "Invalid parameter")
            self.typing.append(str(form["messageId"]))
            return web.json_response({"success": True}, status=201)

        return await self.around(request, "typing", effect, limited=lambda: _error(429, 20429, "Too many requests"))

    def _known(self, request: web.Request) -> bool:
        basic = b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {basic}"

    def _sid(self, prefix: str) -> str:
        return f"{prefix}{next(self._sids):032x}"


def _filled(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return web.json_response(body, status=status, headers=headers)
