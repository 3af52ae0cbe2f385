"""A messaging platform in memory, its receiving side: what it tells is written down as facts, or comes by webhook.

``installed`` puts it in the place of a platform's module, so that the whole service finds it by name.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

from channels.base import Accept, Delivery, Health, Limits, Received, Rejected, Services
from channels.message import Fact, Inbound, Pressed
from tests.channel_double import ChannelDouble

SECRET = "told-by-the-platform"
LIMITS = Limits(text_units=1_000, unit="characters", edit_interval_s=None, look_up=True)


class ToldChannel(ChannelDouble):
    """One account; a webhook body is a list of facts, accepted with the right secret only."""

    def __init__(self, account: str = "default", services: Services | None = None, name: str = "telegram") -> None:
        super().__init__(name, account, LIMITS)
        self.services = services
        self.deliveries: list[Delivery] = []
        self.confirmed: list[Fact] = []
        self.history: list[Sequence[Fact]] = []
        self.asked_since: list[float] = []
        self.to_tell: asyncio.Queue[Sequence[Fact]] = asyncio.Queue()
        self.told: list[Sequence[Fact]] = []
        self.listens = False
        self.start_error: Exception | None = None
        self.catch_up_errors: list[Exception] = []
        self.listen_errors: list[Exception] = []
        self.confirm_error: Exception | None = None
        self.history_gate: asyncio.Event | None = None
        self.health = Health(ok=True, detail="the bot is let in")
        self.opened = 0
        self.closed = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self.start_error is not None:
            raise self.start_error
        self.opened += 1
        try:
            yield
        finally:
            self.closed += 1

    async def receive(self, delivery: Delivery) -> Received:
        self.deliveries.append(delivery)
        if delivery.headers.get("x-secret") != SECRET:
            raise Rejected(403, "the secret is not ours")
        return Received(self.normalize({"facts": json.loads(delivery.body)}, now_s=delivery.now_s), body=b"taken")

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        return [self._fact(dict(fact), now_s) for fact in payload["facts"]]

    def _fact(self, fact: dict[str, Any], now_s: float) -> Fact:
        if fact.pop("kind", "message") == "press":
            return Pressed(self.name, self.account, at=now_s, **fact)
        return self.message(sent_at=now_s, **fact)

    def message(self, address: str, external_id: str, text: str = "hello", **more: Any) -> Inbound:
        """A customer's message on this account."""
        fields: dict[str, Any] = {"sent_at": 0.0, "name": "Ana", "route": {"chat": address}} | more
        return Inbound(self.name, self.account, address, external_id, text, **fields)

    async def confirm(self, fact: Fact) -> None:
        if self.confirm_error is not None:
            raise self.confirm_error
        self.confirmed.append(fact)

    async def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:
        self.asked_since.append(since_s)
        if self.history_gate is not None:
            await self.history_gate.wait()
        for page in self.history:
            yield page
        if self.catch_up_errors:
            raise self.catch_up_errors.pop(0)

    async def listen(self, accept: Accept) -> None:
        while self.listens:
            if self.listen_errors:
                raise self.listen_errors.pop(0)
            facts = await self.to_tell.get()
            await accept(facts)
            self.told.append(facts)

    async def check(self) -> Health:
        return self.health


class ToldPlatform(ModuleType):
    """Stands where a platform's module stands; ``made`` are the channels it made last, by account."""

    def __init__(self, name: str = "telegram") -> None:
        super().__init__(f"channels.{name}")
        self.platform = name
        self.made: dict[str, ToldChannel] = {}
        self.prepare: dict[str, Any] = {}  # attributes of every channel from the start

    def make(self, account: str, accounts: Mapping[str, Any], services: Services) -> ToldChannel:
        """The channel of one account, prepared by the test."""
        assert account in accounts
        channel = self.made[account] = ToldChannel(account, services, self.platform)
        for name, value in self.prepare.items():
            setattr(channel, name, value)
        return channel


def installed(monkeypatch: pytest.MonkeyPatch, name: str = "telegram") -> ToldPlatform:
    """Put a platform in memory in the place of the real module for one test."""
    platform = ToldPlatform(name)
    monkeypatch.setitem(sys.modules, f"channels.{name}", platform)
    return platform


TELEGRAM = {"token": "123:abc", "secret_token": "s3cret"}
"""Settings with which an account is on."""
