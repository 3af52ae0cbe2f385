"""What platforms show while a turn runs: the answer as it grows, and the sign that somebody writes.

Customers who fetch events themselves cost nothing here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import structlog

from channels.base import Channel, SendError, pulls
from config.settings import Settings
from server.engine.context import Context
from server.engine.record import Begun
from server.engine.show import PlatformShow, Show
from server.lanes import Lease
from server.store.contract import Store
from server.telemetry import Metrics

log = structlog.get_logger()

STOP_S = 2.0  # the longest that the end of the process waits for calls on their way

Channels = Callable[[str, str], Channel | None]


def no_channel(_channel: str, _account: str) -> Channel | None:
    """The lookup of a process that has no platforms."""
    return None


class Presenter:
    """Shows answers being written on platforms; ``channels`` finds a running channel by name and account."""

    def __init__(
        self,
        store: Store,
        channels: Channels,
        metrics: Metrics,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._channels = channels
        self._metrics = metrics
        self._draft_after_s = settings.outbox.draft_after_s
        self._lease_s = settings.engine.lease_s
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, context: Context, lease: Lease, begun: Begun, started: float | None = None) -> Show:
        """Show one attempt's answer from now on; ``started`` is when the model was asked, None for now.

        A draft whose opening has an unknown outcome is not shown further: the sender finds out what became of it.
        """
        channel = self._channel_of(context)
        if channel is None or channel.limits.draft == "none" or channel.limits.edit_interval_s is None:
            return Show()
        if begun.shown == "opening":
            return Show()
        show = PlatformShow(
            self._store,
            channel,
            self._metrics,
            context,
            lease,
            begun,
            lease_s=self._lease_s,
            first_at=(self._clock() if started is None else started) + self._draft_after_s,
            clock=self._clock,
        )
        show.task = self._spawn(show.run(), f"show {lease.key}")
        return show

    @contextmanager
    def typing(self) -> Iterator[Callable[[Context], None]]:
        """Gives what starts the sign that somebody writes; it ends with the block."""
        tasks: list[asyncio.Task[None]] = []

        def start(context: Context) -> None:
            channel = self._channel_of(context)
            if channel is not None and not tasks:
                tasks.append(self._spawn(_type(channel, context.route), f"type {context.conversation_id}"))

        try:
            yield start
        finally:
            for task in tasks:
                task.cancel()

    async def close(self) -> None:
        """Let calls on their way end, for a moment; the process is about to."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=STOP_S)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _channel_of(self, context: Context) -> Channel | None:
        if pulls(context.channel) or context.opted_out or context.blocked:
            return None
        return self._channels(context.channel, context.account)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("presenting_failed", task=task.get_name(), error=type(error).__name__)


async def _type(channel: Channel, route: Mapping[str, str]) -> None:
    with suppress(SendError):
        while True:
            await channel.typing(route)
            if channel.limits.typing_s <= 0:
                return
            await asyncio.sleep(channel.limits.typing_s)
