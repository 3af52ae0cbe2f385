"""Whether a canary does harm, told from cases that went badly; may be asked after every case without more false alarms.

Cases are drawn to either side by a hash, so each one that goes badly is, if both releases are equal, on the canary with
exactly the probability with which it was drawn: the *share* in force then. The evidence is the product, over bad cases,
of how much more likely their sides are if the canary does more harm (by one of RATIOS) than if it does not. By Ville's
inequality this product ever reaches 1/a with probability a at most, however often and whenever one looks. It needs no
settled cases, no equal traffic, and holds through a bad day of the shop, which hits both sides.

Where hardly a case runs beside the canary (a share near 1), its cases are compared with the live release's own past:
the same kind of product against an upper bound of the past rate. Open cases count as gone well there, which only makes
it slower.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

METRICS: Final = ("thumbs", "handoff", "tools", "any_bad")
"""Thumbs down, hand-overs, failed tool calls, and cases with any of them; at most one bad outcome per case and kind."""

RATIOS: Final = (
    1.5,
    2.5,
    4.5,
    8.0,
)  # how much more often (odds) things go wrong: what the test bets on, in equal parts
LIVE_PART = 0.6  # of the false alarms allowed, for the comparison with cases beside it
PAST_PART = 0.2  # for the one with the past; the rest is for the past rate's own uncertainty
CERTAIN = 0.999  # no rate is taken for more

Verdict = Literal["continue", "roll_back", "passed"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases on one side and how many of them went badly, by kind; ``settled`` ones cannot turn bad any more."""

    cases: int = 0
    settled: int = 0
    thumbs: int = 0
    handoff: int = 0
    tools: int = 0
    any_bad: int = 0

    def bad(self, metric: str) -> int:
        """How many cases went badly in one way."""
        return int(getattr(self, metric))

    def rate(self, metric: str) -> float:
        """The same as a part of all cases, 0 without any."""
        return self.bad(metric) / self.cases if self.cases else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in Counts.__slots__))


@dataclass(frozen=True, slots=True)
class Stage:
    """Cases drawn while one share was in force."""

    share: float
    canary: Counts
    live: Counts


@dataclass(frozen=True, slots=True)
class Rules:
    """When a decision falls; ``false_alarm`` is the chance of taking back a release that is as good."""

    false_alarm: float
    minimum_cases: int
    cap: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known so far; ``evidence`` must reach ``needed`` for a rollback, ``worst`` weighs most."""

    verdict: Verdict
    canary: Counts
    live: Counts
    against: Literal["live", "past"]
    evidence: float
    needed: float
    worst: str

    def figures(self) -> dict[str, object]:
        """As stored and shown: cases, rates and evidence."""
        sides = {"canary": self.canary, "live": self.live}
        return {
            "verdict": self.verdict,
            "against": self.against,
            "evidence": round(self.evidence, 3),
            "needed": round(self.needed, 3),
            "worst": self.worst,
            "cases": {name: side.cases for name, side in sides.items()},
            "settled": {name: side.settled for name, side in sides.items()},
            "bad": {name: {metric: side.bad(metric) for metric in METRICS} for name, side in sides.items()},
            "rates": {
                name: {metric: round(side.rate(metric), 4) for metric in METRICS} for name, side in sides.items()
            },
        }


def compare(stages: Sequence[Stage], past: Counts, rules: Rules) -> Comparison:
    """Look at a canary; ``past`` are cases of the live release from before it."""
    canary = sum((stage.canary for stage in stages), Counts())
    live = sum((stage.live for stage in stages), Counts())
    alone = live.cases < rules.minimum_cases <= past.cases
    if alone:
        level = rules.false_alarm * PAST_PART
        found = {metric: _against_past(canary, past, metric, level) for metric in METRICS}
    else:
        level = rules.false_alarm * LIVE_PART
        found = {metric: _beside_live(stages, metric) for metric in METRICS}
    evidence = math.exp(_log_mean(found.values()))
    needed = 1 / level
    verdict: Verdict = "continue"
    if canary.cases >= rules.minimum_cases and evidence >= needed:
        verdict = "roll_back"
    elif canary.cases >= rules.cap and canary.settled >= canary.cases:
        verdict = "passed"
    return Comparison(
        verdict, canary, past if alone else live, "past" if alone else "live", evidence, needed, _top(found)
    )


def _beside_live(stages: Iterable[Stage], metric: str) -> float:
    """Logarithm of the evidence in one kind of harm: which side each bad case is on."""
    stages = tuple(stages)
    bets = []
    for ratio in RATIOS:
        total = 0.0
        for stage in stages:
            both = math.log(ratio * stage.share + 1 - stage.share)
            total += stage.canary.bad(metric) * (math.log(ratio) - both) - stage.live.bad(metric) * both
        bets.append(total)
    return _log_mean(bets)


def _against_past(canary: Counts, past: Counts, metric: str, level: float) -> float:
    """Logarithm of the evidence that the canary's rate is above the past one's upper bound."""
    usual = upper_bound(past.bad(metric), past.cases, level / len(METRICS))
    bad, well = canary.bad(metric), canary.cases - canary.bad(metric)
    bets = []
    for ratio in RATIOS:
        harm = min(CERTAIN, ratio * usual / (ratio * usual + 1 - usual))
        bets.append(bad * math.log(harm / usual) + well * math.log((1 - harm) / (1 - usual)))
    return _log_mean(bets)


def upper_bound(bad: int, cases: int, level: float) -> float:
    """The rate that ``bad`` of ``cases`` would hardly (with probability ``level`` at most) stay below, by Chernoff."""
    seen, low, high = bad / cases, bad / cases, CERTAIN
    if seen >= CERTAIN:
        return CERTAIN
    for _ in range(50):
        middle = (low + high) / 2
        if cases * _divergence(seen, middle) < math.log(1 / level):
            low = middle
        else:
            high = middle
    return high


def _divergence(seen: float, supposed: float) -> float:
    """Kullback-Leibler divergence of two rates, nats."""
    first = seen * math.log(seen / supposed) if seen > 0 else 0.0
    second = (1 - seen) * math.log((1 - seen) / (1 - supposed)) if seen < 1 else 0.0
    return first + second


def _log_mean(logarithms: Iterable[float]) -> float:
    """Logarithm of the mean of numbers given by their logarithms."""
    values = tuple(logarithms)
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values) / len(values))


def _top(found: Mapping[str, float]) -> str:
    return max(METRICS[:-1], key=lambda metric: found[metric])
