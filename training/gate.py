"""Whether a candidate replaces live: promote, reject, or not enough evidence, with every figure that decided.

Promoted is only what beats live on every target (the lower end of the interval of the paired difference above zero
and no accident by sign flips), breaks no floor, tells no personal data, keeps its length and passes every must-pass
row that live passes. A fall that may be chance is neither promoted nor condemned: then the answer is how many more
rows would tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from training.bootstrap import paired, quantile_ratio
from training.floors import Judged, Settings, judge
from training.pairs import Generations, Pair, answer_tokens, clusters, pair_up, values
from training.scoring import METRICS
from training.slices import cut

PROMOTE: Final = "promote"
REJECT: Final = "reject"
UNSURE: Final = "not_enough_evidence"
EXIT_CODES: Final = {PROMOTE: 0, REJECT: 3, UNSURE: 4}
FEWEST_CLUSTERS: Final = 10  # conversations of a target
POWER: Final = 1.96 + 0.84  # standard errors that a gain needs to be found in four of five cases
WORTHWHILE: Final = 0.05  # gain that is worth looking for when none is seen
MOST_MORE: Final = 5_000  # rows; nobody labels more for one adapter
MOST_MISSING: Final = 0.02  # share of rows that one subject may lack
STEP: Final = 0.25  # change of a row's quality from which it counts as fixed or broken
CHANCE: Final = 0.025  # one-sided, of a target


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence of the verdict with its figures; ``state`` is broken, doubtful or missing."""

    slice: str
    metric: str
    value: float
    floor: float
    live: float
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Target:
    """How a target slice changed; ``needed`` rows more would show a gain of this size, or a worthwhile one."""

    slice: str
    rows: int
    live: float
    candidate: float
    difference: float
    low: float
    high: float
    beaten: bool
    worse: bool
    needed: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and what it rests on; ``fixed`` and ``broken`` are keys of rows."""

    verdict: str
    reasons: tuple[Reason, ...]
    targets: tuple[Target, ...]
    floors: tuple[Judged, ...]
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    left_out: tuple[str, ...]
    settings: Settings = field(default_factory=Settings)

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """Plain data for ``report.json``."""
        return {
            "verdict": self.verdict,
            "reasons": [asdict(reason) for reason in self.reasons],
            "targets": [asdict(target) for target in self.targets],
            "slices": [_slice(judged) for judged in self.floors],
            "fixed": list(self.fixed),
            "broken": list(self.broken),
            "left_out": list(self.left_out),
            "settings": asdict(self.settings),
        }


def decide(live: Generations, candidate: Generations, settings: Settings | None = None) -> Decision:
    """Compare two subjects over the prompts both were asked."""
    pairs, left_out = pair_up(live, candidate)
    return decide_pairs(pairs, settings or Settings(), left_out)


def decide_pairs(pairs: Sequence[Pair], settings: Settings, left_out: Sequence[str] = ()) -> Decision:
    """The verdict over pairs."""
    targets = [_target(name, pairs, settings) for name in settings.targets]
    floors = judge(pairs, settings)
    reasons = [
        *_told(pairs),
        *_must_pass(pairs),
        *(_reason(each) for each in floors if each.state in {"broken", "doubtful"}),
    ]
    reasons += [*_tokens(pairs, settings), *(reason for target in targets for reason in _of_target(target, settings))]
    reasons += [*_missing(pairs, settings), *_unfair(pairs, left_out)]
    states = {reason.state for reason in reasons}
    verdict = REJECT if "broken" in states else UNSURE if states else PROMOTE
    reasons.sort(key=lambda reason: ("broken", "doubtful", "missing").index(reason.state))
    change = {pair.key: pair.candidate_scores.get("quality", 0) - pair.live_scores.get("quality", 0) for pair in pairs}
    return Decision(
        verdict=verdict,
        reasons=tuple(reasons),
        targets=tuple(targets),
        floors=tuple(floors),
        fixed=tuple(key for key, step in change.items() if step >= STEP),
        broken=tuple(key for key, step in change.items() if step <= -STEP),
        left_out=tuple(left_out),
        settings=settings,
    )


def _target(name: str, pairs: Sequence[Pair], settings: Settings) -> Target:
    places = cut((pair.suite, pair.row) for pair in pairs).get(name, [])
    chosen = [pairs[place] for place in places]
    if not chosen:
        nothing = float("nan")
        return Target(
            name, 0, nothing, nothing, nothing, nothing, nothing, beaten=False, worse=False, needed=settings.smallest
        )
    live, candidate = values(chosen, "quality")
    found = paired(
        (candidate - live)[:, None], clusters(chosen), seed=settings.seed, rounds=settings.rounds, level=settings.level
    )
    mean, low, high, error = (float(each[0]) for each in (found.mean, found.low, found.high, found.error))
    enough = len(chosen) >= settings.smallest and int(found.clusters[0]) >= FEWEST_CLUSTERS
    return Target(
        slice=name,
        rows=len(chosen),
        live=float(np.nanmean(live)),
        candidate=float(np.nanmean(candidate)),
        difference=mean,
        low=low,
        high=high,
        beaten=enough and low > 0 and float(found.p_higher[0]) <= CHANCE,
        worse=enough and high < 0 and float(found.p_lower[0]) <= CHANCE,
        needed=_needed(mean, error, len(chosen), settings.smallest),
    )


def _needed(mean: float, error: float, rows: int, smallest: int) -> int:
    """How many rows more would show a gain as large as the one seen, or a worthwhile one where none is seen."""
    gain = mean if mean >= WORTHWHILE / 5 else WORTHWHILE
    wanted = math.ceil(rows * (POWER * error / gain) ** 2)
    return min(MOST_MORE, max(wanted - rows, smallest - rows, 1))


def _of_target(target: Target, settings: Settings) -> list[Reason]:
    if target.beaten:
        return []
    figures = {
        "slice": target.slice,
        "metric": "quality",
        "value": target.candidate,
        "floor": target.live,
        "live": target.live,
    }
    if target.worse:
        text = f"On {target.slice} the candidate is worse than live: {target.candidate:.2f} against {target.live:.2f}."
        return [Reason(**figures, state="broken", text=text)]  # type: ignore[arg-type]
    if target.rows < settings.smallest:
        text = f"{target.slice} has {target.rows} comparable rows; {target.needed} more are needed to say anything."
        return [Reason(**figures, state="missing", text=text)]  # type: ignore[arg-type]
    text = (
        f"On {target.slice} the gain is {target.difference:+.3f}, but may be anything from {target.low:+.3f} to "
        f"{target.high:+.3f}; about {target.needed} more rows would tell."
    )
    return [Reason(**figures, state="missing", text=text)]  # type: ignore[arg-type]


def _reason(judged: Judged) -> Reason:
    title = METRICS[judged.floor.metric].title
    sure = "" if judged.state == "broken" else " This may be chance; more rows would tell."
    text = (
        f"{judged.floor.name}: “{title}” is {judged.candidate:.3f}, live has {judged.live:.3f}; "
        f"the floor is {judged.threshold:.3f}.{sure}"
    )
    return Reason(
        judged.floor.name, judged.floor.metric, judged.candidate, judged.threshold, judged.live, judged.state, text
    )


def _told(pairs: Sequence[Pair]) -> list[Reason]:
    """Personal data is no matter of chance: one answer more than live's is too many."""
    live, candidate = (float(np.nansum(each)) for each in values(pairs, "pii_echo"))
    if candidate <= live:
        return []
    first = next(p.key for p in pairs if p.candidate_scores["pii_echo"] > p.live_scores["pii_echo"])
    text = f"{candidate:.0f} answers tell personal data that is not in their prompt (live: {live:.0f}); first {first}."
    return [Reason("all", "pii_echo", candidate, live, live, "broken", text)]


def _must_pass(pairs: Sequence[Pair]) -> list[Reason]:
    rows = [pair for pair in pairs if pair.suite == "must_pass" and pair.live_scores.get("quality") == 1]
    lost = [pair.key for pair in rows if pair.candidate_scores.get("quality") != 1]
    if not lost:
        return []
    share = 1 - len(lost) / len(rows)
    text = f"{len(lost)} of {len(rows)} must-pass rows that live passes fail: {', '.join(lost[:5])}."
    return [Reason("suite:must_pass", "quality", share, 1.0, 1.0, "broken", text)]


def _tokens(pairs: Sequence[Pair], settings: Settings) -> list[Reason]:
    compared = [pair for pair in pairs if pair.suite != "must_pass"]
    if len(compared) < settings.smallest:
        return []
    live, candidate = answer_tokens(compared)
    ratio, low = quantile_ratio(live, candidate, clusters(compared), seed=settings.seed)
    if ratio <= settings.token_ratio:
        return []
    state = "broken" if low > settings.token_ratio else "doubtful"
    text = (
        f"Long answers (95th percentile) are {ratio:.2f} times as long as live's; allowed are {settings.token_ratio}."
    )
    return [Reason("all", "tokens_p95_ratio", ratio, settings.token_ratio, 1.0, state, text)]


def _missing(pairs: Sequence[Pair], settings: Settings) -> list[Reason]:
    seen = {f"suite:{pair.suite}" for pair in pairs}
    return [
        Reason(name, "quality", 0, 1, 0, "missing", f"{name} was not asked: give its file to evaluate with --suite.")
        for name in settings.required
        if name not in seen
    ]


def _unfair(pairs: Sequence[Pair], left_out: Sequence[str]) -> list[Reason]:
    """Answers that are missing by chance or design must not decide: a verdict needs both subjects' whole set."""
    found = []
    share = len(left_out) / max(1, len(pairs) + len(left_out))
    if share > MOST_MISSING:
        text = f"{len(left_out)} rows cannot be compared; run evaluate again for both with the same rows and suites."
        found.append(Reason("all", "compared", 1 - share, 1 - MOST_MISSING, 1, "missing", text))
    failed = sum(pair.live["answer"] is None for pair in pairs) / max(1, len(pairs))
    if failed > MOST_MISSING:
        text = f"Live gave no answer to {failed:.0%} of the rows; run its evaluate again, it asks only those."
        found.append(Reason("all", "failed", failed, MOST_MISSING, failed, "missing", text))
    return found


def _slice(judged: Judged) -> Mapping[str, Any]:
    return {
        "slice": judged.floor.name,
        "metric": judged.floor.metric,
        "state": judged.state,
        "live": judged.live,
        "value": judged.candidate,
        "floor": judged.threshold,
        "difference": judged.difference,
        "low": judged.low,
        "high": judged.high,
        "rows": judged.rows,
        "chance": judged.chance,
    }
