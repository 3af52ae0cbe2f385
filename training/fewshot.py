"""Examples shown in the prompt instead of trained in: what a base model reaches that way is what tuning must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from training.client import wire_message

SHOTS: Final = 2
LONGEST: Final = 1_200  # characters of an example's question and answer; longer ones crowd out the passages

Row = Mapping[str, Any]


def _near(row: Row, example: Row) -> bool:
    """Whether an example shows the same behaviour with the same tools at hand."""
    return example["behaviour"] == row["behaviour"] and bool(example.get("tools")) == bool(row.get("tools"))


def _order(row: Row, example: Row) -> str:
    return hashlib.sha256(f"{row['id']}/{example['id']}".encode()).hexdigest()


def _size(example: Row) -> int:
    return len(example["messages"][-1].get("content") or "") + len(example["target"].get("content") or "")


def shown(row: Row, examples: Sequence[Row], shots: int = SHOTS) -> dict[str, Any]:
    """The row with ``shots`` examples of its behaviour as earlier exchanges; always the same ones for the same row.

    Examples stand between the system message and the history, as question and target only: their passages would name
    other sources under the same numbers. Conversations of the row itself are never shown.
    """
    near = [
        example
        for example in examples
        if _near(row, example) and example["conversation"] != row["conversation"] and _size(example) <= LONGEST
    ]
    chosen = sorted(near, key=lambda example: _order(row, example))[:shots]
    system = [message for message in row["messages"][:1] if message["role"] == "system"]
    exchanges = [message for example in chosen for message in _exchange(example)]
    return {**row, "messages": [*system, *exchanges, *row["messages"][len(system) :]]}


def _exchange(example: Row) -> list[dict[str, Any]]:
    target = {"role": "assistant", **example["target"]}
    answered = wire_message(target)
    answers = [
        {"role": "tool", "content": "{}", "tool_call_id": call["id"]} for call in answered.get("tool_calls") or ()
    ]
    return [{"role": "user", "content": example["messages"][-1].get("content") or ""}, answered, *answers]
