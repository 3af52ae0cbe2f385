from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.progress import Point, Progress, read_curve


def point(step: int, loss: float | None = 1.0, heldout: float | None = None) -> Point:
    return Point("sft", step, 10, loss, heldout, 1e-3, 100 * step, 50.0)


def now(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    return found


def test_the_summary_follows_once_a_second_and_the_curve_every_step(tmp_path: Path) -> None:
    clock = [1000.0]
    progress = Progress(tmp_path / "run", lambda: clock[0])
    progress.state("training", steps=10)
    progress.point(point(1), 90.0)
    assert now(tmp_path / "run")["step"] == 0
    clock[0] += 1
    progress.point(point(2, 0.5), 80.04)
    progress.point(point(2, None, 0.7), 80.0)
    found = now(tmp_path / "run")
    assert (found["step"], found["loss"], found["left_s"], found["updated_at"]) == (2, 0.5, 80.0, 1001.0)
    progress.state("done", left_s=0.0)
    found = now(tmp_path / "run")
    assert (found["state"], found["loss"], found["heldout_loss"], found["left_s"]) == ("done", 0.5, 0.7, 0.0)
    assert [one["step"] for one in read_curve(tmp_path / "run" / "progress.jsonl")] == [1, 2, 2]


def test_the_last_step_is_written_at_once(tmp_path: Path) -> None:
    progress = Progress(tmp_path, lambda: 5.0)
    progress.state("training")
    progress.point(point(10), 0.0)
    assert now(tmp_path)["step"] == 10


def test_the_curve_goes_back_with_the_run_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    for step in range(1, 6):
        progress.point(point(step), None)
    with (tmp_path / "progress.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 6, "lo')
    progress.rewind(3)
    assert [one["step"] for one in read_curve(tmp_path / "progress.jsonl")] == [1, 2, 3]
    assert read_curve(tmp_path / "none") == []
