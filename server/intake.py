"""The way in for facts of every source (webhooks, polling, sockets, catching up): stored first, confirmed after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from channels.base import Channel
from channels.message import Fact, Pressed
from server.inbox import Inbox
from server.pulse import LIMIT_S, Pulse

log = structlog.get_logger()

CONFIRMS = 256  # confirmations under way; further ones are dropped, a platform lets go of a button by itself
CLOSE_S = 3.0  # for confirmations under way when the process ends
SLOW_LIMIT_S = 15.0  # for sources that repeat by themselves and bring many facts at once


class Intake:
    """Takes facts in within a time limit, and tells the platform of button presses once they are stored."""

    def __init__(self, inbox: Inbox, pulse: Pulse) -> None:
        self._inbox = inbox
        self._pulse = pulse
        self._confirms: set[asyncio.Task[None]] = set()
        self.last_at: dict[tuple[str, str], float] = {}  # when an account last told us something, epoch seconds

    async def take(self, channel: Channel, facts: Sequence[Fact], limit_s: float = LIMIT_S) -> None:
        """Store facts of a channel; returns after the commit. Raises a StoreError: nothing may be confirmed then."""
        if not facts:
            return
        async with self._pulse.bounded(limit_s):
            await self._inbox.accept(facts)
        self.last_at[channel.name, channel.account] = time.time()
        for fact in facts:
            if isinstance(fact, Pressed):
                self._confirm(channel, fact)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let confirmations under way end with the process."""
        try:
            yield
        finally:
            if self._confirms:
                _, late = await asyncio.wait(self._confirms, timeout=CLOSE_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    def _confirm(self, channel: Channel, fact: Pressed) -> None:
        if len(self._confirms) >= CONFIRMS:
            log.warning("confirmation_dropped", channel=channel.name, account=channel.account)
            return
        task = asyncio.create_task(channel.confirm(fact), name=f"confirm {channel.name}")
        self._confirms.add(task)
        task.add_done_callback(self._confirmed)

    def _confirmed(self, task: asyncio.Task[None]) -> None:
        self._confirms.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("confirmation_failed", task=task.get_name(), error=type(error).__name__)
