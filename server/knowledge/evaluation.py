"""How well questions find their passages: recall and reciprocal rank of each half, abstention, by language.

Works on a folder of documents through an index in memory (:mod:`server.knowledge.offline`), so that it needs neither
store nor server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from config.knowledge import Knowledge
from server.knowledge.confidence import estimate
from server.knowledge.contract import KnowledgeError
from server.knowledge.offline import Found, Offline
from server.knowledge.questions import Gold, Question, Quote, rank

DEMO = Path(__file__).parent.parent.parent / "config" / "demo"
DEMO_TABLES = ("products.csv", "questions_and_answers.csv")
HALVES = ("lexical", "vector", "fused")
FIRST = 5  # places: a question answered further down counts as missed


@dataclass(frozen=True, slots=True)
class Score:
    """Shares (0 to 1) of questions answered within the first places, and the mean reciprocal rank."""

    questions: int
    recall_1: float
    recall_5: float
    recall_10: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Miss:
    """A question whose passages were not among the first, or one that was wrongly given up or answered."""

    id: str
    question: str
    language: str
    why: str
    rank: int | None
    confidence: float
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; ``abstention`` is of unanswerable questions, ``false_abstention`` of answerable ones."""

    documents: int
    chunks: int
    threshold: float
    scores: Mapping[str, Score]
    languages: Mapping[str, Score]
    abstention: float | None
    false_abstention: float | None
    unanswerable: int
    misses: tuple[Miss, ...] = field(default=())
    unknown: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def demo_documents(name: str) -> bool:
    """Whether a file of the demo folder is one of the shop's documents."""
    page = name.startswith("site/") and name.endswith(".html") and not name.startswith("site/staff/")
    return name.startswith("documents/") or page or name in DEMO_TABLES


async def evaluate(
    index: Offline,
    questions: Sequence[Question],
    settings: Knowledge,
    tell: Callable[[int], None] = lambda _: None,
) -> Report:
    """Ask every question; ``tell`` hears how many are done. Raises KnowledgeError when no document is named rightly."""
    gold = Gold(index.chunks.values(), index.documents)
    unknown = tuple(_unknown(questions, gold))
    if unknown and len(unknown) == len({quote for question in questions for quote in question.passages}):
        raise KnowledgeError(f"no passage of the questions is in these documents (such as {unknown[0]})")
    ranks: dict[str, list[tuple[Question, int | None]]] = {half: [] for half in HALVES}
    confidences: list[tuple[Question, float]] = []
    misses: list[Miss] = []
    for done, question in enumerate(questions, 1):
        found = await index.find(question.question)
        confidence = estimate(question.question, found.passages[: settings.passages])
        confidences.append((question, confidence))
        for half in HALVES:
            if question.answerable:
                ranks[half].append((question, rank(getattr(found, half), question, gold)))
        place = ranks["fused"][-1][1] if question.answerable else None
        if why := _why(question, place, confidence, settings.confidence):
            misses.append(_miss(question, why, place, confidence, found))
        tell(done)
    return _report(index, settings, ranks, confidences, misses, unknown)


def _report(
    index: Offline,
    settings: Knowledge,
    ranks: Mapping[str, Sequence[tuple[Question, int | None]]],
    confidences: Sequence[tuple[Question, float]],
    misses: Iterable[Miss],
    unknown: tuple[str, ...],
) -> Report:
    fused = ranks["fused"]
    languages = sorted({question.language for question, _ in fused})
    given_up = [(question.answerable, value < settings.confidence) for question, value in confidences]
    return Report(
        documents=len(index.documents),
        chunks=len(index.chunks),
        threshold=settings.confidence,
        scores={half: score(place for _, place in ranks[half]) for half in HALVES},
        languages={name: score(place for question, place in fused if question.language == name) for name in languages},
        abstention=_mean(below for answerable, below in given_up if not answerable),
        false_abstention=_mean(below for answerable, below in given_up if answerable),
        unanswerable=sum(not answerable for answerable, _ in given_up),
        misses=tuple(misses),
        unknown=unknown,
    )


def score(places: Iterable[int | None]) -> Score:
    """The figures of ranks from 1; None = not found."""
    ranks = list(places)
    most = max(1, len(ranks))

    def within(limit: int) -> float:
        return round(sum(place is not None and place <= limit for place in ranks) / most, 4)

    mrr = round(sum(1 / place for place in ranks if place) / most, 4)
    return Score(len(ranks), within(1), within(5), within(10), mrr)


def _mean(values: Iterable[bool]) -> float | None:
    known = list(values)
    return round(sum(known) / len(known), 4) if known else None


def _why(question: Question, place: int | None, confidence: float, threshold: float) -> str:
    if not question.answerable:
        return "" if confidence < threshold else "answered"
    if place is None or place > FIRST:
        return "not found"
    return "given up" if confidence < threshold else ""


def _miss(question: Question, why: str, place: int | None, confidence: float, found: Found) -> Miss:
    top = tuple(f"{p.chunk.title} > {p.chunk.heading}".removesuffix(" > ") for p in found.passages[:3])
    return Miss(question.id, question.question, question.language, why, place, confidence, top)


def _unknown(questions: Sequence[Question], gold: Gold) -> Iterable[str]:
    quotes: dict[Quote, None] = dict.fromkeys(quote for question in questions for quote in question.passages)
    return (f"{quote.document}: {quote.quote[:60]}" for quote in quotes if not gold.of(quote))
