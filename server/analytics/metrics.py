"""What the figures mean: facts of cases added up, and every metric made of the sums.

docs/analytics.md says the same in words; ``METRICS`` is the one list of names and units.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from config.insight import Analytics
from server.store.contract import Row

Unit = Literal["count", "share", "seconds", "score", "points", "tokens", "money"]

MILLION: Final = 1_000_000
SATISFIED: Final = 4  # and above, of five
PROMOTER: Final = 9  # and above, of ten
DETRACTOR: Final = 6  # and below
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the figures of one request depend on besides facts: settings, and the moment they are looked at."""

    settings: Analytics
    now_s: float

    @property
    def back_s(self) -> float:
        """Within how long another case means that the first contact was no solution."""
        return self.settings.return_days * DAY_S

    def cost(self, prompt: int, completion: int) -> float:
        """What tokens cost at the present prices."""
        return (prompt * self.settings.prompt_price + completion * self.settings.completion_price) / MILLION


@dataclass(slots=True)
class Sums:
    """Facts of some cases, added up; ``backlog`` is set by whoever knows the moment."""

    rules: Rules
    cases: int = 0
    handed: int = 0
    deflected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    bot_s: list[float] = field(default_factory=list)
    staff_s: list[float] = field(default_factory=list)
    handled: int = 0
    handle_s: float = 0.0
    settled: int = 0
    solved: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    csat_given: int = 0
    csat_sum: int = 0
    csat_good: int = 0
    nps_given: int = 0
    promoters: int = 0
    detractors: int = 0
    backlog: int = 0

    def add(self, row: Row) -> None:
        """Take in one case."""
        self.cases += 1
        if row["handed_at"] is not None:
            self.handed += 1
            self.reasons[row["handed_reason"]] += 1
        elif row["answered"] and not row["staff_messages"] and not row["thumbs_down"]:
            self.deflected += 1
        for kept, name in ((self.bot_s, "bot_s"), (self.staff_s, "staff_s")):
            if row[name] is not None:
                kept.append(row[name])
        if row["handle_s"]:
            self.handled += 1
            self.handle_s += row["handle_s"]
        for name in ADDED:
            self.totals[name] += row[name]
        self._contact(row)
        self._scores(row)

    def _contact(self, row: Row) -> None:
        """Whether the first contact was enough; too early to tell for cases that ended lately."""
        if not (row["bot_messages"] or row["staff_messages"]):
            return
        came_back = row["next_at"] is not None and row["next_at"] - row["last_at"] <= self.rules.back_s
        if came_back or row["last_at"] + self.rules.back_s <= self.rules.now_s:
            self.settled += 1
            self.solved += not came_back

    def _scores(self, row: Row) -> None:
        csat, nps = row["csat"], row["nps"]
        if csat is not None:
            self.csat_given += 1
            self.csat_sum += csat
            self.csat_good += csat >= SATISFIED
        if nps is not None:
            self.nps_given += 1
            self.promoters += nps >= PROMOTER
            self.detractors += nps <= DETRACTOR

    @property
    def tokens(self) -> int:
        """Of prompts and answers together."""
        return self.totals["prompt_tokens"] + self.totals["completion_tokens"]

    @property
    def cost(self) -> float:
        """Of all tokens."""
        return self.rules.cost(self.totals["prompt_tokens"], self.totals["completion_tokens"])


ADDED: Final = (
    *("prompt_tokens", "completion_tokens", "tools_done", "tools_failed", "thumbs_up", "thumbs_down"),
    *("sla_met", "sla_breached", "csat_asked", "nps_asked"),
)


def share(part: float, whole: float) -> float | None:
    """A part of a whole, None where there is nothing to be a part of."""
    return part / whole if whole else None


def rank(values: Sequence[float], part: float) -> float | None:
    """The smallest value that at least ``part`` of all values do not exceed; None without values."""
    return sorted(values)[math.ceil(part * len(values)) - 1] if values else None


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: how it is made, in which unit, out of how many, and which way is better (0: neither)."""

    unit: Unit
    value: Callable[[Sums], float | None]
    of: Callable[[Sums], int]
    better: Literal[-1, 0, 1] = 0
    drill: str = "all"


def _cases(sums: Sums) -> int:
    return sums.cases


def _both(one: str, other: str) -> Callable[[Sums], int]:
    return lambda sums: sums.totals[one] + sums.totals[other]


METRICS: Final[Mapping[str, Metric]] = {
    "conversations": Metric("count", _cases, _cases),
    "containment": Metric("share", lambda s: share(s.cases - s.handed, s.cases), _cases, 1, "contained"),
    "deflection": Metric("share", lambda s: share(s.deflected, s.cases), _cases, 1, "deflected"),
    "handoff_rate": Metric("share", lambda s: share(s.handed, s.cases), _cases, -1, "handed"),
    "first_response_bot": Metric("seconds", lambda s: rank(s.bot_s, 0.5), lambda s: len(s.bot_s), -1),
    "first_response_bot_p90": Metric("seconds", lambda s: rank(s.bot_s, 0.9), lambda s: len(s.bot_s), -1),
    "first_response_staff": Metric("seconds", lambda s: rank(s.staff_s, 0.5), lambda s: len(s.staff_s), -1, "handed"),
    "first_response_staff_p90": Metric(
        "seconds", lambda s: rank(s.staff_s, 0.9), lambda s: len(s.staff_s), -1, "handed"
    ),
    "handle_time": Metric("seconds", lambda s: share(s.handle_s, s.handled), lambda s: s.handled, -1, "handed"),
    "first_contact_resolution": Metric(
        "share", lambda s: share(s.solved, s.settled), lambda s: s.settled, 1, "came_back"
    ),
    "csat": Metric("share", lambda s: share(s.csat_good, s.csat_given), lambda s: s.csat_given, 1, "csat"),
    "csat_average": Metric("score", lambda s: share(s.csat_sum, s.csat_given), lambda s: s.csat_given, 1, "csat"),
    "csat_response": Metric(
        "share", lambda s: share(s.csat_given, s.totals["csat_asked"]), lambda s: s.totals["csat_asked"], 1, "csat"
    ),
    "nps": Metric(
        "points",
        lambda s: 100 * (s.promoters - s.detractors) / s.nps_given if s.nps_given else None,
        lambda s: s.nps_given, 1, "nps",
    ),
    "sla_met": Metric(
        "share", lambda s: share(s.totals["sla_met"], s.totals["sla_met"] + s.totals["sla_breached"]),
        _both("sla_met", "sla_breached"), 1, "sla_breached",
    ),
    "backlog": Metric("count", lambda s: s.backlog, lambda s: s.backlog, -1, "handed"),
    "thumbs": Metric(
        "share", lambda s: share(s.totals["thumbs_up"], s.totals["thumbs_up"] + s.totals["thumbs_down"]),
        _both("thumbs_up", "thumbs_down"), 1, "thumbs_down",
    ),
    "tool_success": Metric(
        "share", lambda s: share(s.totals["tools_done"], s.totals["tools_done"] + s.totals["tools_failed"]),
        _both("tools_done", "tools_failed"), 1, "tools_failed",
    ),
    "tokens": Metric("tokens", lambda s: s.tokens, _cases),
    "tokens_per_conversation": Metric("tokens", lambda s: share(s.tokens, s.cases), _cases, -1),
    "cost": Metric("money", lambda s: s.cost, _cases),
    "cost_per_conversation": Metric("money", lambda s: share(s.cost, s.cases), _cases, -1),
}  # fmt: skip
"""Every figure by name, in the order in which they are shown."""


def figures(sums: Sums) -> dict[str, float | None]:
    """All metrics of some cases."""
    return {name: metric.value(sums) for name, metric in METRICS.items()}
