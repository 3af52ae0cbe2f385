"""A messaging platform and its channel in one object: it does what its script says and shows what customers see."""

# ruff: noqa: ARG002 - the signatures are the contract's

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from channels.base import (
    Accept,
    Delivery,
    Failed,
    Health,
    Limits,
    Outgoing,
    Received,
    Rejected,
    SendError,
    Sent,
    Unknown,
)
from channels.message import Attachment, Fact, Outbound
from config.approved import Approved

PLAIN = Limits(text_units=40, unit="characters", edit_interval_s=None, look_up=True)


@dataclass(frozen=True)
class After:
    """The platform does it, and then this error reaches the caller."""

    error: BaseException


Step = SendError | BaseException | After | None  # None: it works


class ChannelDouble:
    """One account; ``script`` is what the next sends do, ``finds`` what the next look-ups do, then all works.

    ``shown`` are the visible messages by the platform's ids, in order. A part's text is its payload's ``text``; long
    messages are split into parts of ``limits.text_units`` characters. ``gate`` holds sends back until it is opened.
    """

    def __init__(self, name: str = "telegram", account: str = "default", limits: Limits = PLAIN) -> None:
        self.name = name
        self.account = account
        self.limits = limits
        self.script: deque[Step] = deque()
        self.finds: deque[Step | Failed] = deque()
        self.draft_script: deque[Step] = deque()
        self.shown: dict[str, str] = {}
        self.by_part: dict[str, str] = {}
        self.drafts: dict[str, str] = {}  # draft id -> platform id
        self.sends: list[Outgoing] = []
        self.found: list[Outgoing] = []
        self.withdrawn: list[str] = []
        self.rendered: list[Outbound] = []
        self.template_payload: Mapping[str, Any] | None = None
        self.offered: Sequence[Approved] = ()
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()
        self._ids = itertools.count(1)

    @property
    def texts(self) -> list[str]:
        """What the customer sees, in order."""
        return list(self.shown.values())

    def running(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def receive(self, delivery: Delivery) -> Received:
        raise Rejected(404, f"{delivery.path} is no webhook of this double")

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        return ()

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        self.rendered.append(message)
        size = self.limits.text_units
        return [{"text": message.text[at : at + size]} for at in range(0, len(message.text), size)]

    def template(self) -> Mapping[str, Any] | None:
        return self.template_payload

    def templates(self) -> Sequence[Approved]:
        """What a test offers."""
        return self.offered

    async def send(self, out: Outgoing) -> Sent:
        self.sends.append(out)
        self.started.set()
        await self.gate.wait()
        step = self.script.popleft() if self.script else None
        if isinstance(step, BaseException):
            raise step
        provider_id = self._do(out)
        if isinstance(step, After):
            raise step.error
        return Sent(provider_id)

    def _do(self, out: Outgoing) -> str:
        provider_id = out.draft if out.draft in self.shown else f"m{next(self._ids)}"
        self.shown[provider_id] = str(out.payload["text"])
        self.by_part[out.id] = provider_id
        return provider_id

    async def find(self, out: Outgoing) -> Sent | Failed | None:
        self.found.append(out)
        step = self.finds.popleft() if self.finds else None
        if isinstance(step, Failed):
            return step
        if isinstance(step, BaseException):
            raise step
        if not self.limits.look_up:
            raise Unknown("no_look_up")
        return Sent(self.by_part[out.id]) if out.id in self.by_part else None

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:
        step = self.draft_script.popleft() if self.draft_script else None
        if isinstance(step, BaseException):
            raise step
        provider_id = self.drafts[draft_id] = f"d{next(self._ids)}"
        self.shown[provider_id] = text
        if isinstance(step, After):
            raise step.error
        return provider_id

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:
        self.shown[provider_id] = text

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:
        step = self.draft_script.popleft() if self.draft_script else None
        if isinstance(step, BaseException):
            raise step
        return self.drafts.get(draft_id, "")

    async def withdraw_draft(self, provider_id: str, route: Mapping[str, str]) -> None:
        self.withdrawn.append(provider_id)
        step = self.script.popleft() if self.script else None
        if isinstance(step, BaseException):
            raise step
        self.shown.pop(provider_id, None)
        if isinstance(step, After):
            raise step.error

    async def typing(self, route: Mapping[str, str]) -> None:
        return

    async def confirm(self, fact: Fact) -> None:
        return

    async def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:
        for facts in ():
            yield facts

    async def listen(self, accept: Accept) -> None:
        return

    async def fetch(self, attachment: Attachment, route: Mapping[str, str]) -> AsyncIterator[bytes]:
        for piece in ():
            yield piece

    async def check(self) -> Health:
        return Health(ok=True, detail="a double is always well")
