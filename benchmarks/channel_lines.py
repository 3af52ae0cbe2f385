"""What the channel benchmark knows of each platform: settings of its accounts, and signed deliveries in its shapes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import uuid4

QUESTION = "Where is my order 4711? It should have come yesterday."
ACCOUNT_SID = "AC" + "1" * 32
SECRET = "a-secret-of-the-benchmark-0123456789"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
Signed = tuple[Mapping[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be signed; ``key`` differs between all messages of all runs and grows."""

    key: int
    customer: int
    account: int
    url: str


class Line(ABC):
    """One platform; ``burst`` is how many messages one account may send at once before it is paced."""

    name: ClassVar[str]
    channel: ClassVar[str]
    path: ClassVar[str]
    burst: ClassVar[int]
    library: ClassVar[str]

    @abstractmethod
    def account(self, number: int, api: str) -> dict[str, str]:
        """Settings of account N whose platform is at ``api``."""

    @abstractmethod
    def signed(self, message: Message) -> Signed:
        """Headers and body of a delivery."""

    def address(self, number: int) -> str:
        """The path of account N's webhook; the first account is the one named default."""
        return f"{self.path}/{name_of(number)}" if number else self.path

    def environment(self, count: int, api: str) -> dict[str, str]:
        """Settings of the first accounts by environment name, without the prefix."""
        section = f"CHANNELS__{self.channel.upper()}__"
        return {
            f"{section}{name_of(number).upper()}__{name.upper()}": value
            for number in range(count)
            for name, value in self.account(number, api).items()
        }


class Twilio(Line):
    name, channel, path, burst = "twilio", "whatsapp", "/webhooks/whatsapp", 80
    library = "twilio RequestValidator on aiohttp"

    @cached_property
    def validator(self) -> Any:
        """Twilio's own; loaded where something is signed only."""
        return importlib.import_module("twilio.request_validator").RequestValidator(SECRET)

    def account(self, number: int, api: str) -> dict[str, str]:
        sender = f"+1415523{number:04d}"
        return {"account_sid": ACCOUNT_SID, "auth_token": SECRET, "from": sender, "api_base": api}

    def signed(self, message: Message) -> Signed:
        sid, number = f"SM{message.key:032x}", f"491511{message.customer:07d}"
        fields = {
            "SmsMessageSid": sid, "NumMedia": "0", "ProfileName": f"Ada {message.customer}", "MessageType": "text",
            "SmsSid": sid, "WaId": number, "SmsStatus": "received", "Body": QUESTION,
            "To": f"whatsapp:+1415523{message.account:04d}", "NumSegments": "1", "ReferralNumMedia": "0",
            "MessageSid": sid, "AccountSid": ACCOUNT_SID,
            "ChannelMetadata": json.dumps({"type": "whatsapp", "data": {"context": {"WaId": number}}}),
            "From": f"whatsapp:+{number}", "ApiVersion": "2010-04-01",
        }  # fmt: skip
        signature = self.validator.compute_signature(message.url, fields)
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": sid}
        return headers, urlencode(fields).encode()


class Meta(Line):
    name, channel, path, burst = "meta", "whatsapp", "/webhooks/whatsapp/meta", 80
    library = "hmac on aiohttp (Meta has no library)"

    def account(self, number: int, api: str) -> dict[str, str]:
        return {
            "provider": "meta", "phone_number_id": f"10010{number:04d}", "access_token": SECRET,
            "app_secret": SECRET, "verify_token": SECRET, "api_base": api,
        }  # fmt: skip

    def signed(self, message: Message) -> Signed:
        number = f"491522{message.customer:07d}"
        wamid = "wamid." + base64.b64encode(f"{number}{message.key:024x}".encode()).decode()
        text = {
            "from": number, "id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": QUESTION},
        }  # fmt: skip
        content = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": f"10010{message.account:04d}"},
            "contacts": [{"profile": {"name": f"Ada {message.customer}"}, "wa_id": number}],
            "messages": [text],
        }
        change = {"value": content, "field": "messages"}
        payload = {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
        body = json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={mac}"}, body


class Slack(Line):
    name, channel, path, burst = "slack", "slack", "/webhooks/slack/events", 50
    library = "slack-bolt AsyncApp on its aiohttp server"

    def account(self, number: int, api: str) -> dict[str, str]:
        return {"bot_token": f"xoxb-{number}", "signing_secret": SECRET, "api_base": f"{api}/api"}

    def signed(self, message: Message) -> Signed:
        user, place = f"U{message.customer:08d}", f"D{message.customer:08d}"
        ts = f"{message.key // 1_000_000}.{message.key % 1_000_000:06d}"
        words = {"type": "rich_text_section", "elements": [{"type": "text", "text": QUESTION}]}
        event = {
            "type": "message", "user": user, "ts": ts, "client_msg_id": str(uuid4()), "text": QUESTION, "team": "T1",
            "blocks": [{"type": "rich_text", "block_id": "b1", "elements": [words]}],
            "channel": place, "event_ts": ts, "channel_type": "im",
        }  # fmt: skip
        payload = {
            "token": "verification", "team_id": "T1", "context_team_id": "T1", "context_enterprise_id": None,
            "api_app_id": "A1", "event": event, "type": "event_callback", "event_id": f"Ev{message.key:x}",
            "event_time": int(time.time()),
            "authorizations": [{"enterprise_id": None, "team_id": "T1", "user_id": "UDESK", "is_bot": True,
                                "is_enterprise_install": False}],
            "is_ext_shared_channel": False, "event_context": "4-eyJldCI6Im1lc3NhZ2UiLCJ0aWQiOiJUMSJ9",
        }  # fmt: skip
        body, stamp = json.dumps(payload).encode(), str(int(time.time()))
        mac = hmac.new(SECRET.encode(), b"v0:%b:%b" % (stamp.encode(), body), hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mac}"}
        return {"Content-Type": "application/json", **headers}, body


class Telegram(Line):
    name, channel, path, burst = "telegram", "telegram", "/webhooks/telegram", 30
    library = "python-telegram-bot Update.de_json and its queue behind aiohttp"

    def account(self, number: int, api: str) -> dict[str, str]:
        token = f"{1000 + number}:benchmark"
        return {"token": token, "secret_token": SECRET, "api_base": api, "register_webhook": "false"}

    def signed(self, message: Message) -> Signed:
        chat = 10_000_000 + message.customer
        person: dict[str, Any] = {"id": chat, "first_name": f"Ana {message.customer}", "username": f"ana{chat}"}
        text = {
            "message_id": message.key,
            "from": {**person, "is_bot": False, "language_code": "en"},
            "chat": {**person, "type": "private"},
            "date": int(time.time()),
            "text": QUESTION,
        }
        body = json.dumps({"update_id": message.key, "message": text}, ensure_ascii=False).encode()
        return {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": SECRET}, body


def name_of(number: int) -> str:
    return f"a{number}" if number else "default"


LINES: dict[str, Line] = {line.name: line for line in (Twilio(), Meta(), Slack(), Telegram())}
