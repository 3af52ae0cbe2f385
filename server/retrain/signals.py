"""Whether a release got worse than its own beginning: thumbs, CSAT and handoffs of two times. PURE.

Each figure is compared with what the same release did in its first days, so a new product line or a new season shows
as what it is: a reason to look, and to train again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from server.thumbs import Thumbs

LEAST = 30  # people, turns or cases on each side; fewer say nothing
CERTAIN = 2.33  # standard errors, one-sided: one false alarm in a hundred looks
BAD_MORE = 0.10  # share by which bad thumbs must have risen
HANDED_MORE = 0.10  # the same for turns handed over
CSAT_LESS = 0.5  # points of five
SILENCE = Thumbs()


@dataclass(frozen=True, slots=True)
class Span:
    """What a release did in a time; CSAT is 1 to 5, ``csat_square`` the mean of its squares."""

    thumbs: Thumbs = SILENCE
    turns: int = 0
    handed_over: int = 0
    cases: int = 0
    csat: float = 0.0
    csat_square: float = 0.0


@dataclass(frozen=True, slots=True)
class Decline:
    """One figure that got worse."""

    metric: str  # thumbs | handoff | csat
    before: float
    now: float

    def __str__(self) -> str:
        return f"{self.metric} went from {self.before:.2f} to {self.now:.2f}"


def declines(before: Span, now: Span) -> list[Decline]:
    """Every figure that got worse by more than its margin, and not by chance."""
    found = []
    if min(before.thumbs.givers, now.thumbs.givers) >= LEAST:
        was, is_now = before.thumbs.bad_share, now.thumbs.bad_share
        if is_now - was > BAD_MORE and _certain(was, before.thumbs.givers, is_now, now.thumbs.givers):
            found.append(Decline("thumbs", was, is_now))
    if min(before.turns, now.turns) >= LEAST:
        was, is_now = before.handed_over / before.turns, now.handed_over / now.turns
        if is_now - was > HANDED_MORE and _certain(was, before.turns, is_now, now.turns):
            found.append(Decline("handoff", was, is_now))
    if min(before.cases, now.cases) >= LEAST and before.csat - now.csat > CSAT_LESS:
        error = math.sqrt(_variance(before) / before.cases + _variance(now) / now.cases)
        if before.csat - now.csat > CERTAIN * error:
            found.append(Decline("csat", before.csat, now.csat))
    return found


def _certain(was: float, before: int, is_now: float, now: int) -> bool:
    """Whether two shares differ by more than chance."""
    share = (was * before + is_now * now) / (before + now)
    error = math.sqrt(share * (1 - share) * (1 / before + 1 / now))
    return is_now - was > CERTAIN * error


def _variance(span: Span) -> float:
    return max(0.0, span.csat_square - span.csat**2)
