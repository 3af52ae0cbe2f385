"""Interrupting a running turn from outside: newer messages, stop, a claim, the off switch, a lost lease."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any


class Interrupt(StrEnum):
    """Why a generation was aborted; later members outrank earlier ones."""

    MORE = "more"
    STOP = "stop"
    OWNER = "owner"
    SILENCE = "silence"
    LOST = "lost"


_RANK = list(Interrupt)


class Control:
    """The handle on one running turn; ``merging`` says whether a newer message may abort it."""

    def __init__(self) -> None:
        self.reason: Interrupt | None = None
        self.merging = True
        self.channel = ""
        self.account = ""
        self._task: asyncio.Task[Any] | None = None
        self._flag = asyncio.Event()

    def interrupt(self, reason: Interrupt) -> None:
        """Abort the generation now, or make the next one not start; a weaker reason never replaces a stronger."""
        if reason is Interrupt.MORE and not self.merging:
            return
        if self.reason is None or _RANK.index(reason) > _RANK.index(self.reason):
            self.reason = reason
        self._flag.set()
        if self._task is not None:
            self._task.cancel()

    def clear(self) -> None:
        """Forget what was dealt with."""
        self.reason = None
        self._flag.clear()

    async def pause(self, seconds: float) -> None:
        """Wait, but end at once when interrupted."""
        try:
            async with asyncio.timeout(seconds):
                await self._flag.wait()
        except TimeoutError:
            return

    async def guard(self, task: asyncio.Task[Any]) -> bool:
        """Wait for a task that an interrupt may cancel; False if it was interrupted, True if it ended by itself."""
        self._task = task
        if self.reason is not None:
            task.cancel()
        try:
            await asyncio.wait({task})
        finally:
            self._task = None
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        return not task.cancelled()
