"""Puts the answers of live and candidate to the same prompts side by side, scored. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import codes
from training.scoring import Scores, score
from training.words import tokens

NOTHING: Final = float("nan")

Generation = Mapping[str, Any]
Generations = Mapping[str, Generation]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt with both answers and their figures."""

    key: str
    suite: str
    row: Mapping[str, Any]
    live: Generation
    candidate: Generation
    live_scores: Scores
    candidate_scores: Scores

    @property
    def cluster(self) -> str:
        """Rows of one conversation (or of one cluster of near-duplicates) are drawn together."""
        return f"{self.suite}/{self.row.get('cluster') or self.row['conversation']}"


def pair_up(live: Generations, candidate: Generations) -> tuple[list[Pair], list[str]]:
    """Pairs over equal prompts in the order of live's keys, and keys that cannot be compared."""
    both = [key for key, entry in live.items() if key in candidate and candidate[key]["prompt"] == entry["prompt"]]
    left_out = sorted((live.keys() | candidate.keys()) - set(both))
    return [_pair(key, live[key], candidate[key]) for key in both], left_out


def _pair(key: str, live: Generation, candidate: Generation) -> Pair:
    row = live["row"]
    return Pair(
        key=key,
        suite=live["suite"],
        row=row,
        live=live,
        candidate=candidate,
        live_scores=score(row, live["answer"]),
        candidate_scores=score(row, candidate["answer"]),
    )


def values(pairs: Sequence[Pair], metric: str) -> tuple[Matrix, Matrix]:
    """Live's and candidate's figures of all pairs, NaN where one of them has no such figure; shapes (R,)."""
    live = np.array([pair.live_scores.get(metric, NOTHING) for pair in pairs], dtype=np.float64)
    candidate = np.array([pair.candidate_scores.get(metric, NOTHING) for pair in pairs], dtype=np.float64)
    absent = np.isnan(live) | np.isnan(candidate)
    return np.where(absent, NOTHING, live), np.where(absent, NOTHING, candidate)


def answer_tokens(pairs: Sequence[Pair]) -> tuple[Matrix, Matrix]:
    """Length of both answers of all pairs in tokens as the server counted, or in words where it did not for one."""
    counted = all(_counted(pair.live) is not None and _counted(pair.candidate) is not None for pair in pairs)
    sizes = [(_size(pair.live, counted=counted), _size(pair.candidate, counted=counted)) for pair in pairs]
    both = np.array(sizes, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _counted(entry: Generation) -> int | None:
    found: int | None = (entry.get("usage") or {}).get("completion_tokens")
    return found if entry["answer"] is not None else 0


def _size(entry: Generation, *, counted: bool) -> float:
    if counted:
        return float(_counted(entry) or 0)
    return float(len(tokens((entry["answer"] or {}).get("content") or "")))


def clusters(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """A number for the cluster of every pair; shape (R,)."""
    return codes([pair.cluster for pair in pairs])


def means(generations: Generations) -> dict[str, tuple[float, int]]:
    """Mean and number of rows of every figure of one subject, for tables."""
    found: dict[str, list[float]] = {}
    for entry in generations.values():
        for name, value in score(entry["row"], entry["answer"]).items():
            found.setdefault(name, []).append(value)
    return {name: (float(np.mean(each)), len(each)) for name, each in found.items()}
