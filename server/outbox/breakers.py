"""One breaker per channel account: a platform that is away is left alone, and its messages are not blamed for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from config.settings import Outbox
from server.breaker import Breaker
from server.telemetry import Metrics

OUTAGE_LANES = 2  # conversations that failed since anything worked: from so many on it is the platform, not a message


class AccountBreaker(Breaker):
    """A breaker that also knows who failed; ``outage`` when several conversations did and nothing worked since."""

    def __init__(
        self, *, failures: int, pause_s: float, clock: Callable[[], float], on_change: Callable[[float], None]
    ) -> None:
        super().__init__(failures=failures, pause_s=pause_s, clock=clock, on_change=on_change)
        self._failing: set[str] = set()

    @property
    def outage(self) -> bool:
        """Whether errors say nothing about the messages they happen to."""
        return self.open and len(self._failing) >= OUTAGE_LANES

    def answered(self) -> None:
        """The platform answered, whatever it said."""
        self._failing.clear()
        self.succeeded()

    def missed(self, conversation_id: str) -> None:
        """A call of this conversation failed without an answer."""
        if len(self._failing) < OUTAGE_LANES:
            self._failing.add(conversation_id)
        self.failed()


class Breakers:
    """The breakers of one process, made on first use."""

    def __init__(self, outbox: Outbox, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._known: dict[tuple[str, str], AccountBreaker] = {}

    def of(self, channel: str, account: str) -> AccountBreaker:
        """The breaker of an account."""
        found = self._known.get((channel, account))
        if found is None:
            gauge: Callable[[float], None] = partial(self._show, channel, account)
            found = self._known[channel, account] = AccountBreaker(
                failures=self._outbox.breaker_failures,
                pause_s=self._outbox.breaker_pause_s,
                clock=self._clock,
                on_change=gauge,
            )
        return found

    def _show(self, channel: str, account: str, value: float) -> None:
        self._metrics.outbox_breaker_open.labels(channel, account).set(value)
