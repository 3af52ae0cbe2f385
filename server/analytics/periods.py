"""Times cut into pieces as a calendar in some time zone has them."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

Step = Literal["hour", "day", "week", "month"]

MOST_PIECES: Final = 1_000
END_S: Final = 1e11  # epoch seconds; no calendar goes further
HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0
LENGTHS: Final[dict[Step, float]] = {
    "hour": HOUR_S,
    "day": DAY_S,
    "week": 7 * DAY_S,
    "month": 28 * DAY_S,
}
"""The shortest of each."""


class BadPeriod(ValueError):
    """The time asked for makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time from ``since`` up to, without, ``until`` (epoch seconds), cut at ``starts``; the first is ``since``."""

    since: float
    until: float
    step: Step
    starts: tuple[float, ...]

    def piece(self, at: float) -> int:
        """Which piece a moment lies in."""
        return bisect_right(self.starts, at) - 1

    def end(self, piece: int) -> float:
        """Where a piece ends, epoch seconds."""
        return self.starts[piece + 1] if piece + 1 < len(self.starts) else self.until

    @property
    def before(self) -> tuple[float, float]:
        """The equally long time right before, to compare with."""
        return self.since - (self.until - self.since), self.since


def cut(since: float, until: float, step: Step | Literal["auto"], zone: ZoneInfo) -> Period:
    """A period in pieces that begin where the calendar has them; raises BadPeriod."""
    if not (math.isfinite(since) and math.isfinite(until) and 0 <= since < until < END_S):
        raise BadPeriod("from must lie before to, both in epoch seconds")
    if step == "auto":
        days = (until - since) / DAY_S
        step = "hour" if days <= 2 else "day" if days <= 92 else "week" if days <= 550 else "month"  # noqa: PLR2004
    if (until - since) / LENGTHS[step] > MOST_PIECES:
        raise BadPeriod(f"the period has more than {MOST_PIECES} pieces; choose a longer step")
    starts, at = [since], _next(datetime.fromtimestamp(since, zone), step)
    while at.timestamp() < until:
        if at.timestamp() > starts[-1]:
            starts.append(at.timestamp())
        at = _next(at, step)
    return Period(since, until, step, tuple(starts))


def _next(at: datetime, step: Step) -> datetime:
    """The first beginning of a piece after a moment."""
    if step == "hour":  # hours are counted, not read from a clock that is set back in autumn
        whole = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return whole.astimezone(at.tzinfo)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if step == "day":
        return midnight + timedelta(days=1)
    if step == "week":
        return midnight + timedelta(days=7 - midnight.weekday())
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
