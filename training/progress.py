"""How far a run is: one small JSON file that is always whole, and a line per step for curves."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.checkpoints import write_whole

WRITE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a curve; ``heldout_loss`` only where it was measured."""

    stage: str
    step: int  # over all stages
    steps: int
    loss: float | None
    heldout_loss: float | None
    lr: float
    tokens: int  # trained so far
    tokens_per_s: float


class Progress:
    """Keeps ``progress.json`` and ``progress.jsonl`` of a run folder up to date; ``clock`` gives Unix seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._now = folder / "progress.json"
        self._curve = folder / "progress.jsonl"
        self._clock = clock
        self._written_at = 0.0
        self._fields: dict[str, Any] = {
            "state": "starting", "stage": None, "step": 0, "steps": 0, "loss": None, "heldout_loss": None,
            "tokens": 0, "tokens_per_s": None, "left_s": None,
        }  # fmt: skip

    def state(self, name: str, **fields: Any) -> None:
        """Say what the run is doing: starting, training, evaluating, writing, done, stopped or failed."""
        self._fields.update(fields, state=name)
        self._write()

    def point(self, point: Point, left_s: float | None) -> None:
        """Add one step to the curve and refresh the summary, which is written once a second at most."""
        values = dataclasses.asdict(point)
        with self._curve.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**values, "at": round(self._clock(), 3)}) + "\n")
        measured = {k: v for k, v in values.items() if v is not None}
        self._fields.update(measured, left_s=None if left_s is None else round(left_s, 1))
        if self._clock() - self._written_at >= WRITE_EVERY_S or point.step == point.steps:
            self._write()

    def rewind(self, step: int) -> None:
        """Forget points after ``step``: the run goes on from a checkpoint, and the curve with it."""
        points = read_curve(self._curve)
        if any(point["step"] > step for point in points):
            kept = [point for point in points if point["step"] <= step]
            write_whole(self._curve, "".join(json.dumps(point) + "\n" for point in kept))

    def _write(self) -> None:
        self._written_at = self._clock()
        write_whole(self._now, json.dumps({**self._fields, "updated_at": round(self._written_at, 3)}) + "\n")


def read_curve(path: Path) -> list[dict[str, Any]]:
    """The points of ``progress.jsonl``; a last line cut by a crash is left out."""
    if not path.is_file():
        return []
    points = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            points.append(json.loads(line))
        except ValueError:
            break
    return points
