"""How sure a paired difference is: intervals by resampling conversations, chances by flipping their signs.

Rows of one conversation resemble each other, so whole conversations (clusters) are drawn, never rows. All columns are
resampled together as one matrix product; a seed gives the same figures every time.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROUNDS: Final = 4_000
LEVEL: Final = 0.95  # two-sided
FEW_EQUAL: Final = 1e-12

Matrix = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Paired:
    """Figures of T columns: mean difference, its interval, rows and clusters it rests on, one-sided chances.

    ``p_lower`` is the chance of a mean as low as this if nothing had changed, ``p_higher`` of one as high. Columns
    without rows hold NaN and chances of 1.
    """

    mean: Matrix
    low: Matrix
    high: Matrix
    error: Matrix
    rows: Integers
    clusters: Integers
    p_lower: Matrix
    p_higher: Matrix


def codes(names: Sequence[Hashable]) -> Integers:
    """Numbers 0…C-1 for cluster names, in order of appearance."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.int64)


def paired(differences: Matrix, clusters: Integers, *, seed: int, rounds: int = ROUNDS, level: float = LEVEL) -> Paired:
    """Judge (R, T) differences, NaN where a row has no such figure, of rows that belong to ``clusters`` (R,)."""
    present = ~np.isnan(differences)
    count = int(clusters.max()) + 1 if len(clusters) else 0
    sums, sizes = np.zeros((count, differences.shape[1])), np.zeros((count, differences.shape[1]))
    np.add.at(sums, clusters, np.where(present, differences, 0.0))
    np.add.at(sizes, clusters, present.astype(np.float64))
    rows = sizes.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(rows > 0, sums.sum(axis=0) / rows, np.nan)
    generator = np.random.default_rng(seed)
    low, high, error = _interval(sums, sizes, mean, generator, rounds, level)
    p_lower, p_higher = _chances(sums, generator, rounds)
    return Paired(
        mean=mean,
        low=low,
        high=high,
        error=error,
        rows=rows.astype(np.int64),
        clusters=(sizes > 0).sum(axis=0).astype(np.int64),
        p_lower=p_lower,
        p_higher=p_higher,
    )


def _interval(
    sums: Matrix, sizes: Matrix, mean: Matrix, generator: np.random.Generator, rounds: int, level: float
) -> tuple[Matrix, Matrix, Matrix]:
    count = len(sums)
    if not count:
        nothing = np.full(mean.shape, np.nan)
        return nothing, nothing, nothing
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=rounds).astype(np.float64)
    rows = drawn @ sizes
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(rows > 0, drawn @ sums / rows, mean)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high, means.std(axis=0)


def _chances(sums: Matrix, generator: np.random.Generator, rounds: int) -> tuple[Matrix, Matrix]:
    """Flip whole clusters between the two subjects: how often is the sum as low, or as high, as it was."""
    signs = generator.integers(0, 2, size=(rounds, len(sums))).astype(np.float64) * 2 - 1
    flipped = signs @ sums
    seen = sums.sum(axis=0)
    p_lower = ((flipped <= seen + FEW_EQUAL).sum(axis=0) + 1) / (rounds + 1)
    p_higher = ((flipped >= seen - FEW_EQUAL).sum(axis=0) + 1) / (rounds + 1)
    return p_lower, p_higher


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected for how many were looked at (Holm's method): any false alarm at all stays below the level."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    corrected = [1.0] * len(chances)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, chances[place] * (len(chances) - rank)))
        corrected[place] = highest
    return corrected


def quantile_ratio(
    live: Matrix, candidate: Matrix, clusters: Integers, *, seed: int, share: float = 0.95, rounds: int = 1_000
) -> tuple[float, float]:
    """Ratio of a quantile of candidate to live, and the lower end (5 %) of what resampling conversations gives."""
    point = _ratio(float(np.quantile(candidate, share)), float(np.quantile(live, share)))
    generator = np.random.default_rng(seed)
    count = int(clusters.max()) + 1
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=rounds)[:, clusters].astype(np.float64)
    ratios = [
        _ratio(*pair) for pair in zip(_quantiles(candidate, drawn, share), _quantiles(live, drawn, share), strict=True)
    ]
    return point, float(np.quantile(ratios, 0.05))


def _quantiles(values: Matrix, weights: Matrix, share: float) -> list[float]:
    """Weighted quantile of (R,) values for each of (B, R) weights."""
    order = np.argsort(values, kind="stable")
    heaped = np.cumsum(weights[:, order], axis=1)
    places = (heaped < share * heaped[:, -1:]).sum(axis=1)
    return [float(values[order][min(place, len(values) - 1)]) for place in places]


def _ratio(above: float, below: float) -> float:
    return above / below if below else (1.0 if not above else float("inf"))
