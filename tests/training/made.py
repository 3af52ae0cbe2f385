"""Rows for tests, made from what matters to each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.rows import Row

SYSTEM = "You answer for a shop."
OPENINGS = ("I would like to know", "Could you tell me", "My friend asked me", "Before I buy it: say", "Hello,")
THINGS = ("brass lamp", "wool blanket", "stoneware bowl", "linen curtain", "oak table", "garden chair", "tea pot")
VERBS = ("washed at sixty degrees", "sent to an island", "returned without its box", "paid in three parts", "repaired")


def topic(number: int) -> tuple[str, str]:
    """A question and an answer that are unlike those of other numbers."""
    opening, thing, verb = OPENINGS[number % 5], THINGS[number // 5 % 7], VERBS[number // 35 % 5]
    code = "".join(chr(97 + (number * 7919 >> shift) % 26) for shift in range(0, 24, 2))
    return f"{opening} whether a {thing} {code} can be {verb}?", f"The {thing} named {code} can be {verb} [1]."


def given(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A row as it stands in a file."""
    question, answer = topic(number)
    row: dict[str, Any] = {
        "id": f"row-{number:05}", "origin": "correction", "behaviour": "grounded",
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
        "target": {"content": answer, "tool_calls": []}, "rejected": None, "tools": [], "sources": [],
        "conversation": f"conversation-{number:05}", "customer": f"customer-{number:05}",
        "person": f"person-{number % 25:02}", "language": "en", "channel": "web", "weight": 1.0,
        "created_at": 1000.0 + number, "message": f"message-{number:05}", "release": "r1",
    }  # fmt: skip
    return row | changes


def made(number: int = 0, **changes: Any) -> Row:
    """A checked row."""
    return Row.model_validate_json(json.dumps(given(number, **changes)))


def asking(question: str, answer: str = "Yes, it can.", **changes: Any) -> Row:
    """A row with this question and answer."""
    changes.setdefault("number", 0)
    return made(
        changes.pop("number"), messages=[{"role": "user", "content": question}],
        target={"content": answer, "tool_calls": []}, **changes,
    )  # fmt: skip


def save(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Rows as a file."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
