"""Groups rows that ask and answer nearly the same, so that no copy of a training row stands in the held-out part.

Two rows are near-duplicates when their questions share most of their 4-character pieces and their answers do too. The
two are compared apart: a refusal's fixed wording must not make all refusals one. A very short question ("yes") is
read with what it answers.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

from training.rows import Row, Target
from training.scrub import MARK

PIECE = 4  # characters
SHORT = 24  # characters; a shorter question is read with the message before it
PERMUTATIONS = 64  # of a sketch: candidates only, every pair is then compared exactly
SEED = 1
CANDIDATE = 0.85  # of the wanted similarity at which a pair becomes a candidate
MOST_COMPARED = 400  # candidates of one row; more of them are already one group or a different answer each
_CITATION = re.compile(r"\[\d+\]")
_NOT_WORD = re.compile(r"[^\w<>]+")


class Groups:
    """Union-find over any names; a group's name is its smallest member, whatever the order of joining."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The group of a name."""
        root = name
        while (above := self._parent.setdefault(root, root)) != root:
            root = above
        while self._parent[name] != root:
            self._parent[name], name = root, self._parent[name]
        return root

    def join(self, one: str, other: str) -> None:
        """Put two names into one group."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first


def normal(text: str) -> str:
    """Lower-case words with single blanks; citation marks and numbers of masks are gone."""
    plain = unicodedata.normalize("NFKC", _CITATION.sub(" ", MARK.sub(r"<\1>", text))).casefold()
    return _NOT_WORD.sub(" ", plain).strip()


def asked(row: Row) -> str:
    """The question as it is compared."""
    question = normal(row.question)
    if len(question) >= SHORT:
        return question
    earlier = [message.content for message in row.messages[:-1] if message.role == "assistant"]
    return f"{normal(earlier[-1])} {question}".strip() if earlier else question


def answered(target: Target) -> str:
    """The answer as it is compared: its text, its calls with sorted arguments."""
    calls = [json.dumps([call.name, call.arguments], sort_keys=True, ensure_ascii=False) for call in target.tool_calls]
    return normal(" ".join([target.content, *calls]))


def pieces(text: str) -> frozenset[str]:
    """The text's 4-character pieces; a shorter text is its own only piece."""
    if len(text) <= PIECE:
        return frozenset((text,))
    return frozenset(text[place : place + PIECE] for place in range(len(text) - PIECE + 1))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity: shared pieces of all."""
    return len(one & other) / len(one | other)


def clusters(rows: Sequence[Row], question: float, target: float) -> list[str]:
    """Each row's cluster, named by the smallest row id in it; the order of rows does not matter.

    ``question`` and ``target`` are the similarities from which on two rows are near-duplicates.
    """
    groups = Groups()
    same: dict[tuple[str, str], str] = {}  # what is exactly equal is compared once
    for row in sorted(rows, key=lambda one: one.id):
        first = same.setdefault((asked(row), answered(row.target)), row.id)
        groups.join(first, row.id)
    by_question: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for (text, answer), name in sorted(same.items()):
        by_question[text].append((name, pieces(answer)))
    _join_similar(by_question, groups, question, target)
    return [groups.find(row.id) for row in rows]


def _join_similar(
    by_question: dict[str, list[tuple[str, frozenset[str]]]], groups: Groups, question: float, target: float
) -> None:
    shingled = {text: pieces(text) for text in by_question}
    lsh = MinHashLSH(threshold=max(0.05, min(1.0, question * CANDIDATE)), num_perm=PERMUTATIONS)
    for text, sketch in zip(shingled, sketches(shingled.values()), strict=True):
        _join_answers(by_question[text], by_question[text], groups, target)
        for other in sorted(_names(lsh.query(sketch)))[:MOST_COMPARED]:
            if alike(shingled[text], shingled[other]) >= question:
                _join_answers(by_question[text], by_question[other], groups, target)
        lsh.insert(text, sketch, check_duplication=False)


def _names(found: Iterable[Hashable]) -> list[str]:
    return [name for name in found if isinstance(name, str)]


def _join_answers(
    some: list[tuple[str, frozenset[str]]], others: list[tuple[str, frozenset[str]]], groups: Groups, target: float
) -> None:
    for name, answer in some[:MOST_COMPARED]:
        for other, text in others[:MOST_COMPARED]:
            if name != other and groups.find(name) != groups.find(other) and alike(answer, text) >= target:
                groups.join(name, other)


def sketches(texts: Iterable[frozenset[str]]) -> list[MinHash]:
    """A sketch of each set of pieces, the same on every machine."""
    return [_sketch(text) for text in texts]


def _sketch(text: frozenset[str]) -> MinHash:
    sketch = MinHash(num_perm=PERMUTATIONS, seed=SEED)
    sketch.update_batch([piece.encode() for piece in text])
    return sketch
