from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.checkpoints import COMPLETE, KEEP, STATE, Checkpoints, write_whole
from training.errors import ForeignCheckpoint


def state(number: int) -> dict[str, object]:
    return {"position": {"step": number}, "weights": {"a": torch.full((3,), float(number))}, "best": None}


def test_the_newest_complete_state_comes_back_and_old_ones_go(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c", "mark")
    assert checkpoints.latest() is None
    for number in range(1, 6):
        checkpoints.save(number, state(number))
    found = checkpoints.latest()
    assert found is not None
    assert found["position"] == {"step": 5}
    assert torch.equal(found["weights"]["a"], torch.full((3,), 5.0))
    assert len(list((tmp_path / "c").iterdir())) == KEEP


@pytest.mark.parametrize("harm", ["no mark", "cut state", "other state", "cut mark", "wrong mark"])
def test_a_half_written_or_damaged_one_is_passed_over(tmp_path: Path, harm: str) -> None:
    checkpoints = Checkpoints(tmp_path, "mark")
    checkpoints.save(1, state(1))
    newest = checkpoints.save(2, state(2))
    if harm == "no mark":
        (newest / COMPLETE).unlink()
    elif harm == "cut state":
        (newest / STATE).write_bytes((newest / STATE).read_bytes()[:-50])
    elif harm == "other state":
        (newest / STATE).write_bytes(b"x" * 100)
    elif harm == "cut mark":
        (newest / COMPLETE).write_text('{"sha', encoding="utf-8")
    else:
        (newest / COMPLETE).write_text("[]", encoding="utf-8")
    (tmp_path / ".tmp-killed").mkdir()
    found = checkpoints.latest()
    assert found is not None
    assert found["position"] == {"step": 1}
    assert not (tmp_path / ".tmp-killed").exists()


def test_another_runs_checkpoints_are_not_taken(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "mark").save(1, state(1))
    with pytest.raises(ForeignCheckpoint, match="another data set"):
        Checkpoints(tmp_path, "other").latest()


def test_the_same_step_may_be_saved_again(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "mark")
    checkpoints.save(1, state(1))
    checkpoints.save(1, state(9))
    found = checkpoints.latest()
    assert found is not None
    assert found["position"] == {"step": 9}
    checkpoints.clear()
    assert not tmp_path.exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_whole(path, "[1]")
    write_whole(path, json.dumps([2]))
    assert path.read_text(encoding="utf-8") == "[2]"
    assert [one.name for one in tmp_path.iterdir()] == ["f.json"]
