"""People on Slack and Telegram in front of the whole service: what they do and see, and what the store says of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.store.contract import Row
from server.store.statements import load, parse
from tests.doubles.platform import Courier, Delivered
from tests.doubles.slack import Slack, courier
from tests.doubles.telegram import TOKEN, Telegram, Update
from tests.model_double import ModelDouble, Pace
from tests.scenario import Service, desk

SIGNING = "slack-signing-secret"
HOOK_SECRET = "s3cret_token-of-the-webhook"
BOT = "UDESK"
ANSWER_S = 10.0
ACK_S = 1.0  # how soon every platform must have its answer
QUICK: dict[str, Any] = {"send_timeout_s": 1.0, "lease_s": 4.0, "retry_base_s": 0.05, "draft_after_s": 0.1}

QUERIES = """
-- name: open_lanes
-- Conversations with something left to do.
select kind, key from lane where kind in ('in', 'out') and done < tail;
-- name: conversations
-- Everybody who wrote, and what is known of them.
select c.*, i.verified, i.profile from conversation c join identity i on i.id = c.identity_id
order by c.created_at, c.id;
-- name: messages
-- What was said in a conversation.
select * from message where conversation_id = :conversation_id order by seq;
-- name: outbox
-- Every message that was to leave.
select * from outbox order by created_at, id;
-- name: parts
-- Every platform message that was to leave.
select * from part order by updated_at, number;
-- name: ratings
-- Every rating.
select * from feedback order by created_at, id;
-- name: files
-- Every customer's file.
select * from media order by created_at, number;
-- name: access
-- Accounts that were let out.
select * from channel_state;
-- name: events
-- Everything announced.
select * from event order by number;
-- name: age
-- Set the clock of what was read back.
update channel_cursor set value = :value where name = 'seen';
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("chats", QUERIES, dialect))

ENDED = frozenset({"sent", "delivered", "read", "cancelled", "expired", "failed", "parked"})


@dataclass
class Chats:
    """One service and the courier of its platform."""

    service: Service
    courier: Courier

    @property
    def model(self) -> ModelDouble:
        """The model behind the desk."""
        return self.service.double

    async def rows(self, name: str, **values: Any) -> list[Row]:
        """What the store holds (see QUERIES)."""
        return list(await self.service.store.rows(f"chats.{name}", **values))

    async def quiet(self, timeout_s: float = ANSWER_S) -> None:
        """Wait until nothing is left to answer or to send."""
        await self.courier.settle()
        async with asyncio.timeout(timeout_s):
            while await self.rows("open_lanes"):
                await asyncio.sleep(0.02)

    async def laws(self) -> None:
        """Every message is covered by one turn, every row has its end, no draft stays open."""
        await self.quiet()
        for conversation in await self.rows("conversations"):
            await self.service.check_laws(conversation["id"])
        for row in await self.rows("outbox"):
            assert row["state"] in ENDED, dict(row)

    async def only(self) -> Row:
        """The one conversation there is."""
        (conversation,) = await self.rows("conversations")
        return conversation

    async def aged(self, seconds: float) -> None:
        """The last time that all was read lies so far back."""
        value = repr(time.time() - seconds)
        await self.service.store.write(lambda tx: tx.run("chats.age", value=value), order="~")

    async def note(self, name: str) -> str:
        """What the readiness page says of an account."""
        answer = await self.service.http.get(f"{self.service.base}/readyz")
        return str((await answer.json())["notes"].get(name, ""))


@dataclass
class SlackChats(Chats):
    """A desk in Slack."""

    slack: Slack

    def url(self, what: str = "events", account: str = "") -> str:
        """Where Slack delivers."""
        return f"{self.service.base}/webhooks/slack/{what}{account and '/' + account}"

    async def tells(self, payload: Mapping[str, Any], what: str = "events") -> Delivered:
        """Deliver one payload as Slack would."""
        return await self.slack.deliver(self.courier, self.url(what), SIGNING, payload)

    async def event(self, event: Mapping[str, Any], **more: Any) -> Delivered:
        """Deliver one event."""
        return await self.tells(self.slack.envelope(event, **more))

    async def says(self, channel: str, text: str, **more: Any) -> str:
        """A person writes, and Slack delivers all that it makes of it; returns the message's ts."""
        payloads = self.slack.say(channel, text, **more)
        for payload in payloads:
            delivered = await self.tells(payload)
            assert delivered.ack_s is not None, delivered
            assert delivered.ack_s < ACK_S
        return str(payloads[0]["event"]["ts"])

    def ours(self, channel: str, team: str = "T1") -> list[dict[str, Any]]:
        """Our messages in a channel as its members see them."""
        return [each for each in self.slack.place(channel, team).visible if each.get("bot_id") == "BDESK"]

    def texts(self, channel: str, team: str = "T1") -> list[str]:
        """Their words."""
        return [str(each["text"]) for each in self.ours(channel, team)]

    async def answered(self, channel: str, count: int = 1, team: str = "T1", timeout_s: float = ANSWER_S) -> list[str]:
        """Wait for so many messages of ours and for the end of all work; returns their words."""
        await self._until(channel, count, team, timeout_s)
        await self.quiet()
        return self.texts(channel, team)

    async def _until(self, channel: str, count: int, team: str, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.ours(channel, team)) < count:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{channel} shows {self.texts(channel, team)}, wanted {count}") from None


@dataclass
class TelegramChats(Chats):
    """A desk in Telegram."""

    telegram: Telegram

    @property
    def url(self) -> str:
        """Where Telegram delivers."""
        return f"{self.service.base}/webhooks/telegram"

    async def tells(self, update: Update) -> Delivered:
        """Deliver one update as Telegram would."""
        delivered = await self.courier.deliver(self.telegram.hook(update, self.url, HOOK_SECRET))
        assert delivered.ack_s is not None, delivered
        assert delivered.ack_s < ACK_S
        return delivered

    async def says(self, chat: int, text: str, **more: Any) -> Update:
        """A customer writes; returns the update."""
        update = self.telegram.says(chat, text, **more)
        await self.tells(update)
        return update

    async def answered(self, chat: int, count: int = 1, timeout_s: float = ANSWER_S) -> list[str]:
        """Wait for so many messages in a chat and for the end of all work; returns their words."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.telegram.visible(chat)) < count:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"chat {chat} shows {self.telegram.visible(chat)}, wanted {count}") from None
        await self.quiet()
        return self.telegram.visible(chat)


@asynccontextmanager
async def in_slack(
    url: str,
    folder: Path,
    slack: Slack,
    *,
    accounts: Mapping[str, Mapping[str, Any]] | None = None,
    pace: Pace | None = None,
    outbox: Mapping[str, Any] | None = None,
    **sections: Mapping[str, Any],
) -> AsyncIterator[SlackChats]:
    """A desk in front of a running double; ``accounts`` override the one of its first workspace."""
    given = accounts or {"default": {}}
    base = {"bot_token": slack.workspaces[0].token, "signing_secret": SIGNING, "api_base": slack.api_base}
    channels = {"web": {"default": {}}, "slack": {name: base | dict(more) for name, more in given.items()}}
    async with AsyncExitStack() as stack:
        post = await stack.enter_async_context(courier().running())
        service = await stack.enter_async_context(
            desk(url, folder, pace=pace, channels=channels, outbox=QUICK | dict(outbox or {}), **sections)
        )
        yield SlackChats(service, post, slack)


@asynccontextmanager
async def in_telegram(
    url: str,
    folder: Path,
    telegram: Telegram,
    *,
    account: Mapping[str, Any] | None = None,
    pace: Pace | None = None,
    outbox: Mapping[str, Any] | None = None,
    **sections: Mapping[str, Any],
) -> AsyncIterator[TelegramChats]:
    """A desk in front of a running double; ``account`` overrides single settings of the bot."""
    base = {"token": TOKEN, "secret_token": HOOK_SECRET, "api_base": telegram.base_url}
    channels = {"web": {"default": {}}, "telegram": {"default": base | dict(account or {})}}
    async with AsyncExitStack() as stack:
        post = await stack.enter_async_context(telegram.couriers())
        service = await stack.enter_async_context(
            desk(url, folder, pace=pace, channels=channels, outbox=QUICK | dict(outbox or {}), **sections)
        )
        yield TelegramChats(service, post, telegram)
