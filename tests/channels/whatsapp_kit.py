"""What the WhatsApp tests share: accounts, services, and deliveries made of a double's hooks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from channels.base import Delivery, File, Outgoing, Services
from channels.message import Fact
from config.accounts import WhatsAppAccount
from tests.doubles.platform import Hook

CUSTOMER = "+4915112345678"
NOW_S = 1_700_000_000.0
PUBLIC_URL = "https://desk.example.com"
PAYLOADS = sorted((Path(__file__).parent / "payloads" / "whatsapp").glob("*.json"))
ACCOUNT_SID = "AC" + "0" * 32
TWILIO = {"account_sid": ACCOUNT_SID, "auth_token": "token-of-the-account", "from": "+14155238886"}
META = {
    "provider": "meta",
    "phone_number_id": "106540352242922",
    "access_token": "EAAtoken",
    "app_secret": "secret-of-the-app",
    "verify_token": "word-of-the-handshake",
}


def twilio_accounts(**settings: Any) -> dict[str, WhatsAppAccount]:
    """Our account, and another number on the same Twilio account."""
    return {
        "default": WhatsAppAccount(**{**TWILIO, **settings}),
        "berlin": WhatsAppAccount(**{**TWILIO, "from": "+4930111111"}),
    }


def meta_accounts(**settings: Any) -> dict[str, WhatsAppAccount]:
    """Our account, and another number of the same Meta app."""
    return {
        "default": WhatsAppAccount(**{**META, **settings}),
        "berlin": WhatsAppAccount(**{**META, "phone_number_id": "205"}),
    }


def services(*, public_url: str = PUBLIC_URL, send_timeout_s: float = 2.0) -> Services:
    """Services of a server that keeps one file, ``f1``."""

    async def load(_: str) -> str:
        return ""

    async def save(_: str, __: str) -> None:
        return None

    async def file(_: str) -> File:
        return File("label.pdf", "application/pdf", b"%PDF-1.7")

    return Services(
        send_timeout_s,
        public_url,
        load,
        save,
        file,
        lambda ref: f"{public_url}/files/{ref}" if public_url else "",
    )


def delivery(hook: Hook, **changes: Any) -> Delivery:
    """A hook as the gateway hands it on."""
    parts = urlsplit(hook.url)
    headers = {name.lower(): value for name, value in hook.headers.items()}
    values = {
        "method": hook.method,
        "url": hook.url,
        "path": parts.path,
        "query": dict(parse_qsl(parts.query)),
        "headers": headers,
        "body": hook.body,
        "now_s": NOW_S,
    }
    return Delivery(**{**values, **changes})


def outgoing(
    payload: Mapping[str, Any], part: str = "part-1", to: str = f"whatsapp:{CUSTOMER}", **more: Any
) -> Outgoing:
    """A part for our customer."""
    return Outgoing(part, {"to": to}, payload, **more)


def shown(fact: Fact, expected: Mapping[str, Any]) -> dict[str, Any]:
    """As much of a fact as the expectation names."""
    whole = {"kind": type(fact).__name__, **json.loads(json.dumps(asdict(fact)))}
    return {key: _part(whole[key], wanted) for key, wanted in expected.items()}


def _part(value: Any, wanted: Any) -> Any:
    if isinstance(value, list) and isinstance(wanted, list) and len(value) == len(wanted):
        return [_part(one, other) for one, other in zip(value, wanted, strict=True)]
    if isinstance(value, dict) and isinstance(wanted, dict) and wanted.keys() < value.keys() and "kind" in wanted:
        return {key: value[key] for key in wanted}
    if isinstance(value, dict) and isinstance(wanted, dict) and "external_id" in value:
        return {key: value[key] for key in wanted}
    return value


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    """A downloaded file."""
    return b"".join([chunk async for chunk in chunks])
