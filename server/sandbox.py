"""The simulator's channels: real renderers and limits of a platform, and nobody behind them.

A conversation of account ``~sandbox`` goes through gateway, engine and outbox like any other; what would be sent stays
in the outbox's parts. No account can be configured under that name and no webhook can name it. Analytics, training,
gaps and alerts leave accounts out that begin with ``~`` (no account policy: nothing of it ever trains).
"""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final

from pydantic import SecretStr

from channels.base import Accept, Channel, Delivery, Health, Limits, Outgoing, Received, Rejected, Sent, Services
from channels.message import Attachment, Fact, Inbound, Outbound
from config.accounts import PlatformAccount, SlackAccount, TelegramAccount, WhatsAppAccount
from config.approved import Approved

ACCOUNT: Final = "~sandbox"
NAME: Final = "Simulated customer"
PLATFORMS: Final = ("web", "telegram", "slack", "whatsapp")
_SECRET = SecretStr("sandbox")
_NUMBER = "100000000000000"
_SENDER = "whatsapp:+10000000000"


class SimulatedChannel:
    """A platform's channel whose sends reach nobody: they succeed at once, and stay in the store."""

    def __init__(self, real: Channel) -> None:
        self.name = real.name
        self.account = ACCOUNT
        self.limits: Limits = replace(
            real.limits, edit_interval_s=None, draft="none", look_up=False, proof_s=0.0, media_bytes=0, typing_s=0.0
        )
        self._real = real

    def running(self) -> AbstractAsyncContextManager[None]:
        """Nothing is opened."""
        return nullcontext()

    async def receive(self, delivery: Delivery) -> Received:
        """Refuse: nobody delivers here."""
        raise Rejected(404, f"{delivery.path} is not for the simulator")

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        """As the platform's own channel does."""
        return self._real.normalize(payload, now_s=now_s)

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        """As the platform's own channel does."""
        return self._real.render(message)

    def template(self) -> Mapping[str, Any] | None:
        """As the platform's own channel does."""
        return self._real.template()

    def templates(self) -> Sequence[Approved]:
        """As the platform's own channel does."""
        return self._real.templates()

    async def send(self, out: Outgoing) -> Sent:
        """Say that it arrived; the outbox keeps what it was."""
        return Sent(f"simulated-{out.id}")

    async def find(self, out: Outgoing) -> Sent | None:
        """What was tried arrived."""
        return Sent(f"simulated-{out.id}")

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:  # noqa: ARG002 - no drafts
        """Show nothing: the whole answer is what counts here."""
        return draft_id

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:
        """Show nothing."""

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:  # noqa: ARG002 - no drafts
        """None exists."""
        return ""

    async def withdraw_draft(self, provider_id: str, route: Mapping[str, str]) -> None:
        """Nothing to take away."""

    async def typing(self, route: Mapping[str, str]) -> None:
        """Nobody watches."""

    async def confirm(self, fact: Fact) -> None:
        """Nobody waits."""

    async def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:  # noqa: ARG002 - nothing is missed
        """Nothing was missed."""
        nothing: Sequence[Sequence[Fact]] = ()
        for facts in nothing:
            yield facts

    async def listen(self, accept: Accept) -> None:
        """Nobody calls."""

    async def fetch(self, attachment: Attachment, route: Mapping[str, str]) -> AsyncIterator[bytes]:  # noqa: ARG002 - no files
        """There are no files."""
        nothing: Sequence[bytes] = ()
        for piece in nothing:
            yield piece

    async def check(self) -> Health:
        """Always well."""
        return Health(ok=True, detail="the simulator needs no account")


class Sandboxes:
    """The simulated channel of each platform, made at its first use; ``whatsapp`` is the provider to imitate."""

    def __init__(self, services: Callable[[], Services], whatsapp: Callable[[], str]) -> None:
        self._services = services
        self._whatsapp = whatsapp
        self._made: dict[str, SimulatedChannel] = {}

    def get(self, platform: str) -> SimulatedChannel | None:
        """The channel of a platform; None for one that is pulled or unknown. Raises ImportError without its library."""
        if platform not in PLATFORMS or platform == "web":
            return None
        if platform not in self._made:
            made = importlib.import_module(f"channels.{platform}").make(
                ACCOUNT, {ACCOUNT: self._settings(platform)}, self._services()
            )
            self._made[platform] = SimulatedChannel(made)
        return self._made[platform]

    def _settings(self, platform: str) -> PlatformAccount:
        if platform == "telegram":
            return TelegramAccount(token=SecretStr("1:sandbox"), secret_token=_SECRET, register_webhook=False)
        if platform == "slack":
            return SlackAccount(bot_token=_SECRET, signing_secret=_SECRET, stream=False)
        if self._whatsapp() == "twilio":
            return WhatsAppAccount(provider="twilio", account_sid="ACsandbox", auth_token=_SECRET, sender=_SENDER)
        return WhatsAppAccount(
            provider="meta", phone_number_id=_NUMBER, access_token=_SECRET, app_secret=_SECRET, verify_token=_SECRET
        )


def address_digits(person: str, session: str) -> str:
    """Nine digits that stand for one person's customer in one session."""
    return str(int(hashlib.sha256(f"{person}\n{session}".encode()).hexdigest()[:12], 16) % 900_000_000 + 100_000_000)


def said(platform: str, digits: str, text: str, number: str, now_s: float) -> Inbound | Mapping[str, Any]:
    """What the platform would deliver for a customer's words (web: the message itself); ``number`` is its id there."""
    if platform == "web":
        return Inbound("web", ACCOUNT, customer_address("web", digits), number, text, now_s, name=NAME)
    return {"telegram": _telegram, "slack": _slack, "whatsapp": _whatsapp}[platform](digits, text, number, now_s)


def customer_address(platform: str, digits: str) -> str:
    """The address under which the platform's normalizer files that customer."""
    return {
        "telegram": digits, "slack": f"TSANDBOX/D{digits}", "whatsapp": f"+999{digits}", "web": f"sandbox-{digits}",
    }[platform]  # fmt: skip


def _telegram(digits: str, text: str, number: str, now_s: float) -> Mapping[str, Any]:
    person = {"id": int(digits), "is_bot": False, "first_name": NAME}
    chat = {"id": int(digits), "type": "private", "first_name": NAME}
    message: dict[str, Any] = {"message_id": int(number), "from": person, "chat": chat, "date": int(now_s)}
    if text.startswith("/"):  # the platform marks commands itself
        command = text.split(maxsplit=1)[0]
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(command)}]
    return {"update_id": int(number), "message": {**message, "text": text}}


def _slack(digits: str, text: str, number: str, now_s: float) -> Mapping[str, Any]:
    event = {
        "type": "message", "channel_type": "im", "channel": f"D{digits}", "user": f"U{digits}", "team": "TSANDBOX",
        "text": text, "ts": f"{int(now_s)}.{number[-6:]:0>6}", "user_profile": {"real_name": NAME},
    }  # fmt: skip
    return {"type": "event_callback", "team_id": "TSANDBOX", "event": event}


def _whatsapp(digits: str, text: str, number: str, now_s: float) -> Mapping[str, Any]:
    """Both transports at once: each reads its own fields."""
    sender = f"999{digits}"
    message = {
        "from": sender, "id": f"wamid.sandbox{number}", "timestamp": str(int(now_s)), "type": "text",
        "text": {"body": text},
    }  # fmt: skip
    contact = {"wa_id": sender, "profile": {"name": NAME}}
    value = {"metadata": {"phone_number_id": _NUMBER}, "contacts": [contact], "messages": [message]}
    twilio = {"From": f"whatsapp:+{sender}", "To": _SENDER, "MessageSid": f"SM{number}", "Body": text}
    return {
        "entry": [{"changes": [{"field": "messages", "value": value}]}], **twilio, "NumMedia": "0", "ProfileName": NAME,
    }  # fmt: skip


def new_number() -> str:
    """An id a platform could have given a message: digits, later ones higher."""
    return str(time.time_ns() // 1_000)
