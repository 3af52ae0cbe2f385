"""WhatsApp straight through Meta's Cloud API: signed batches in, the messages endpoint out, statuses settle doubts."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientResponse, ClientSession, FormData

from channels.base import (
    Delivery,
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
from channels.whatsapp import meta_facts, meta_parts, signatures
from channels.whatsapp.calls import download, one_try, open_session, origin
from channels.whatsapp.common import ACCOUNT_PACE_PER_S, NAME, WINDOW_S, Nothing, Undrafted
from channels.whatsapp.meta_errors import failure
from config.accounts import WhatsAppAccount
from config.approved import Approved

API = "https://graph.facebook.com"
MEDIA_BYTES = 100_000_000  # documents; pictures 5 MB, audio and video 16 MB
PROOF_S = 10.0  # statuses of a message that was sent come within seconds
UPLOAD_SHARE = 0.5  # of the time-out: upload and send together must end before the outbox gives up on them
FIRST_FAILURE = 300
FILE_HOSTS = (".fbcdn.net", ".fbsbx.com")


class MetaChannel(Undrafted):
    """One phone number of a WhatsApp business account."""

    name = NAME
    limits = Limits(
        text_units=meta_parts.TEXT_UNITS,
        unit="utf16",
        edit_interval_s=None,
        account_pace=Pace(ACCOUNT_PACE_PER_S, ACCOUNT_PACE_PER_S),
        window_s=WINDOW_S,
        look_up=False,
        proof_s=PROOF_S,
        media_bytes=MEDIA_BYTES,
    )

    def __init__(self, account: str, accounts: Mapping[str, WhatsAppAccount], services: Services) -> None:
        self.account = account
        self.settings = accounts[account]
        self._services = services
        self._base = (self.settings.api_base or API).rstrip("/")
        secret = self.settings.app_secret
        self._numbers = {  # one app has one webhook address for all its numbers
            other.phone_number_id: name
            for name, other in accounts.items()
            if other.on and other.provider == "meta" and other.app_secret == secret
        } | {self.settings.phone_number_id: account}
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the HTTP session."""
        async with open_session(self._services.send_timeout_s) as self._session:
            yield
        self._session = None

    # ---- in

    async def receive(self, delivery: Delivery) -> Received:
        """Answer the handshake, or verify a batch over its raw bytes and normalize it."""
        if delivery.method == "GET":
            return self._handshake(delivery.query)
        header = delivery.headers.get("x-hub-signature-256", "")
        if not signatures.meta_signed(self.settings.app_secret.get_secret_value(), delivery.body, header):
            raise Rejected(403, "the signature does not fit; check app_secret")
        try:
            payload = json.loads(delivery.body)
        except ValueError:
            raise Rejected(400, "the body is not JSON") from None
        return Received(self.normalize(payload, now_s=delivery.now_s) if isinstance(payload, dict) else ())

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        """The facts of a batch; pure."""
        return meta_facts.normalize(payload, self.account, self._numbers, now_s)

    def _handshake(self, query: Mapping[str, str]) -> Received:
        given = query.get("hub.verify_token", "").encode("utf-8", "replace")
        expected = self.settings.verify_token.get_secret_value().encode()
        if query.get("hub.mode") != "subscribe" or not hmac.compare_digest(given, expected):
            raise Rejected(403, "the verify token does not fit; check verify_token")
        return Received(body=query.get("hub.challenge", "").encode())

    def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:  # noqa: ARG002 - no list
        """End at once: the Cloud API has no list of messages, it repeats deliveries for days instead."""
        return Nothing()

    # ---- out

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        """Text parts with reply buttons below the last one, and a part per file; or an approved template."""
        return meta_parts.render_parts(message)

    def template(self) -> Mapping[str, Any] | None:
        """The approved template of ``template_name``."""
        if not self.settings.template_name:
            return None
        language = {"code": self.settings.template_language}
        return {"type": "template", "template": {"name": self.settings.template_name, "language": language}}

    def templates(self) -> Sequence[Approved]:
        """Those of the account."""
        return self.settings.offered

    async def send(self, out: Outgoing) -> Sent:
        """Post one message; our part id comes back in its statuses."""
        payload = dict(out.payload)
        if "file" in payload:
            payload = await self._with_file(payload)
        answer = await self._post(
            {
                "messaging_product": NAME,
                "recipient_type": "individual",
                **_recipient(out.route),
                **payload,
                "biz_opaque_callback_data": out.id,
            }
        )
        messages = answer.get("messages")
        provider_id = messages[0].get("id") if isinstance(messages, list) and messages else ""
        if not provider_id:
            raise Unknown("unreadable_answer", "the answer has no message id")
        return Sent(str(provider_id))

    async def find(self, out: Outgoing) -> Sent | None:  # noqa: ARG002 - no look-up
        """There is no telling: the Cloud API has no list of messages; statuses carry our part id."""
        raise Unknown("no_look_up", "the Cloud API cannot be asked what was sent")

    async def typing(self, route: Mapping[str, str]) -> None:
        """Mark the customer's last message read and show that we write (25 s)."""
        if route.get("message"):
            read = {"messaging_product": NAME, "status": "read", "message_id": route["message"]}
            await self._post({**read, "typing_indicator": {"type": "text"}})

    async def _with_file(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload of a file: its public address, or the id it gets by being uploaded first."""
        file = payload["file"]
        kind = str(payload["type"])
        name = {"filename": file["name"]} if kind == "document" and file["name"] else {}
        if not file["ref"]:
            return {"type": kind, kind: {"link": file["url"], **name}}
        stored = await self._services.file(file["ref"])
        form = FormData({"messaging_product": NAME, "type": stored.mime})
        form.add_field("file", stored.content, filename=stored.name or "file", content_type=stored.mime)
        # an upload shows the customer nothing: whatever happens to it, nothing was sent
        path = f"{self.settings.phone_number_id}/media"
        answer = await self._call("POST", path, effect=False, share=UPLOAD_SHARE, data=form)
        return {"type": kind, kind: {"id": str(answer.get("id", "")), **name}}

    async def _post(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._call("POST", f"{self.settings.phone_number_id}/messages", effect=True, json=payload)

    async def _call(
        self, method: str, path: str, *, effect: bool, share: float = 1.0, **request: Any
    ) -> Mapping[str, Any]:
        """One try of one call within its share of the time-out; raises SendErrors."""
        if self._session is None:
            raise Unavailable("not_running", "the channel is not running")
        url = f"{self._base}/{self.settings.graph_version}/{path}"
        async with one_try(self._services.send_timeout_s * share, effect=effect):
            async with self._session.request(
                method, url, headers=self._bearer(), allow_redirects=False, **request
            ) as response:
                text = await response.text(errors="replace")
            if response.status >= FIRST_FAILURE:
                raise failure(response.status, _json(text), response.headers, time.time())
            answer = json.loads(text)
            if not isinstance(answer, dict):
                raise TypeError  # an answer that cannot be understood
            if "error" in answer:
                raise failure(response.status, answer, response.headers, time.time())
            return answer

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.access_token.get_secret_value()}"}

    async def fetch(
        self,
        attachment: Attachment,
        route: Mapping[str, str],  # noqa: ARG002 - files need no route
    ) -> AsyncGenerator[bytes, None]:
        """Ask for the file's address by its id, then download it from Meta's file hosts with our token."""
        if not attachment.ref.replace("-", "").isalnum():
            raise Refused("no_file", "the message names no file")
        # two statements of one read: the address holds for five minutes only
        params = {"phone_number_id": self.settings.phone_number_id}
        answer = await self._call("GET", attachment.ref, effect=False, params=params)
        assert self._session is not None
        chunks = download(
            self._session,
            str(answer.get("url", "")),
            headers=self._bearer(),
            trusted=self._file_host,
            followed=self._file_host,
            failure=_refused_file,
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _file_host(self, url: str) -> bool:
        parts = urlsplit(url)
        if self.settings.api_base and origin(url) == origin(self._base):
            return True
        return parts.scheme == "https" and (parts.hostname or "").endswith(FILE_HOSTS) and parts.port in {None, 443}

    async def check(self) -> Health:
        """Read our own phone number."""
        try:
            fields = {"fields": "display_phone_number,verified_name,quality_rating"}
            number = await self._call("GET", self.settings.phone_number_id, effect=False, params=fields)
        except Unauthorized:
            return Health(ok=False, detail="Meta does not accept access_token; make a new one of a system user")
        except SendError as error:
            return Health(
                ok=False, detail=f"Meta did not show the number ({error}); check phone_number_id and the network"
            )
        return Health(
            ok=True, detail=f"sending from {number.get('display_phone_number', self.settings.phone_number_id)}"
        )


def _recipient(route: Mapping[str, str]) -> dict[str, str]:
    """The number where it is known, else Meta's id of the customer."""
    return {"to": route["to"]} if route.get("to") else {"recipient": route["user"]}


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _refused_file(response: ClientResponse) -> SendError:
    return failure(response.status, None, response.headers, time.time())
