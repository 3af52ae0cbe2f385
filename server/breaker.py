"""Stops calling what keeps failing, and lets one call at a time find out whether it is back."""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """Open after ``failures`` in a row; while open one call per ``pause_s`` is let through as a probe.

    ``clock`` returns seconds that never go back; ``on_change`` gets 1.0 or 0.0 after each answer or failure.
    """

    def __init__(
        self,
        *,
        failures: int,
        pause_s: float,
        clock: Callable[[], float],
        on_change: Callable[[float], None] = lambda _open: None,
    ) -> None:
        self._limit = failures
        self._pause_s = pause_s
        self._clock = clock
        self._on_change = on_change
        self._failed = 0
        self._probe_at = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are being spared."""
        return self._failed >= self._limit

    @property
    def remaining_s(self) -> float:
        """Seconds until the next probe is allowed, 0 when one is."""
        return max(0.0, self._probe_at - self._clock()) if self.open else 0.0

    def allow(self) -> bool:
        """Whether a call may be made now; a True while open reserves the probe."""
        if not self.open:
            return True
        if self.remaining_s > 0:
            return False
        self._probe_at = self._clock() + self._pause_s
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failed = 0
        self._on_change(0.0)

    def failed(self) -> None:
        """A call failed; the pause starts again."""
        self._failed += 1
        self._probe_at = self._clock() + self._pause_s
        self._on_change(float(self.open))
