"""Rows and suites -> generations of one subject, one JSON object per line; what is answered already is not asked again.

A line holds the row as it was asked, so that scoring, gate and report need nothing else::

    {"id", "suite", "model", "prompt", "row": {...}, "answer": {...} | null, "usage": {...}, "first_token_ms",
     "total_ms", "error": null | str}

``prompt`` is the SHA-256 of what was sent: two subjects are compared only over equal prompts. The passages recorded
in a row are part of its messages; nothing is retrieved again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from training.client import Answer, Client, EvaluationError, Unanswered, wire_message
from training.suites import Row, Suite

HELDOUT: Final = "heldout"

Generation = dict[str, Any]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt to ask; ``suite`` is ``heldout`` for rows of the dataset."""

    suite: str
    row: Row

    @property
    def key(self) -> str:
        """What tells this row from every other, also across suites."""
        return f"{self.suite}/{self.row['id']}"

    @property
    def prompt(self) -> str:
        """The digest of messages and tools."""
        sent = [[wire_message(message) for message in self.row["messages"]], self.row.get("tools") or []]
        return hashlib.sha256(json.dumps(sent, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def tasks(rows: Iterable[Row], suites: Iterable[Suite] = (), rule: Mapping[str, Any] | None = None) -> list[Task]:
    """Everything to ask, in order; ``rule`` adds ``checks`` to held-out rows of its ``behaviours`` that have none."""
    found = [Task(HELDOUT, _ruled(row, rule)) for row in rows]
    return found + [Task(suite.name, row) for suite in suites for row in suite.rows]


def _ruled(row: Row, rule: Mapping[str, Any] | None) -> Row:
    if rule is None or row.get("checks") or row["behaviour"] not in rule.get("behaviours", ("style",)):
        return row
    return {**row, "checks": rule["checks"]}


def read(path: Path) -> dict[str, Generation]:
    """Generations of a file by their key; a later line of the same key replaces an earlier one.

    A last line that was cut off by a kill is left out. Raises EvaluationError when another line cannot be read.
    """
    found: dict[str, Generation] = {}
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise EvaluationError(f"{path}, line {number} is no JSON; remove the line or the file") from error
        found[f"{entry['suite']}/{entry['id']}"] = entry
    return found


async def evaluate(
    wanted: Sequence[Task],
    client: Client,
    model: str,
    out: Path,
    *,
    parallel: int = 1,
    tell: Tell = lambda done, total: None,  # noqa: ARG005 - the default says nothing
) -> int:
    """Ask what is missing in ``out`` and append it there; how many prompts were asked.

    Raises EvaluationError when ``out`` holds answers of another model, Unreachable when the server cannot be used:
    what was answered until then stays, and the next run goes on there.
    """
    missing = _missing(wanted, model, out)
    queue = iter(missing)
    done = len(wanted) - len(missing)
    tell(done, len(wanted))
    _end_torn_line(out)
    with out.open("a", encoding="utf-8") as file:

        async def work() -> None:
            nonlocal done
            for task in queue:
                _append(file, await _generation(task, client, model))
                done += 1
                tell(done, len(wanted))

        async with client.running():
            await _together([work() for _ in range(max(1, parallel))])
        os.fsync(file.fileno())
    return len(missing)


async def _together(works: Sequence[Any]) -> None:
    """Run all; the first failure ends the others and is raised as itself."""
    running = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*running)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _missing(wanted: Sequence[Task], model: str, out: Path) -> list[Task]:
    known = read(out) if out.is_file() else {}
    others = {entry["model"] for entry in known.values()} - {model}
    if others:
        raise EvaluationError(f"{out} holds answers of {', '.join(sorted(others))}; choose another --out for {model}")
    answered = {key: entry["prompt"] for key, entry in known.items() if entry["answer"] is not None}
    return [task for task in wanted if answered.get(task.key) != task.prompt]


def _end_torn_line(out: Path) -> None:
    """Drop what a kill left of a last line, so that the next one stands alone."""
    if not out.is_file():
        return
    data = out.read_bytes()
    if data and not data.endswith(b"\n"):
        with out.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _append(file: TextIO, entry: Generation) -> None:
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    file.flush()


async def _generation(task: Task, client: Client, model: str) -> Generation:
    answer: Answer | None = None
    error: str | None = None
    try:
        answer = await client.ask(model, task.row["messages"], task.row.get("tools") or ())
    except Unanswered as failure:
        error = str(failure)
    return {
        "id": task.row["id"],
        "suite": task.suite,
        "model": model,
        "prompt": task.prompt,
        "row": task.row,
        "answer": None
        if answer is None
        else {"content": answer.content, "tool_calls": answer.tool_calls, "finish_reason": answer.finish_reason},
        "usage": {
            "prompt_tokens": answer.prompt_tokens if answer else None,
            "completion_tokens": answer.completion_tokens if answer else None,
        },
        "first_token_ms": answer.first_token_ms if answer else None,
        "total_ms": answer.total_ms if answer else None,
        "error": error,
    }
