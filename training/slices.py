"""Parts of the evaluation that are looked at one by one, so that a good average hides no harm. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from training.words import tokens

SMALLEST: Final = 20  # rows: a smaller part says nothing for itself
SHORT_WORDS: Final = 8
LONG_WORDS: Final = 30
DIMENSIONS: Final = ("language", "channel", "tenant", "behaviour", "origin")

Row = Mapping[str, Any]


def question(row: Row) -> str:
    """What the customer asked last."""
    said = [message.get("content") or "" for message in row["messages"] if message["role"] == "user"]
    return said[-1] if said else ""


def length(row: Row) -> str:
    """How much the customer wrote: short, medium or long."""
    words = len(tokens(question(row)))
    if words <= SHORT_WORDS:
        return "short"
    return "long" if words > LONG_WORDS else "medium"


def names(suite: str, row: Row) -> list[str]:
    """Every slice a row belongs to, such as ``language:de``."""
    found = [f"{dimension}:{row[dimension]}" for dimension in DIMENSIONS if row.get(dimension)]
    return [*found, f"length:{length(row)}", f"suite:{suite}"]


def cut(rows: Iterable[tuple[str, Row]]) -> dict[str, list[int]]:
    """Places of the rows (suite, row) of every slice, by its name, in order."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, (suite, row) in enumerate(rows):
        for name in names(suite, row):
            found[name].append(place)
    return dict(sorted(found.items()))
