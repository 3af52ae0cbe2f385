"""A Slack double and channels wired to it, for the tests of the Slack channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from channels.base import Delivery, File, Outgoing, Services
from channels.message import Fact, Inbound, Outbound
from channels.slack.channel import SlackChannel, make
from config.accounts import SlackAccount
from tests.doubles.slack import Slack, Workspace, hook

SECRET = "s3cret-of-the-app"
TIMEOUT_S = 0.5
DEADLINE_S = 5.0


async def _no_file(_ref: str) -> File:
    raise KeyError(_ref)


def services(timeout_s: float = TIMEOUT_S, kept: dict[str, str] | None = None) -> Services:
    texts = {} if kept is None else kept

    async def load(name: str) -> str:
        return texts.get(name, "")

    async def save(name: str, value: str) -> None:
        texts[name] = value

    return Services(timeout_s, "", load, save, _no_file, lambda ref: f"https://desk.example/files/{ref}")


def settings(slack: Slack, space: Workspace | None = None, **more: Any) -> SlackAccount:
    space = space or slack.workspaces[0]
    fields: dict[str, Any] = {"bot_token": space.token, "signing_secret": SECRET, "api_base": slack.api_base}
    return SlackAccount.model_validate(fields | more)


@dataclass
class Rig:
    """The double, and the channel of its first workspace."""

    slack: Slack
    channel: SlackChannel
    kept: dict[str, str]

    def inbound(self, channel: str = "C1", text: str = "<@UDESK> hello", **more: Any) -> Inbound:
        """A person writes to us, and we understand."""
        for payload in self.slack.say(channel, text, **more):
            for fact in self.channel.normalize(payload, now_s=time.time()):
                assert isinstance(fact, Inbound)
                return fact
        raise AssertionError("nobody heard that")

    def part(self, route: Mapping[str, str], text: str = "On Friday.", part_id: str = "p1", **more: Any) -> Outgoing:
        """A rendered answer, ready to be sent for the first time."""
        (payload,) = self.channel.render(Outbound(text))
        return Outgoing(part_id, route, payload, tried_at=time.time(), **more)

    def ours(self, channel: str = "C1") -> list[dict[str, Any]]:
        """What customers see of us."""
        return [each for each in self.slack.place(channel).visible if each.get("bot_id")]


@asynccontextmanager
async def rigged(
    slack: Slack | None = None, *, timeout_s: float = TIMEOUT_S, texts: dict[str, str] | None = None, **more: Any
) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        slack = slack or Slack()
        await stack.enter_async_context(slack.running())
        kept: dict[str, str] = {} if texts is None else texts
        channel = make("default", {"default": settings(slack, **more)}, services(timeout_s, kept))
        await stack.enter_async_context(channel.running())
        yield Rig(slack, channel, kept)


def delivery(
    payload: Mapping[str, Any], secret: str = SECRET, *, now_s: float | None = None, **headers: str
) -> Delivery:
    """A signed request as the gateway hands it on."""
    made = hook("https://desk.example/webhooks/slack", secret, payload)
    named = {name.lower(): value for name, value in made.headers.items()} | headers
    when = time.time() if now_s is None else now_s
    return Delivery("POST", made.url, "/webhooks/slack", {}, named, made.body, when)


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition, at most a few seconds."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.005)


class Kept:
    """Accepts facts as the gateway does: each message once; ``broken`` makes it fail."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.keys: dict[str, Inbound] = {}
        self.calls = 0
        self.broken: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def accept(self, facts: Sequence[Fact]) -> None:
        self.calls += 1
        await self.open.wait()
        if self.broken is not None:
            raise self.broken
        self.facts += facts
        for fact in facts:
            if isinstance(fact, Inbound):
                self.keys.setdefault(fact.external_id, fact)

    @property
    def texts(self) -> list[str]:
        return [fact.text for fact in self.keys.values()]
