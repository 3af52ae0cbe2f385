from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.knowledge.contract import Chunk
from server.knowledge.questions import BadQuestions, Gold, Question, Quote, rank, read


def chunk(name: str, text: str) -> Chunk:
    return Chunk(name, "a.md", "Title", "", text, "", "customer")


GOLD = Gold(
    [
        chunk("1", "**Thirty** days\nfrom delivery."),
        chunk("2", "| EU | €13.90 |"),
        chunk("3", "cut here now one two three"),
    ],
    {},
)


def question(*quotes: str, every: bool = True) -> Question:
    return Question("q", "?", "en", tuple(Quote("a.md", quote) for quote in quotes), every)


def test_quotes_are_found_whatever_their_marks():
    assert GOLD.of(Quote("a.md", "Thirty days from delivery")) == {"1"}
    assert GOLD.of(Quote("a.md", "| EU | €13.90 |")) == {"2"}
    assert GOLD.of(Quote("a.md", "")) == {"1", "2", "3"}
    assert GOLD.of(Quote("b.md", "Thirty days")) == frozenset()
    assert GOLD.of(Quote("a.md", "now one two three four")) == {"3"}  # the larger part of a quote cut in two
    assert GOLD.of(Quote("a.md", "nothing of the kind anywhere")) == frozenset()


def test_ranks():
    both = ("Thirty days", "€13.90")
    assert rank(["2", "x", "1"], question(*both), GOLD) == 3
    assert rank(["2", "x", "1"], question(*both, every=False), GOLD) == 1
    assert rank(["2"], question(*both), GOLD) is None


def test_a_file_is_read(tmp_path: Path):
    path = tmp_path / "q.jsonl"
    rows = [
        {"question": "a?", "passages": [{"document": "a.md", "quote": "x"}], "needs": "any"},
        {"id": 7, "question": "b?"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    first, second = read(path)
    assert first == Question("1", "a?", "en", (Quote("a.md", "x"),), False)
    assert (second.id, second.answerable) == ("7", False)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"id": 1}', "\xff"])
def test_what_is_no_question_file(tmp_path: Path, text: str):
    path = tmp_path / "q.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadQuestions):
        read(path)
