"""WhatsApp through Twilio: verified webhooks in, the Messages resource out, the Messages list to settle doubts."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import ClientResponse, ClientSession

from channels import render
from channels.base import (
    ChannelError,
    Delivery,
    Failed,
    Health,
    Limits,
    Outgoing,
    Pace,
    Received,
    Refused,
    Rejected,
    SendError,
    Sent,
    Services,
    Unauthorized,
    Unavailable,
    Unknown,
)
from channels.message import Attachment, Fact, Outbound
from channels.whatsapp import signatures, twilio_facts
from channels.whatsapp.calls import UNREADABLE, basic, download, one_try, open_session, origin
from channels.whatsapp.common import ACCOUNT_PACE_PER_S, NAME, WINDOW_S, Undrafted, labels
from channels.whatsapp.twilio_client import RestClient
from channels.whatsapp.twilio_errors import failure
from channels.whatsapp.twilio_history import API, History, sent
from config.accounts import WhatsAppAccount
from config.approved import Approved

TEXT_UNITS = 1_600  # Twilio's limit, although WhatsApp takes 4096
MEDIA_BYTES = 16_000_000
LOOK_AGAIN_S = 1.0  # a send younger than this may not be in the list yet
BATCH = 20
MEDIA_HOSTS = (".twilio.com", ".twiliocdn.com", ".amazonaws.com")
FORM = "application/x-www-form-urlencoded"


class TwilioChannel(Undrafted):
    """One WhatsApp sender of a Twilio account."""

    name = NAME
    limits = Limits(
        text_units=TEXT_UNITS,
        unit="utf16",
        edit_interval_s=None,
        account_pace=Pace(ACCOUNT_PACE_PER_S, ACCOUNT_PACE_PER_S),
        window_s=WINDOW_S,
        look_up=True,
        media_bytes=MEDIA_BYTES,
    )

    def __init__(self, account: str, accounts: Mapping[str, WhatsAppAccount], services: Services) -> None:
        self.account = account
        self.settings = accounts[account]
        self._services = services
        self._numbers = {  # one Twilio account signs for all its numbers, so they may share a webhook address
            other.sender: name
            for name, other in accounts.items()
            if other.on and other.provider == "twilio" and other.account_sid == self.settings.account_sid
        } | {self.settings.sender: account}
        self._session: ClientSession | None = None
        self._rest: Any = None
        self._unreadable: tuple[type[Exception], ...] = UNREADABLE

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the HTTP session and the SDK; loading the SDK takes most of a second, so a thread does it."""
        sdk, errors = await asyncio.to_thread(_load)
        self._unreadable = (*UNREADABLE, errors.TwilioException)
        async with open_session(self._services.send_timeout_s) as self._session:
            self._rest = sdk.Client(
                self.settings.account_sid,
                self.settings.auth_token.get_secret_value(),
                http_client=RestClient(self._session, self.settings.api_base),
                environment={"TWILIO_REGION": "", "TWILIO_EDGE": ""},  # the address is our setting, not the process's
            )
            yield
        self._session = self._rest = None

    @property
    def _history(self) -> History:
        return History(self._rest, self._reading, self.settings.account_sid, self.settings.sender)

    # ---- in

    async def receive(self, delivery: Delivery) -> Received:
        """Verify and normalize a message or a status callback; the answer is empty, never TwiML."""
        if delivery.method != "POST":
            raise Rejected(405, "Twilio's webhooks must be set to HTTP POST")
        payload = self._verified(delivery)
        if payload.get("AccountSid", self.settings.account_sid) != self.settings.account_sid:
            raise Rejected(403, "the request is for another Twilio account")
        if "part" in delivery.query:
            payload["part"] = delivery.query["part"]  # part of the signed URL
        return Received(self.normalize(payload, now_s=delivery.now_s), status=204)

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        """The facts of a webhook's fields; pure."""
        form = {name: value for name, value in payload.items() if isinstance(value, str)}
        return twilio_facts.normalize(form, self.account, self._numbers, now_s)

    def _verified(self, delivery: Delivery) -> dict[str, Any]:
        """The fields of a request that Twilio signed; raises Rejected(403)."""
        algorithm = signatures.twilio_algorithm(delivery.headers.get("x-twilio-webhooks-signature-settings", ""))
        if algorithm not in signatures.HASHES:
            raise Rejected(403, "the signature is of a kind that is not known here")
        token, shared = (key.get_secret_value() for key in (self.settings.auth_token, self.settings.shared_key))
        secret = token if algorithm == signatures.HMAC_SHA1 else shared or token
        is_form = delivery.headers.get("content-type", FORM).split(";", 1)[0].strip().lower() == FORM
        fields = signatures.read_form(delivery.body) if is_form else []
        signature = delivery.headers.get("x-twilio-signature", "")
        signed = signatures.twilio_signed(secret, delivery.url, fields, signature, algorithm)
        if not signed or not (is_form or signatures.twilio_body_matches(delivery.url, delivery.body)):
            raise Rejected(403, "the signature does not fit; check auth_token and http.public_url")
        return dict(fields) if is_form else _object(delivery.body)

    async def catch_up(self, since_s: float) -> AsyncGenerator[Sequence[Fact], None]:
        """Messages that came while we were away, oldest first; raises SendError when the list cannot be read."""
        facts: list[Fact] = []
        async with aclosing(self._history.missed(since_s)) as messages:
            async for form, at in messages:
                facts += self.normalize(form, now_s=at)
                if len(facts) >= BATCH:
                    yield facts
                    facts = []
        if facts:
            yield facts

    def _reading(self) -> AbstractAsyncContextManager[None]:
        return one_try(self._services.send_timeout_s, effect=False, unreadable=self._unreadable)

    # ---- out

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        """Text parts, a part per file, and the rating template last (quick replies need a template at Twilio)."""
        if message.template is not None:
            values = {str(number): value for number, value in enumerate(message.template.values, 1)}
            return [{"content_sid": message.template.key, "content_variables": values}]
        if message.reasons:  # asked only where there is a template: its own words stand above the choices
            chosen = {str(number): each.payload for number, each in enumerate(message.reasons, 1)}
            return [{"content_sid": self.settings.reasons_template_sid, "content_variables": chosen}]
        text = "\n\n".join(part for part in (message.text, labels(message)) if part)
        texts = render.parts(text, message.citations, style=NAME, limit=TEXT_UNITS, measure=render.utf16_units)
        parts: list[Mapping[str, Any]] = [{"body": part.text} for part in texts]
        parts += [{"body": "", "file": {"ref": file.ref, "url": file.url}} for file in message.attachments]
        if message.feedback and self.settings.feedback_template_sid:
            up, down = message.feedback
            variables = {"1": up, "2": down}
            parts.append({"content_sid": self.settings.feedback_template_sid, "content_variables": variables})
        return parts

    def template(self) -> Mapping[str, Any] | None:
        """The approved template of ``template_sid``."""
        return {"content_sid": self.settings.template_sid} if self.settings.template_sid else None

    def templates(self) -> Sequence[Approved]:
        """Those of the account."""
        return self.settings.offered

    async def send(self, out: Outgoing) -> Sent:
        """Create one Message; its id comes back in status callbacks when our public address is known."""
        fields: dict[str, Any] = {"to": out.route["to"], "from_": self.settings.sender}
        if self._services.public_url:
            fields["status_callback"] = self._status_url(out.id)
        if out.payload.get("content_sid"):
            fields["content_sid"] = out.payload["content_sid"]
            if out.payload.get("content_variables"):
                fields["content_variables"] = json.dumps(out.payload["content_variables"])
        if out.payload.get("body"):
            fields["body"] = out.payload["body"]
        if out.payload.get("file"):
            fields["media_url"] = [self._file_url(out.payload["file"])]
        async with one_try(self._services.send_timeout_s, effect=True, unreadable=self._unreadable):
            record = await self._rest.messages.create_async(**fields)
        return sent(record)

    def _status_url(self, part_id: str) -> str:
        path = "/webhooks/whatsapp/status" + ("" if self.account == "default" else f"/{self.account}")
        return f"{self._services.public_url.rstrip('/')}{path}?part={quote(part_id, safe='')}"

    def _file_url(self, file: Mapping[str, str]) -> str:
        url = (self._services.file_url(file["ref"]) if file.get("ref") else "") or file.get("url", "")
        if not url:
            raise Refused("no_public_url", "Twilio loads files from a public address; set http.public_url")
        return url

    async def find(self, out: Outgoing) -> Sent | Failed | None:
        """Look for a part among the messages to this customer since its first try, by content and unknown id."""
        if out.tried_at is None:
            return None
        found = await self._looked_up(out, out.tried_at)
        young_s = LOOK_AGAIN_S - (time.time() - out.tried_at)
        if found is None and young_s > 0:
            await asyncio.sleep(min(young_s, LOOK_AGAIN_S))
            found = await self._looked_up(out, out.tried_at)
        return found

    async def _looked_up(self, out: Outgoing, tried_at: float) -> Sent | Failed | None:
        try:
            record = await self._history.match(out, tried_at)
        except Unavailable as error:
            raise Unknown(error.code, "the Messages list cannot be read now") from None
        if record is None:
            return None
        try:
            return sent(record)
        except Refused as error:  # it is there, and WhatsApp did not take it: to send it again would not help
            return Failed(error)

    async def typing(self, route: Mapping[str, str]) -> None:
        """Mark the customer's last message read and show that we write (25 s; a public beta of Twilio)."""
        if not route.get("message"):
            return
        async with one_try(self._services.send_timeout_s, effect=True, unreadable=self._unreadable):
            await self._rest.messaging.v2.typing_indicator.create_async(channel=NAME, message_id=route["message"])

    async def fetch(
        self,
        attachment: Attachment,
        route: Mapping[str, str],  # noqa: ARG002 - files need no route
    ) -> AsyncGenerator[bytes, None]:
        """Download a file with our credentials from Twilio's API host only, its redirects without them."""
        base = self.settings.api_base or API
        trusted = {origin(API), origin(base)}
        session, key = self._session, self.settings.auth_token.get_secret_value()
        if session is None:
            raise Unavailable("not_running", "the channel is not running")
        if origin(attachment.url) not in trusted:
            raise Refused("host", "the file is not on Twilio's API host; it was not fetched")
        chunks = download(
            session,
            RestClient(session, self.settings.api_base).address(attachment.url),
            headers={"Authorization": basic(self.settings.account_sid, key)},
            trusted=lambda url: origin(url) in trusted,
            followed=lambda url: origin(url) == origin(base) or media_host(url),
            failure=_refused_file,
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def check(self) -> Health:
        """Read our own account."""
        try:
            async with self._reading():
                account = await self._rest.api.v2010.accounts(self.settings.account_sid).fetch_async()
        except Unauthorized:
            return Health(
                ok=False, detail="Twilio does not accept account_sid and auth_token; copy both from its console"
            )
        except SendError as error:
            return Health(
                ok=False, detail=f"Twilio did not show the account ({error}); check account_sid and the network"
            )
        if account.status != "active":
            return Health(ok=False, detail=f"the Twilio account is {account.status or 'not known'}; see its console")
        return Health(
            ok=True, detail=f"Twilio account active, sending from {self.settings.sender.removeprefix('whatsapp:')}"
        )


def _load() -> tuple[ModuleType, ModuleType]:
    """The SDK with the parts that it would load inside the first calls."""
    try:
        for part in ("api.v2010.account.message", "messaging.v2.typing_indicator"):
            importlib.import_module(f"twilio.rest.{part}")
        return importlib.import_module("twilio.rest"), importlib.import_module("twilio.base.exceptions")
    except ModuleNotFoundError as error:
        raise ChannelError(f"{error}; install it with: pip install 'frontdesk[whatsapp]'") from None


def _object(body: bytes) -> dict[str, Any]:
    """A JSON body's fields; other JSON (Event Streams) has none for us."""
    try:
        payload = json.loads(body)
    except ValueError:
        raise Rejected(400, "the body is not JSON") from None
    return payload if isinstance(payload, dict) else {}


def media_host(url: str) -> bool:
    """Whether Twilio keeps files there; its API redirects to them by signed addresses."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(MEDIA_HOSTS) and parts.port in {None, 443}


def _refused_file(response: ClientResponse) -> SendError:
    return failure(response.status, "", response.headers, effect=False, now_s=time.time())
