"""A Telegram channel in front of the double, with services that keep things in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from channels.base import Delivery, File, Outgoing, Services
from channels.message import Outbound
from channels.telegram import TelegramChannel, make
from config.accounts import TelegramAccount
from tests.doubles.telegram import SECRET, TOKEN, Telegram

PRIVATE, GROUP = 10001, -1001234567890
ROUTE = {"chat": str(PRIVATE)}
GROUP_ROUTE = {"chat": str(GROUP), "message": "41"}


class Shelf:
    """Cursors and files."""

    def __init__(self, *, timeout_s: float = 2.0, public_url: str = "") -> None:
        self.cursors: dict[str, str] = {}
        self.files: dict[str, File] = {}
        self.services = Services(
            send_timeout_s=timeout_s,
            public_url=public_url,
            load=self._load,
            save=self._save,
            file=self._file,
            file_url=lambda _id: "",
        )

    async def _load(self, name: str) -> str:
        return self.cursors.get(name, "")

    async def _save(self, name: str, value: str) -> None:
        self.cursors[name] = value

    async def _file(self, file_id: str) -> File:
        return self.files[file_id]


def settings_for(api_base: str, **more: Any) -> TelegramAccount:
    """An account of the double's bot."""
    return TelegramAccount(**{"token": TOKEN, "secret_token": SECRET, "api_base": api_base, "stream": "off"} | more)


@asynccontextmanager
async def opened(
    double: Telegram, shelf: Shelf | None = None, *, account: str = "default", **settings: Any
) -> AsyncIterator[TelegramChannel]:
    """A channel of the double's bot, running."""
    shelf = shelf or Shelf()
    channel = make(account, {account: settings_for(double.base_url, **settings)}, shelf.services)
    async with channel.running():
        yield channel


def delivery(body: bytes, *, secret: str | None = SECRET, kind: str = "application/json") -> Delivery:
    """A webhook request with this body."""
    headers = {"content-type": kind} | ({} if secret is None else {"x-telegram-bot-api-secret-token": secret})
    path = "/webhooks/telegram"
    return Delivery("POST", f"https://shop.example{path}", path, {}, headers, body, time.time())


def outgoing(
    channel: TelegramChannel,
    text: str,
    route: Mapping[str, str] = ROUTE,
    *,
    part: int = 0,
    draft: str = "",
    **more: Any,
) -> Outgoing:
    """One rendered part of a message."""
    payloads = channel.render(Outbound(text, **more))
    return Outgoing(id=f"part{part}", route=route, payload=payloads[part], draft=draft)


async def eventually(condition: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait until something holds; fails when it does not in time."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        await asyncio.sleep(0.01)
