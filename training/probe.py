"""How long a run takes, learnt from its first steps: a step's cost is its tokens, so tokens are what is timed."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

PROBE_STEPS = 20
FEWEST_STEPS = 3  # the first step of a process also pays for its warm-up


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a whole run is expected to take; ``low_s`` and ``high_s`` bound it by the slow and fast steps seen."""

    tokens_per_s: float
    seconds: float
    low_s: float
    high_s: float
    steps_timed: int


class Pace:
    """Times steps as they go by; a window of the last ones, so that a load beside the run shows at once."""

    def __init__(self, steps: int, tokens: int = 0) -> None:
        self._steps = steps
        self._tokens = tokens  # of the whole run; 0 when unknown
        self._timed: deque[tuple[int, float]] = deque(maxlen=PROBE_STEPS)
        self._evaluation_s = 0.0
        self._evaluations_left = 0

    def step(self, tokens: int, seconds: float) -> None:
        """Count one step."""
        self._timed.append((tokens, max(seconds, 1e-9)))

    def evaluation(self, seconds: float, left: int) -> None:
        """Count one evaluation of the held-out loss; about ``left`` more are to come."""
        self._evaluation_s, self._evaluations_left = seconds, max(0, left)

    @property
    def tokens_per_s(self) -> float:
        """Over the window, 0 before the first step."""
        seconds = sum(s for _, s in self._timed)
        return sum(t for t, _ in self._timed) / seconds if seconds else 0.0

    def left_s(self, done: int) -> float | None:
        """Seconds to the end after ``done`` steps, evaluations included; None before anything was timed."""
        if not self._timed:
            return None
        mean_s = sum(s for _, s in self._timed) / len(self._timed)
        return max(0, self._steps - done) * mean_s + self._evaluations_left * self._evaluation_s

    def estimate(self, evaluations: int = 0) -> Estimate | None:
        """The whole run's time, with so many evaluations, from the steps so far; None before FEWEST_STEPS of them."""
        if len(self._timed) < FEWEST_STEPS or not self._tokens:
            return None
        rates = [tokens / seconds for tokens, seconds in list(self._timed)[1:]]
        quarters = statistics.quantiles(rates, n=4) if len(rates) > 1 else [rates[0]] * 3
        middle = sum(t for t, _ in list(self._timed)[1:]) / sum(s for _, s in list(self._timed)[1:])
        extra = evaluations * self._evaluation_s
        return Estimate(
            round(middle, 1),
            round(self._tokens / middle + extra, 1),
            round(self._tokens / quarters[2] + extra, 1),
            round(self._tokens / quarters[0] + extra, 1),
            len(self._timed),
        )
