"""Long polling: an update is confirmed to Telegram only after what it means is committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from channels.base import Accept, Limited, Refused, SendError, Unauthorized
from channels.message import Fact, Revoked
from channels.telegram.api import Api
from channels.telegram.updates import CHANNEL, WANTED

WAIT_S = 25  # how long Telegram holds a poll open when there is nothing to tell
MARGIN_S = 10.0
EMPTY_PAUSE_S = 0.2
PAUSE_FIRST_S, PAUSE_LAST_S = 1.0, 60.0
STALE_S = 86_400.0
"""After a quiet week Telegram may number updates anew, even lower; what it keeps is a day old at most. So an offset
that has not moved for a day is forgotten: everything below it was confirmed long ago, or is not kept any more."""
CONFLICT = "409"

log = structlog.get_logger()


class Polling:
    """The polling loop of one bot; ``trouble`` says what keeps it from working, empty while it works."""

    def __init__(
        self,
        api: Api,
        account: str,
        read: Callable[[Mapping[str, Any]], Sequence[Fact]],
        load: Callable[[str], Awaitable[str]],
        save: Callable[[str, str], Awaitable[None]],
        *,
        pause_s: float = PAUSE_FIRST_S,
    ) -> None:
        self.trouble = ""
        self._api = api
        self._account = account
        self._read = read
        self._load, self._save = load, save
        self._pause_s = pause_s
        # another bot's numbers mean nothing here
        self._cursor = f"{CHANNEL}.{account}.{api.token.partition(':')[0]}.offset"

    async def run(self, accept: Accept) -> None:
        """Poll until cancelled; faults of ``accept`` end it, and the same updates come again when it is restarted."""
        offset = await self._restore()
        pause_s = self._pause_s
        while True:
            try:
                updates = await self._poll(offset.value)
            except SendError as error:
                await self._report(error, accept)
                await asyncio.sleep(error.retry_after_s if isinstance(error, Limited) else pause_s)
                pause_s = min(pause_s * 2, PAUSE_LAST_S)
                continue
            self._works()
            pause_s = self._pause_s
            await self._take(updates, accept)
            offset = await self._move(offset, updates)

    async def _poll(self, offset: int) -> Sequence[Mapping[str, Any]]:
        found = await self._api.call(
            lambda bot: bot.get_updates(offset=offset or None, timeout=WAIT_S, allowed_updates=WANTED),
            timeout_s=WAIT_S + MARGIN_S,
        )
        if not found:
            await asyncio.sleep(EMPTY_PAUSE_S)  # servers that do not hold a poll open would be asked without end
        return [update for update in found if isinstance(update, dict)] if isinstance(found, list) else []

    async def _take(self, updates: Sequence[Mapping[str, Any]], accept: Accept) -> None:
        facts = [fact for update in updates for fact in self._read(update)]
        if facts:
            await accept(facts)

    async def _restore(self) -> Offset:
        value, _, at = (await self._load(self._cursor)).partition("@")
        return Offset(int(value), float(at)) if value.isdigit() and at else Offset()

    async def _move(self, offset: Offset, updates: Sequence[Mapping[str, Any]]) -> Offset:
        numbers = [number for update in updates if isinstance(number := update.get("update_id"), int)]
        if not numbers:
            return offset
        moved = Offset(max(numbers) + 1, time.time())
        await self._save(self._cursor, f"{moved.number}@{moved.at}")
        return moved

    def _works(self) -> None:
        if self.trouble:
            log.info("telegram_polling_works_again", account=self._account)
        self.trouble = ""

    async def _report(self, error: SendError, accept: Accept) -> None:
        """Log each kind of trouble once, with its repair; a token that is not accepted is also told to the server."""
        repair = _repair(error)
        if repair != self.trouble:
            log.error("telegram_polling_failed", account=self._account, code=error.code, repair=repair)
            self.trouble = repair
            if isinstance(error, Unauthorized):
                await accept([Revoked(CHANNEL, self._account, error.detail)])


class Offset:
    """The number of the first update wanted, and when it last moved (epoch seconds)."""

    def __init__(self, number: int = 0, at: float = 0.0) -> None:
        self.number = number
        self.at = at

    @property
    def value(self) -> int:
        """The number to ask for; 0 asks for everything that Telegram still keeps."""
        return self.number if time.time() - self.at < STALE_S else 0


def _repair(error: SendError) -> str:
    detail = error.detail
    if error.code == CONFLICT and "webhook" in detail.lower():
        return (
            "a webhook is set for this bot, so it cannot be polled: set mode to webhook, or remove the webhook "
            "(open <api_base>/bot<token>/deleteWebhook once)"
        )
    if error.code == CONFLICT:
        return "another process polls this bot: stop it, or give this one a bot of its own (@BotFather, /newbot)"
    if isinstance(error, Unauthorized):
        return detail
    kind = "refused" if isinstance(error, Refused) else "not reachable"
    return f"Telegram's Bot API is {kind} ({error.code}); polling goes on: check the network and api_base"
