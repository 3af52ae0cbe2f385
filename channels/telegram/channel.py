"""The Telegram channel: one bot, by webhook or by polling."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aiohttp import ClientSession

from channels.base import (
    Accept,
    Delivery,
    Health,
    Limits,
    Outgoing,
    Pace,
    Received,
    Rejected,
    SendError,
    Sent,
    Services,
    Unknown,
)
from channels.message import Attachment, Fact, Outbound, Pressed
from channels.telegram.api import Api
from channels.telegram.commands import Me
from channels.telegram.drafts import Drafts
from channels.telegram.files import FILE_BYTES, download
from channels.telegram.payloads import TEXT_UNITS, payloads_of
from channels.telegram.places import message_id, route_place
from channels.telegram.polling import Polling
from channels.telegram.sending import Sending
from channels.telegram.setup import Setup
from channels.telegram.updates import CHANNEL, Reading, facts_of
from config.accounts import TelegramAccount
from config.approved import Approved

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name
ACCOUNT_PACE = Pace(30.0, 30)
CHAT_PACE = Pace(1.0, 3)
GROUP_PACE = Pace(0.28, 3)  # not more than 20 in any minute
EDIT_INTERVAL_S = 1.0
TYPING_S = 4.5  # the sign lasts five seconds

log = structlog.get_logger()


class TelegramChannel:
    """One bot of Telegram."""

    name = CHANNEL

    def __init__(self, account: str, settings: TelegramAccount, services: Services) -> None:
        self.account = account
        self.settings = settings
        self.limits = _limits(settings)
        self.me = Me(_bot_id(settings.token.get_secret_value()))
        self._api = Api(settings.token.get_secret_value(), settings.api_base, services.send_timeout_s)
        self._sending = Sending(self._api, services.file)
        self._drafts = Drafts(self._sending, self.limits.draft)
        self._setup = Setup(
            self._api, account, settings, services.public_url, self._learn, look_only=services.look_only
        )
        self._polling = Polling(self._api, account, self._read, services.load, services.save)
        self._http: ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open connections; who the bot is and its webhook are settled in the background."""
        async with ClientSession(trust_env=True) as self._http:
            background = asyncio.create_task(self._setup.run())
            try:
                yield
            finally:
                background.cancel()
                with suppress(asyncio.CancelledError):
                    await background
                await self._api.close()

    async def receive(self, delivery: Delivery) -> Received:
        """Compare the secret in constant time, then read the update; verified unknown kinds are taken and ignored."""
        wanted = self.settings.secret_token.get_secret_value().encode()
        given = delivery.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not wanted or not hmac.compare_digest(wanted, given):
            raise Rejected(403, "the secret token is missing or wrong; set the webhook again with this one")
        kind = delivery.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Rejected(415, "updates are JSON (application/json)")
        try:
            update = json.loads(delivery.body)
        except (ValueError, RecursionError):
            raise Rejected(400, "the body is not JSON") from None
        if not isinstance(update, dict):
            raise Rejected(400, "an update is a JSON object")
        return Received(self.normalize(update, now_s=delivery.now_s))

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        """The facts of one update."""
        return facts_of(payload, Reading(self.account, self.me, now_s))

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        """Parts of at most 4096 UTF-16 units in Telegram's HTML, each with its plain text."""
        return payloads_of(message)

    def template(self) -> Mapping[str, Any] | None:
        """Telegram has no templates."""
        return None

    def templates(self) -> Sequence[Approved]:
        """Telegram has no templates."""
        return ()

    async def send(self, out: Outgoing) -> Sent:
        """Send a part, or change the shown draft into it (which may be repeated)."""
        place = route_place(out.route)
        if out.draft and self.limits.draft == "message" and "file" not in out.payload:
            number = message_id(out.draft)
            if await self._sending.edit(place, number, out.payload):
                return Sent(place.key(number))
        number = await self._sending.message(place, out.payload)
        return Sent(place.key(number or f"part-{out.id}"))

    async def find(self, out: Outgoing) -> Sent | None:
        """Bots cannot read what they wrote."""
        raise Unknown("no_look_up", f"Telegram cannot be asked whether part {out.id} was sent")

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:
        """Show a preview (private chats only) or a message that the answer will replace."""
        return await self._drafts.open(draft_id, route, text)

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:
        """Show the text so far."""
        await self._drafts.update(provider_id, route, text)

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:
        """The id of a preview; messages cannot be looked up."""
        _ = tried_at
        return self._drafts.find(draft_id, route)

    async def withdraw_draft(self, provider_id: str, route: Mapping[str, str]) -> None:
        """Delete a draft's message; previews vanish by themselves."""
        await self._drafts.withdraw(provider_id, route)

    async def typing(self, route: Mapping[str, str]) -> None:
        """Show "typing" for five seconds."""
        await self._sending.typing(route_place(route))

    async def confirm(self, fact: Fact) -> None:
        """End the waiting sign on a pressed button; too late is no harm."""
        if not isinstance(fact, Pressed) or not fact.route.get("callback"):
            return
        try:
            await self._api.call(lambda bot: bot.answer_callback_query(fact.route["callback"]))
        except SendError as error:
            log.info("telegram_button_not_confirmed", account=self.account, code=error.code)

    async def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:
        """Nothing to read: Telegram keeps undelivered updates for a day and delivers them by itself."""
        _ = since_s
        nothing: Sequence[Sequence[Fact]] = ()
        for facts in nothing:
            yield facts

    async def listen(self, accept: Accept) -> None:
        """Poll, in polling mode; a webhook needs no listening."""
        if self.settings.mode == "polling":
            await self._polling.run(accept)

    async def fetch(self, attachment: Attachment, route: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Download a file of at most 20 MB by its file id."""
        _ = route
        if self._http is None:
            raise Unknown("closed", "the channel is not running")
        async for chunk in download(self._api, self._http, attachment):
            yield chunk

    async def check(self) -> Health:
        """Ask who the bot is, and whether updates come in."""
        return await self._setup.check(self._polling.trouble)

    def _read(self, update: Mapping[str, Any]) -> Sequence[Fact]:
        return self.normalize(update, now_s=time.time())

    def _learn(self, me: Me) -> None:
        self.me = me


def make(account: str, accounts: Mapping[str, TelegramAccount], services: Services) -> TelegramChannel:
    """The channel of one configured bot."""
    return TelegramChannel(account, accounts[account], services)


def _limits(settings: TelegramAccount) -> Limits:
    draft = {"draft": "preview", "edit": "message", "off": "none"}[settings.stream]
    return Limits(
        text_units=TEXT_UNITS,
        unit="utf16",
        edit_interval_s=None if draft == "none" else EDIT_INTERVAL_S,
        draft=draft,  # type: ignore[arg-type]
        account_pace=ACCOUNT_PACE,
        chat_pace=CHAT_PACE,
        group_pace=GROUP_PACE,
        media_bytes=FILE_BYTES,
        typing_s=TYPING_S,
    )


def _bot_id(token: str) -> int:
    """The bot's user id is the number its token begins with."""
    number = token.partition(":")[0]
    return int(number) if number.isdecimal() else 0
