"""One line per platform: settings that bind an account to its double, how customers write there, what they see."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from tests.doubles.meta import MetaDouble
from tests.doubles.platform import META, SLACK, TELEGRAM, TWILIO, Courier, Delivered, Patience
from tests.doubles.slack import Slack
from tests.doubles.telegram import Telegram
from tests.doubles.twilio import TwilioDouble

DOUBLE: dict[str, Any] = {"hang_s": 3.0}  # longer than a send is waited for
BUTTONS = re.compile(r" \[[^\]=]*=f1[^\]]*\]")  # how the doubles of WhatsApp show quick replies


class Line(ABC):
    """One platform's account: settings that bind it to its double, how a customer writes, and what they see."""

    channel: ClassVar[str]
    path: ClassVar[str]
    patience: ClassVar[Patience]
    limit: ClassVar[int]  # characters of one platform message
    send: ClassVar[str]  # the double's name of the call that sends
    settles: ClassVar[bool]  # whether the platform can be asked what it has of us

    double: Any

    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self.url = ""

    @abstractmethod
    def account(self) -> dict[str, Any]:
        """Settings of the account; the double is running."""

    @abstractmethod
    def message(self, place: str, text: str, **more: Any) -> Any:
        """A message as the platform knows it, before any delivery."""

    @abstractmethod
    async def deliver(self, message: Any) -> Delivered:
        """Deliver a message, signed, with the platform's patience."""

    @abstractmethod
    def place(self, number: int) -> str:
        """Where customer number N writes: a phone number, channel or chat."""

    def address(self, place: str) -> str:
        """Under which address the service keeps that customer."""
        return place

    @abstractmethod
    def screen(self, place: str) -> list[str]:
        """Finished messages of ours that the customer sees, in order."""

    def drafts(self, place: str) -> list[str]:
        """What still looks as if it were being written."""
        del place
        return []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The double listens, the courier can deliver."""
        async with self.double.running(), self.courier.running():
            yield

    async def settled(self) -> None:
        """Every delivery, duplicate and status callback has arrived."""
        await self.courier.settle()


class _WhatsApp(Line):
    """What both providers of WhatsApp share: their doubles run their couriers themselves."""

    channel = "whatsapp"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.double.running():
            yield

    async def settled(self) -> None:
        await self.double.settled()

    def address(self, place: str) -> str:
        return f"+{place.removeprefix('+')}"

    def screen(self, place: str) -> list[str]:
        return [BUTTONS.sub("", text) for text in self.double.seen(place)]


class TwilioLine(_WhatsApp):
    """WhatsApp through Twilio."""

    path, patience, limit = "/webhooks/whatsapp", TWILIO, 1_600
    send, settles = "messages.create", True
    double: TwilioDouble

    def __init__(self, courier: Courier, **double: Any) -> None:
        super().__init__(courier)
        self.double = TwilioDouble(**DOUBLE | {"courier": courier} | double)

    def account(self) -> dict[str, Any]:
        self.double.webhook_url = self.url
        return {
            "account_sid": self.double.account_sid,
            "auth_token": self.double.auth_token,
            "from": self.double.sender.removeprefix("whatsapp:"),
            "api_base": self.double.base_url,
        }

    def message(self, place: str, text: str, **more: Any) -> Any:
        return self.double.heard(place, text, **more)

    async def deliver(self, message: Any) -> Delivered:
        return await self.double.deliver(message)

    def place(self, number: int) -> str:
        return f"+4915110{number:06d}"


class MetaLine(_WhatsApp):
    """WhatsApp through Meta's Cloud API."""

    path, patience, limit = "/webhooks/whatsapp/meta", META, 4_096
    send, settles = "messages", False
    double: MetaDouble

    def __init__(self, courier: Courier, **double: Any) -> None:
        super().__init__(courier)
        self.double = MetaDouble(**DOUBLE | {"courier": courier} | double)

    def account(self) -> dict[str, Any]:
        self.double.webhook_url = self.url
        return {
            "provider": "meta",
            "phone_number_id": self.double.phone_number_id,
            "access_token": self.double.access_token,
            "app_secret": self.double.app_secret,
            "verify_token": self.double.verify_token,
            "api_base": self.double.base_url,
        }

    def message(self, place: str, text: str, **more: Any) -> Any:
        return self.double.batch(self.double.message(place, text=text, **more))

    async def deliver(self, message: Any) -> Delivered:
        return await self.double.deliver(message)

    def place(self, number: int) -> str:
        return f"4915220{number:06d}"


class SlackLine(Line):
    """A workspace in which customers write direct messages."""

    channel, path, patience, limit = "slack", "/webhooks/slack/events", SLACK, 12_000
    secret = "slack-signing-secret"
    send, settles = "chat.postMessage", True
    double: Slack

    def __init__(self, courier: Courier, **double: Any) -> None:
        super().__init__(courier)
        self.double = Slack(**DOUBLE | double)

    def account(self) -> dict[str, Any]:
        token = self.double.workspaces[0].token
        return {"bot_token": token, "signing_secret": self.secret, "api_base": self.double.api_base}

    def message(self, place: str, text: str, **more: Any) -> Any:
        return self.double.say(place, text, user=f"U{place[1:]}", **more)

    async def deliver(self, message: Any) -> Delivered:
        """Every event of a message (a mention has two); accepted when any of them was."""
        done = [await self.double.deliver(self.courier, self.url, self.secret, event) for event in message]
        return next((each for each in done if each.accepted), done[0])

    def place(self, number: int) -> str:
        return f"D{number:06d}"

    def address(self, place: str) -> str:
        return f"{self.double.workspaces[0].team}/{place}"

    def _ours(self, place: str) -> list[dict[str, Any]]:
        space = self.double.workspaces[0]
        found = self.double.place(place, space.team).visible
        return [message for message in found if message.get("bot_id") == space.bot_id]

    def screen(self, place: str) -> list[str]:
        return [str(message["text"]) for message in self._ours(place) if message["ts"] not in self.double._streams]

    def drafts(self, place: str) -> list[str]:
        return [str(message["text"]) for message in self._ours(place) if message["ts"] in self.double._streams]


class TelegramLine(Line):
    """A bot with private chats."""

    channel, path, patience, limit = "telegram", "/webhooks/telegram", TELEGRAM, 4_096
    secret = "telegram-webhook-secret"
    send, settles = "sendMessage", False
    double: Telegram

    def __init__(self, courier: Courier, **double: Any) -> None:
        super().__init__(courier)
        self.double = Telegram(**DOUBLE | double)

    def account(self) -> dict[str, Any]:
        return {"token": self.double.token, "secret_token": self.secret, "api_base": self.double.base_url}

    def message(self, place: str, text: str, **more: Any) -> Any:
        return self.double.says(int(place), text, **more)

    async def deliver(self, message: Any) -> Delivered:
        return await self.courier.deliver(self.double.hook(message, self.url, self.secret))

    def place(self, number: int) -> str:
        return str(10_000_000 + number)

    def screen(self, place: str) -> list[str]:
        return self.double.visible(int(place))

    def drafts(self, place: str) -> list[str]:
        return self.double.drafts(int(place))


LINES: dict[str, type[Line]] = {
    "twilio": TwilioLine, "meta": MetaLine, "slack": SlackLine, "telegram": TelegramLine,
}  # fmt: skip
