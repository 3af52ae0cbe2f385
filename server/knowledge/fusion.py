"""Puts two rankings together and leaves repetitions out. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from server.knowledge.contract import Hit, Passage

RANK_CONSTANT = (
    8.0  # of reciprocal rank fusion; like the weights chosen on development questions, see docs/measurements
)
LEXICAL_WEIGHT = 0.7
VECTOR_WEIGHT = 1.0
SAME_SHARE = 0.9  # of the words of the shorter of two texts: from here on they say the same
SHINGLE = 3  # words

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Fused:
    """A chunk of either ranking with what each said of it; ``score`` is at most 1, the first of both."""

    chunk_id: str
    score: float
    lexical: Hit | None
    vector: Hit | None


def fuse(
    lexical: Sequence[Hit],
    vector: Sequence[Hit],
    *,
    constant: float = RANK_CONSTANT,
    weights: tuple[float, float] = (LEXICAL_WEIGHT, VECTOR_WEIGHT),
) -> list[Fused]:
    """Reciprocal rank fusion, best first; equal scores in the order of the chunks' ids.

    ``weights`` are those of the lexical and the vector ranking. A chunk found by one half only is not punished
    further: the other half's share is simply missing.
    """
    by_words: Mapping[str, Hit] = {hit.chunk_id: hit for hit in lexical}
    by_vector: Mapping[str, Hit] = {hit.chunk_id: hit for hit in vector}
    most = sum(weights) / (constant + 1)

    def share(hit: Hit | None, weight: float) -> float:
        return weight / (constant + hit.rank) if hit else 0.0

    fused = []
    for chunk_id in {**by_words, **by_vector}:
        words, near = by_words.get(chunk_id), by_vector.get(chunk_id)
        fused.append(
            Fused(chunk_id, min(1.0, (share(words, weights[0]) + share(near, weights[1])) / most), words, near)
        )
    return sorted(fused, key=lambda entry: (-entry.score, entry.chunk_id))


def choose(
    passages: Iterable[Passage], limit: int, per_document: int, room: Callable[[Passage], bool]
) -> list[Passage]:
    """The first ``limit`` passages: no two that say the same, few of one document, and only while there is ``room``."""
    chosen: list[Passage] = []
    seen: list[frozenset[str]] = []
    used: dict[str, int] = {}
    for passage in passages:
        if len(chosen) == limit:
            break
        shape = shingles(passage.chunk.text)
        document = passage.chunk.document_id
        if used.get(document, 0) >= per_document or any(same(shape, other) for other in seen):
            continue
        if not room(passage):
            continue
        chosen.append(passage)
        seen.append(shape)
        used[document] = used.get(document, 0) + 1
    return chosen


def shingles(text: str) -> frozenset[str]:
    """Every run of three neighbouring words, small letters; the whole text where it is shorter."""
    words = _WORD.findall(text.lower())
    if len(words) < SHINGLE:
        return frozenset([" ".join(words)])
    return frozenset(" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))


def same(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether two texts are nearly one: the shorter one's runs of words are almost all in the other."""
    return len(first & second) >= SAME_SHARE * min(len(first), len(second))
