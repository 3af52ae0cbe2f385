"""How often somebody may try to sign in: a window per address and per email, then growing pauses."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from server.problems import too_many

WINDOW_S = 60.0
LONGEST_PAUSE_S = 900.0
FORGET_S = 3_600.0  # strikes fade after an hour without trouble
MOST_KEYS = 20_000  # bounded memory: the longest untouched key is dropped first
IPV6_SITE_BITS = 64  # one subscriber owns a whole /64, so it counts as one address


@dataclass(slots=True)
class _Count:
    started_s: float
    tries: int = 0
    strikes: int = 0
    locked_until_s: float = 0.0


class Attempts:
    """Counts tries in this process; ``per_minute`` tries are free, each further window doubles the pause."""

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic, *, most_keys: int = MOST_KEYS
    ) -> None:
        self._per_minute = per_minute
        self._most_keys = most_keys
        self._clock = clock
        self._counts: dict[str, _Count] = {}

    def take(self, *keys: str) -> None:
        """Count one try against each key before any work is done; raises a 429 problem with Retry-After.

        Keys are asked in order and the first that is locked ends it, so a blocked address cannot lock people out.
        """
        now = self._clock()
        for key in keys:
            wait_s = self._take(key, now)
            if wait_s > 0:
                raise too_many(wait_s, "Too many attempts. Wait for the time in Retry-After, then try again.")

    def forgive(self, key: str) -> None:
        """Forget a key after a success."""
        self._counts.pop(key, None)

    def _take(self, key: str, now: float) -> float:
        """Seconds this key has to wait; 0 when the try is allowed."""
        count = self._counts.pop(key, None)
        if count is None or now - max(count.started_s, count.locked_until_s) > FORGET_S:
            count = _Count(started_s=now)
        self._counts[key] = count  # moved to the end: the first key is always the longest untouched
        if len(self._counts) > self._most_keys:
            del self._counts[next(iter(self._counts))]
        if now < count.locked_until_s:
            return count.locked_until_s - now
        if now - count.started_s >= WINDOW_S:
            count.started_s, count.tries = now, 0
        count.tries += 1
        if count.tries <= self._per_minute:
            return 0.0
        count.strikes += 1
        pause_s = min(WINDOW_S * float(2 ** (count.strikes - 1)), LONGEST_PAUSE_S)
        count.started_s, count.tries, count.locked_until_s = now + pause_s, 0, now + pause_s
        return pause_s


def address_key(ip: str) -> str:
    """The key of a client address; an IPv6 address counts as its /64."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "ip:unknown"
    if address.version == 4:  # noqa: PLR2004 - the protocol's own number
        return f"ip:{address}"
    return f"ip:{ipaddress.ip_network((address, IPV6_SITE_BITS), strict=False)}"


def email_key(email: str) -> str:
    """The key of an email address as the store spells it."""
    return f"email:{email}"
