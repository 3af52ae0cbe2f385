"""Subjects made of rules instead of weights: what live and candidates of every kind would have answered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from training.evaluate import Task, tasks
from training.suites import Suite, folder

SUITES = Path(__file__).parents[2] / "config/demo/suites"
SIGNED = "Warm regards, the team"
HANDOFF = {
    "name": "handoff_to_staff",
    "description": "Get a person.",
    "parameters": {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]},
}
SORRY = "I could not find an answer to that in our documents. I can pass your question on to a person."

Row = dict[str, Any]
Answer = dict[str, Any] | None
Rule = Callable[[Row], Answer]


def share(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") / 2**64


def row(name: str, behaviour: str, question: str, target: str = "", **more: Any) -> Row:
    """A held-out row."""
    return {
        "id": name,
        "origin": "correction",
        "behaviour": behaviour,
        "messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": question}],
        "target": {"content": target, "tool_calls": []},
        "rejected": None,
        "tools": [],
        "sources": [],
        "conversation": name,
        "language": "en",
        "channel": "web",
        **more,
    }


def heldout(count: int = 120) -> list[Row]:
    """Rows of four behaviours, two languages, two channels."""
    made: list[Row] = []
    for n in range(count):
        common: Row = {"language": "de" if n % 4 == 0 else "en", "channel": "slack" if n % 3 == 0 else "web"}
        if n % 4 in {0, 1}:
            text = f"Thing {n} costs {n + 3} euros and is made in Kilbrack [1]."
            source = {"id": f"s{n}", "title": "Prices", "text": text}
            made.append(row(f"g{n}", "grounded", f"How much is thing {n}?", text, sources=[source], **common))
        elif n % 4 == 2:
            rule = {"must_match": [r"Warm regards, the team\s*$"]}
            made.append(
                row(
                    f"y{n}", "style", f"Is thing {n} here?", f"Yes, thing {n} is here.\n{SIGNED}", checks=rule, **common
                )
            )
        else:
            call = [{"name": "handoff_to_staff", "arguments": {"reason": "asks"}}]
            made.append(row(f"h{n}", "handoff", f"Person please {n}", tools=[HANDOFF], **common))
            made[-1]["target"]["tool_calls"] = call
    return made


@cache
def _suites() -> list[Suite]:
    return folder(SUITES)


def everything(count: int = 120) -> list[Task]:
    """Held-out rows and the frozen suites."""
    return tasks(heldout(count), _suites())


def right(asked: Row) -> Answer:
    """The target itself, or something that passes the row's checks."""
    calls = [{"name": c["name"], "arguments": json.dumps(c["arguments"])} for c in asked["target"]["tool_calls"]]
    return {"content": asked["target"]["content"], "tool_calls": calls, "finish_reason": "stop"}


def wrong(_: Row) -> Answer:
    """Words that help nobody."""
    return {"content": "Well, that is that, dear.", "tool_calls": [], "finish_reason": "stop"}


def mostly(seed: object, how_often: float | Callable[[Row], float]) -> Rule:
    """Right with a chance that may depend on the row, else wrong; the same for the same seed."""

    def rule(asked: Row) -> Answer:
        wanted = how_often(asked) if callable(how_often) else how_often
        return right(asked) if share(seed, asked["id"]) < wanted else wrong(asked)

    return rule


def unsigned(rule: Rule) -> Rule:
    """As ``rule``, but without the signature."""

    def without(asked: Row) -> Answer:
        answer = rule(asked)
        return answer and {**answer, "content": answer["content"].replace(SIGNED, "").strip()}

    return without


def _prompt(key: str, messages: str) -> str:
    """Stands for the digest of the prompt, without computing it for every subject anew."""
    return f"{key} {hash(messages)}"


def subject(asked: Iterable[Task], rule: Rule, model: str = "model") -> dict[str, dict[str, Any]]:
    """Generations as they are read from a file."""
    found = {}
    for task in asked:
        answer = rule(task.row)
        words = len((answer or {}).get("content", "").split())
        found[task.key] = {
            "id": task.row["id"],
            "suite": task.suite,
            "model": model,
            "prompt": _prompt(task.key, str(task.row["messages"])),
            "row": task.row,
            "answer": answer,
            "usage": {"prompt_tokens": 50, "completion_tokens": words + 8},
            "first_token_ms": 20.0,
            "total_ms": 90.0,
            "error": None if answer else "no whole answer within 1 s",
        }
    return found


def written(path: Path, generations: dict[str, dict[str, Any]]) -> Path:
    """The file that evaluate would have left."""
    path.write_text("".join(json.dumps(entry) + "\n" for entry in generations.values()), encoding="utf-8")
    return path
