"""Frozen sets of rows that every adapter has to answer besides its own held-out ones.

A suite is a JSONL file whose name is the suite's; beside it ``MANIFEST.json`` holds the SHA-256 of every file, so that
nobody improves a score by editing the questions. A file without a manifest beside it is a shop's own suite.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.checks import faults
from training.errors import TrainingError
from training.scoring import HANDOFF

MANIFEST: Final = "MANIFEST.json"
NEEDED: Final = ("id", "behaviour", "messages", "target", "conversation")
BEHAVIOURS: Final = frozenset({"grounded", "refusal", "handoff", "tool_call", "tool_ask", "chat", "style", "general"})
MOST_FAULTS: Final = 10  # told at once

Row = dict[str, Any]


class BadSuite(TrainingError):
    """A file of rows cannot be used; ``faults`` says all that is wrong, one line each."""

    def __init__(self, path: Path, found: list[str]) -> None:
        shown = "; ".join(found[:MOST_FAULTS])
        super().__init__(f"{path}: {shown}{' …' if len(found) > MOST_FAULTS else ''}")
        self.faults = found


@dataclass(frozen=True, slots=True)
class Suite:
    """A set with its name, the digest of its file, and its rows."""

    name: str
    sha256: str
    rows: tuple[Row, ...]


def load(path: Path) -> Suite:
    """One suite. Raises BadSuite when a row is at fault or the file is not the frozen one."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    manifest = path.parent / MANIFEST
    found: list[str] = []
    if manifest.is_file():
        frozen = json.loads(manifest.read_text(encoding="utf-8")).get("sha256", {}).get(path.name)
        if frozen is not None and frozen != digest:
            found.append(f"the file was changed (it is {digest[:12]}, frozen is {frozen[:12]}); restore it")
    rows = parsed(data.decode("utf-8"), found)
    if found:
        raise BadSuite(path, found)
    return Suite(path.stem, digest, tuple(rows))


def load_rows(path: Path) -> list[Row]:
    """Rows of a held-out file. Raises BadSuite."""
    found: list[str] = []
    rows = parsed(path.read_text(encoding="utf-8"), found)
    if found:
        raise BadSuite(path, found)
    return rows


def folder(path: Path) -> list[Suite]:
    """Every suite of a folder in the order of their names. Raises BadSuite, also when a frozen file is missing."""
    manifest = path / MANIFEST
    listed = json.loads(manifest.read_text(encoding="utf-8"))["sha256"] if manifest.is_file() else {}
    missing = [name for name in listed if not (path / name).is_file()]
    if missing:
        raise BadSuite(path, [f"{name} is missing; restore it" for name in missing])
    return [load(file) for file in sorted(path.glob("*.jsonl"))]


def parsed(text: str, found: list[str]) -> list[Row]:
    """The rows of JSONL text; what is wrong with them is added to ``found``."""
    rows: list[Row] = []
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            found.append(f"line {number} is no JSON ({error})")
            continue
        found += [f"line {number}: {fault}" for fault in row_faults(row, seen)]
        rows.append(row)
    return rows


def row_faults(row: object, seen: set[str]) -> list[str]:
    """What is wrong with one row; its id is added to ``seen``."""
    if not isinstance(row, dict):
        return ["is not an object"]
    missing = [name for name in NEEDED if not row.get(name)]
    if missing:
        return [f"lacks {', '.join(missing)}"]
    found = [f"id {row['id']!r} stands twice"] if row["id"] in seen else []
    seen.add(row["id"])
    if row["behaviour"] not in BEHAVIOURS:
        found.append(f"behaviour {row['behaviour']!r} is none of {', '.join(sorted(BEHAVIOURS))}")
    if row["messages"][-1].get("role") not in {"user", "tool"}:
        found.append("the last message has to be the customer's or a tool's")
    return found + _target_faults(row) + faults(row.get("checks") or {})


def _target_faults(row: Mapping[str, Any]) -> list[str]:
    calls = row["target"].get("tool_calls") or []
    offered = {tool.get("name") for tool in row.get("tools") or ()}
    found = [
        f"the target calls {call.get('name')!r}, which is not among the tools"
        for call in calls
        if call.get("name") not in offered
    ]
    if row["behaviour"] == "tool_call" and not calls:
        found.append("a tool_call row needs a call as its target")
    if row["behaviour"] == "handoff" and HANDOFF not in offered and not calls:
        found.append(f"a handoff row needs {HANDOFF} among its tools")
    return found
