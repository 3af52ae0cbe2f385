"""Question files: what is asked, and the passages that answer it.

One JSON object per line: ``id``, ``question``, ``language``, ``passages`` (``document`` and a verbatim ``quote``, empty
for any part of the document), ``needs`` (``all`` or ``any`` of them) and ``answers``. A question without passages is
one that nothing answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.knowledge.contract import Chunk, KnowledgeError
from server.knowledge.sentences import plain

MOST_QUESTIONS = 20_000
CUT_SHARE = 0.6  # of a quote's words: it was cut in two by chunking, its larger part counts
RUN = 3  # words in a row that are compared


class BadQuestions(KnowledgeError):
    """A question file cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A place that answers a question: a document and words of it; no words = anywhere in it."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what answers it; ``every`` says that all passages are needed."""

    id: str
    question: str
    language: str
    passages: tuple[Quote, ...]
    every: bool

    @property
    def answerable(self) -> bool:
        """Whether any passage answers it."""
        return bool(self.passages)


def read(path: Path) -> list[Question]:
    """The questions of a file in order; raises BadQuestions."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadQuestions(f"{path} cannot be read ({error}); give a file with one JSON object per line") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_question(json.loads(line), number))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise BadQuestions(f"{path}, line {number} is no question: {error!r}") from error
    if not 0 < len(found) <= MOST_QUESTIONS:
        raise BadQuestions(f"{path} holds {len(found)} questions; give 1 to {MOST_QUESTIONS:,}")
    return found


def _question(row: Mapping[str, Any], number: int) -> Question:
    passages = tuple(Quote(str(each["document"]), str(each.get("quote", ""))) for each in row.get("passages", ()))
    return Question(
        str(row.get("id", number)),
        str(row["question"]),
        str(row.get("language", "en")),
        passages,
        row.get("needs", "all") == "all",
    )


class Gold:
    """Which chunks hold which quotes; ``documents`` gives the name of a document in question files by its id."""

    def __init__(self, chunks: Iterable[Chunk], documents: Mapping[str, str]) -> None:
        self._chunks: dict[str, list[tuple[str, str]]] = {}
        for chunk in chunks:
            name = documents.get(chunk.document_id, chunk.document_id)
            text = normal(f"{chunk.title}\n{chunk.heading}\n{chunk.text}")
            self._chunks.setdefault(name, []).append((chunk.id, text))

    def of(self, quote: Quote) -> frozenset[str]:
        """Ids of the chunks that hold a quote; the largest part of it where it was cut."""
        chunks = self._chunks.get(quote.document, [])
        words = normal(quote.quote)
        whole = frozenset(name for name, text in chunks if words in text)
        if whole or not words:
            return whole
        shares = {name: _share(words, text) for name, text in chunks}
        most = max(shares.values(), default=0.0)
        return frozenset(name for name, share in shares.items() if share == most >= CUT_SHARE)


def rank(found: Sequence[str], question: Question, gold: Gold) -> int | None:
    """The place from 1 at which a question is answered (by all it needs, or by any), None when it is not."""
    places = {name: place for place, name in enumerate(found, 1)}
    ranks = [
        min((places[name] for name in gold.of(quote) if name in places), default=None) for quote in question.passages
    ]
    if question.every:
        known = [each for each in ranks if each is not None]
        return max(known) if known and len(known) == len(ranks) else None
    return min((each for each in ranks if each is not None), default=None)


def normal(text: str) -> str:
    """Words and figures with single spaces, small letters, no marks: the form in which quotes are compared."""
    return " ".join(re.findall(r"[\w€£$%]+", plain(text.replace("|", " ")).lower()))


def _share(words: str, text: str) -> float:
    said = words.split()
    runs = [" ".join(said[place : place + RUN]) for place in range(max(1, len(said) - RUN + 1))]
    return sum(run in text for run in runs) / len(runs)
