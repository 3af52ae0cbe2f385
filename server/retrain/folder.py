"""The folder of a run: its files by name, written whole, and cleared of people who are erased.

RUN/examples.jsonl  recipe.json  dataset/  checkpoints/  progress.json  progress.jsonl  adapter/  evaluation/
RUN/advice.json  report.json  report.html  <stage>.log
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIDES = ("train", "heldout")
WITH_WORDS = ("examples.jsonl", "dataset/*.jsonl", "evaluation/*.jsonl")  # files with what people said, a row per line
DERIVED = ("dataset/*.parquet", "report.html", "checkpoints")  # made from them; made again, or not needed any more


@dataclass(frozen=True, slots=True)
class Folder:
    """One run's files."""

    path: Path

    @property
    def examples(self) -> Path:
        """Approved rows as exported."""
        return self.path / "examples.jsonl"

    @property
    def recipe(self) -> Path:
        """Settings of prepare and train, where there are some of this run."""
        return self.path / "recipe.json"

    @property
    def dataset(self) -> Path:
        """What prepare made."""
        return self.path / "dataset"

    @property
    def adapter(self) -> Path:
        """What train made; there only when it is whole."""
        return self.path / "adapter"

    @property
    def report(self) -> Path:
        """What the gate said."""
        return self.path / "report.json"

    @property
    def advice(self) -> Path:
        """What "should we tune?" said."""
        return self.path / "advice.json"

    def answers(self, subject: str) -> Path:
        """Generations of base, live or candidate."""
        return self.path / "evaluation" / f"{subject}.jsonl"

    def make(self) -> None:
        """Make the folder, readable by its owner only: it holds customers' words."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.path / "evaluation").mkdir(exist_ok=True)

    def manifest(self) -> dict[str, Any]:
        """The dataset's manifest; empty where there is none."""
        return read_json(self.dataset / "manifest.json")

    def sides(self) -> Iterator[tuple[str, str]]:
        """Id and side of every row that prepare kept."""
        for side in SIDES:
            for row in read_rows(self.dataset / f"{side}.jsonl"):
                yield str(row.get("id", "")), side

    def curve(self, count: int) -> list[dict[str, Any]]:
        """The last points of the loss curve."""
        return list(read_rows(self.path / "progress.jsonl"))[-count:]


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner only: aside, flushed to the disk, renamed."""
    aside = path.with_name(f"{path.name}.partial")
    with open(aside, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, whole or not at all."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file; empty where the file is missing or is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def last_object(path: Path) -> dict[str, Any]:
    """The last line of a log that is a JSON object: what a child printed as its answer; empty where there is none."""
    return next(reversed(list(read_rows(path))), {})


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file's lines; a torn last line is passed over."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def forget(path: Path, customer: str, examples: Collection[str]) -> int:
    """Remove a customer's rows from the files of a run; returns how many lines went. Adapters stay, flagged elsewhere.

    ``examples`` are the ids of the customer's examples: rows that name no customer are known by them.
    """
    gone = 0
    for pattern in WITH_WORDS:
        for file in sorted(path.glob(pattern)):
            rows = list(read_rows(file))
            kept = [row for row in rows if not _of(row, customer, examples)]
            if len(kept) < len(rows):
                gone += len(rows) - len(kept)
                write_rows(file, kept)
    for pattern in DERIVED if gone else ():
        for file in path.glob(pattern):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    return gone


def _of(row: Mapping[str, Any], customer: str, examples: Collection[str]) -> bool:
    asked = row.get("row")
    inner: Mapping[str, Any] = asked if isinstance(asked, dict) else row
    return inner.get("customer") == customer or str(inner.get("id", "")).partition("#")[0] in examples
