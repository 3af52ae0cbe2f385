"""The clocks a store runs on: wall time for people, lease time for queues."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a store reads time; tests hand in one they move by hand."""

    def wall_s(self) -> float:
        """Epoch seconds, written into rows that people read."""

    def lease_s(self) -> float | None:
        """Seconds on the clock leases are compared on; None = the database's own clock."""


class HostClock:
    """Leases on the host's monotonic clock: for a database file that only this host opens."""

    def wall_s(self) -> float:
        """Epoch seconds of this host."""
        return time.time()

    def lease_s(self) -> float:
        """Seconds since boot; equal in every process of this host, untouched by clock changes."""
        return time.monotonic()


class DatabaseClock:
    """Leases on the database's clock: for a server that several hosts share."""

    def wall_s(self) -> float:
        """Epoch seconds of this host."""
        return time.time()

    def lease_s(self) -> None:
        """Nothing of ours: statements then read ``clock_timestamp()``."""
        return
