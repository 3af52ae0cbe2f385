"""Children: their environment, their ends, and what ends them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from config.training import Training
from server.retrain.children import Children, environment, progress_of, tail
from server.retrain.contract import StageFailed, StopAsked


async def nothing() -> None:
    return None


def children(code: str, clock_s: float = 0.0, **settings: object) -> Children:
    times = iter([0.0, clock_s, clock_s, clock_s])
    training = Training.model_validate({"progress_s": 0.05, "nice": 0, "tries": 2} | settings)
    return Children(training, program=(sys.executable, "-c", code), pause_s=0.0, clock=lambda: next(times, clock_s))


async def test_one_that_keeps_failing_is_told_with_its_last_words(tmp_path: Path):
    code = "import sys; print('first'); print('no space left'); sys.exit(1)"
    with pytest.raises(StageFailed, match=r"status 1: no space left\..*prepare\.log"):
        await children(code).run(tmp_path, "prepare", [], nothing, threads=1)
    assert (tmp_path / "prepare.log").read_text().count("first") == 2


async def test_unusable_input_is_tried_again_only_with_patience(tmp_path: Path):
    for patient, starts in ((False, 1), (True, 2)):
        name = f"evaluate-{patient}"
        with pytest.raises(StageFailed):
            await children("print('x'); exit(2)").run(tmp_path, name, [], nothing, threads=1, patient=patient)
        assert (tmp_path / f"{name}.log").read_text().count("x") == starts


async def test_other_ends_may_be_good_ones(tmp_path: Path):
    ends = frozenset({0, 3})
    assert await children("exit(3)").run(tmp_path, "gate", [], nothing, threads=1, ends=ends) == 3


async def test_what_the_look_raises_ends_the_child(tmp_path: Path):
    async def stop() -> None:
        raise StopAsked("stopped by ana")

    with pytest.raises(StopAsked):
        await children("import time; time.sleep(60)").run(tmp_path, "train", [], stop, threads=1)


async def test_a_stage_has_its_time(tmp_path: Path):
    with pytest.raises(StageFailed, match="longer than 1 h"):
        await children("import time; time.sleep(60)", 4_000.0, stage_h=1.0).run(
            tmp_path, "train", [], nothing, threads=1
        )


def test_a_child_sees_no_secret_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_MODEL__API_KEY", "canary")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    seen = environment(1, {"TRAINING_DOOR_KEY": "k"})
    assert "canary" not in seen.values()
    assert seen["CUDA_VISIBLE_DEVICES"] == "0"
    assert (seen["OMP_NUM_THREADS"], seen["PYTHONSAFEPATH"], seen["TRAINING_DOOR_KEY"]) == ("1", "1", "k")


def test_progress_and_logs_that_are_not_there(tmp_path: Path) -> None:
    assert progress_of(tmp_path) == {}
    assert tail(tmp_path / "x.log") == "it wrote no log"
    (tmp_path / "x.log").write_text("\n \n")
    assert tail(tmp_path / "x.log") == "its log is empty"
    (tmp_path / "progress.json").write_text("[1]")
    assert progress_of(tmp_path) == {}
