"""The command as job runners start it: real children, killed for real, on a model of a few thousand parameters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.adapter_check import check
from models.base_identity import BaseIdentity
from tests.training.tiny import tiny_base, tiny_dataset
from training.commands import train
from training.progress import read_curve

RECIPE = {
    "method": "sft+dpo", "rank": 8, "alpha": 16, "lr": 1e-2, "dpo_lr": 1e-3, "epochs": 5, "dpo_epochs": 2,
    "effective_batch": 2, "evaluations": 3, "patience": 0,
}  # fmt: skip
DEADLINE_S = 180.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    tiny_base(folder / "base")
    tiny_dataset(folder / "dataset")
    (folder / "recipe.json").write_text(json.dumps(RECIPE), encoding="utf-8")
    return folder


def options(place: Path, run: Path, *more: str) -> list[str]:
    paths = ["--dataset", str(place / "dataset"), "--base", str(place / "base"), "--out", str(run)]
    return [*paths, "--recipe", str(place / "recipe.json"), "--threads", "1", *more]


def start(place: Path, run: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "training", "train", *options(place, run, *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})


def wait_for_steps(child: subprocess.Popen[str], run: Path, steps: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        curve = read_curve(run / "progress.jsonl")
        if curve and curve[-1]["step"] >= steps:
            return
        assert child.poll() is None, child.communicate()
        time.sleep(0.02)
    raise AssertionError(f"no {steps} steps within {DEADLINE_S} s")


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Path:
    assert train.main(options(place, place / "undisturbed")) == 0
    return place / "undisturbed"


def test_a_killed_run_resumes_to_the_weights_of_an_undisturbed_one(place: Path, undisturbed: Path) -> None:
    run = place / "killed"
    for steps in (9, 65):  # in the middle of the first stage, and in the second
        child = start(place, run, "--checkpoint-every", "0")
        wait_for_steps(child, run, steps)
        child.send_signal(signal.SIGKILL)
        assert child.wait(timeout=30) == -signal.SIGKILL
        child.communicate()
        assert not (run / "adapter").exists()
    child = start(place, run)
    out, errors = child.communicate(timeout=DEADLINE_S)
    assert child.returncode == 0, errors
    assert out.splitlines()[-1] == str(run / "adapter")
    assert "run_resumed" in out + errors
    whole, again = (load_file(str(folder / "adapter" / "adapter_model.safetensors")) for folder in (undisturbed, run))
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    curves = [
        [(p["step"], p["loss"], p["heldout_loss"]) for p in read_curve(folder / "progress.jsonl")]
        for folder in (undisturbed, run)
    ]
    assert curves[0] == curves[1]


def test_a_stopped_run_keeps_its_state_and_says_so(place: Path, undisturbed: Path) -> None:
    run = place / "stopped"
    child = start(place, run, "--nice", "5")
    wait_for_steps(child, run, 5)
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == train.EXIT_STOPPED == 75, errors
    assert "goes on from there" in errors
    assert json.loads((run / "progress.json").read_text(encoding="utf-8"))["state"] == "stopped"
    assert train.main(options(place, run)) == 0
    names = [folder / "adapter" / "adapter_model.safetensors" for folder in (undisturbed, run)]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_the_adapter_passes_the_servers_own_check(place: Path, undisturbed: Path) -> None:
    assert check(undisturbed / "adapter", BaseIdentity.of(place / "base"), max_rank=8) == []
    manifest = json.loads((undisturbed / "adapter" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["recipe"]["lr"] == 1e-2
    assert manifest["metrics"]["steps"] == 60 + 24
    assert manifest["base"]["name"] == "example/tiny"
    assert not (undisturbed / "checkpoints").exists()
    done = json.loads((undisturbed / "progress.json").read_text(encoding="utf-8"))
    assert (done["state"], done["step"], done["left_s"]) == ("done", 84, 0.0)


def test_the_recipe_may_lie_in_the_run_folder_and_the_manifest_be_signed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = options(
        place, tmp_path, "--base-name", "served", "--parent", "old", "--sign-key-env", "SIGN", "--export", "jsonl"
    )
    at = given.index("--recipe")
    del given[at : at + 2]
    (tmp_path / "recipe.json").write_text(json.dumps({"epochs": 1, "rank": 8, "alpha": 8}), encoding="utf-8")
    assert train.main(given) == 2
    assert "SIGN is empty" in capsys.readouterr().err
    monkeypatch.setenv("SIGN", "key")
    assert train.main(given) == 0
    manifest = json.loads((tmp_path / "adapter" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["rank"], manifest["parents"], manifest["base"]["name"]) == (8, ["old"], "served")
    assert len(manifest["signature"]) == 64
    assert (tmp_path / "export.jsonl").is_file()


def test_a_probe_estimates_and_keeps_nothing(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(options(place, tmp_path, "--probe")) == 0
    assert "tokens/s" in capsys.readouterr().out
    assert json.loads((tmp_path / "probe.json").read_text(encoding="utf-8"))["steps_timed"] == 20
    assert not (tmp_path / "adapter").exists()
    assert not list(tmp_path.rglob("step-*"))


@pytest.mark.parametrize("missing", ["dataset", "base"])
def test_what_cannot_be_trained_says_why(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    given = options(place, tmp_path / "run")
    given[given.index(f"--{missing}") + 1] = str(tmp_path / "nothing")
    assert train.main(given) == 2
    assert "train: " in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "progress.json").read_text(encoding="utf-8"))["state"] == "failed"
