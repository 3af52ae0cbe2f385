"""Texts and questions made of the demo shop's words by their frequency, and how a list of times is told."""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORDS_PER_CHUNK = 90
WORDS_PER_SENTENCE = 15
WORDS_PER_QUESTION = 8


def vocabulary() -> tuple[list[str], list[int]]:
    """The words of the demo shop's documents and how often each is used."""
    told = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "config/demo/documents").rglob("*.md"))
    counts = collections.Counter(re.findall(r"\w+", told))
    return list(counts), list(counts.values())


def texts(size: int) -> Iterator[str]:
    """Texts of one chunk each, without sentences."""
    words, weights = vocabulary()
    generator = random.Random(1)
    for _ in range(size):
        yield " ".join(generator.choices(words, weights, k=WORDS_PER_CHUNK))


def questions(count: int, seed: int = 2) -> list[str]:
    """Questions that nobody asked before; another seed gives others."""
    words, weights = vocabulary()
    generator = random.Random(seed)
    return ["what about " + " ".join(generator.choices(words, weights, k=WORDS_PER_QUESTION)) for _ in range(count)]


def sentences(text: str) -> str:
    """The same words as whole sentences."""
    words = text.split()
    cut = [words[at : at + WORDS_PER_SENTENCE] for at in range(0, len(words), WORDS_PER_SENTENCE)]
    return " ".join(f"{' '.join(part).capitalize()}." for part in cut)


def write_files(folder: Path, chunks: int, per_file: int = 20) -> None:
    """Markdown files whose sections are one chunk each."""
    parts = [f"# Part {number}\n\n{sentences(text)}" for number, text in enumerate(texts(chunks))]
    for at in range(0, chunks, per_file):
        page = "\n\n".join([f"# Page {at}", *parts[at : at + per_file]])
        (folder / f"page{at:06}.md").write_text(page, encoding="utf-8")


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all stays below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def percentiles(seconds: Sequence[float]) -> str:
    """Some seconds told in milliseconds."""
    at = [quantile(seconds, share) * 1_000 for share in (0.5, 0.95, 0.99)]
    return f"p50 {at[0]:7.2f}  p95 {at[1]:7.2f}  p99 {at[2]:7.2f} ms"
