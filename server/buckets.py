"""Token buckets in this process's memory for inbound quotas."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

KEPT = 50_000  # keys; the least recently used is forgotten first, which only ever favours the caller


class Buckets:
    """``per_minute`` tokens per key, refilled steadily, with bursts up to a minute's worth."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._rate = per_minute / 60
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token; 0.0 when there was one, else the seconds until there is."""
        now = self._clock()
        level, at = self._levels.get(key, (self._size, now))
        level = min(self._size, level + (now - at) * self._rate)
        wait_s = 0.0 if level >= 1 else (1 - level) / self._rate
        self._levels[key] = (level - 1 if level >= 1 else level, now)
        self._levels.move_to_end(key)
        if len(self._levels) > KEPT:
            self._levels.popitem(last=False)
        return wait_s
