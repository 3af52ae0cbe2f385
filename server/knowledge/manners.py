"""How fast a site is read: a pause between requests, and longer ones when the site asks for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

Now = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

SLOWEST_S = 10.0  # between requests after complaints, unless robots.txt asks for more


class Manners:
    """Spaces requests to one site; ``now`` is the time of day in epoch seconds."""

    def __init__(self, delay_s: float, *, now: Now = time.time, sleep: Sleep = asyncio.sleep) -> None:
        self._delay_s = delay_s
        self._now = now
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next request may be sent."""
        now = self._now()
        wait_s = self._next - now
        if wait_s > 0:
            await self._sleep(wait_s)
            now = max(self._now(), self._next)
        self._next = now + self._delay_s

    def hold(self, seconds: float) -> None:
        """Send nothing for so long."""
        self._next = max(self._next, self._now() + seconds)

    def at_least(self, delay_s: float) -> None:
        """The site names a pause of its own; it counts where it is longer."""
        self._delay_s = max(self._delay_s, delay_s)

    def slower(self) -> None:
        """The site complained: double the pause."""
        self._delay_s = max(self._delay_s, min(SLOWEST_S, self._delay_s * 2 or 1.0))

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        """Seconds the site asks to wait, given as a number or a date; None when it asks for nothing sensible."""
        text = headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - self._now())
