from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.tiny import row, tiny_base, tiny_dataset
from training import lora
from training.batches import Encoder, read_rows
from training.checkpoints import Checkpoints
from training.errors import Stopped, TrainingError
from training.fit import Fit, Fitted, learning_rate
from training.lora import LoraTrainee
from training.order import never
from training.progress import Progress, read_curve
from training.recipe import Recipe
from training.stages import AnswerStage, PreferenceStage, Stage

RECIPE = Recipe(
    method="sft+dpo", rank=4, alpha=8, precision="fp32", lr=1e-2, dpo_lr=1e-3, epochs=2, effective_batch=6,
    evaluations=4, patience=0, token_budget=300,
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_dataset(tmp_path_factory.mktemp("dataset"))


def made(
    base: Path, dataset: Path, run: Path, recipe: Recipe = RECIPE, stop: Callable[[], bool] = never, every_s: float = 60
) -> Fit:
    on = lora.machine(recipe, threads=1)
    model = LoraTrainee(lora.open_base(base, recipe, on), recipe, on)
    encoder = Encoder(base / "tokenizer.json", max_tokens=1000)
    parts = {name: read_rows(dataset / f"{name}.jsonl") for name in ("train", "heldout")}
    rows = {name: encoder.rows(part)[0] for name, part in parts.items()}
    pairs = {name: encoder.pairs(part)[0] for name, part in parts.items()}
    stages: list[Stage[Any]] = []
    if "sft" in recipe.stages:
        stages.append(AnswerStage(rows["train"], rows["heldout"], recipe))
    if "dpo" in recipe.stages:
        stages.append(PreferenceStage(pairs["train"], pairs["heldout"], recipe))
    checkpoints = Checkpoints(run / "checkpoints", "mark")
    return Fit(model, stages, recipe, checkpoints, Progress(run), stop=stop, checkpoint_every_s=every_s)


def after(calls: int) -> Callable[[], bool]:
    """Ask to stop from the given micro-batch on."""
    seen = [0]

    def stop() -> bool:
        seen[0] += 1
        return seen[0] > calls

    return stop


def test_learns_the_answer_and_tells_its_way(base: Path, dataset: Path, tmp_path: Path) -> None:
    fit = made(base, dataset, tmp_path)
    done = fit.run()
    losses = {stage: [p["loss"] for p in done.heldout if p["stage"] == stage] for stage in ("sft", "dpo")}
    assert losses["sft"][-1] < losses["sft"][0] - 0.03
    assert losses["dpo"][-1] < losses["dpo"][0]
    assert done.steps == 8 + 4
    curve = read_curve(tmp_path / "progress.jsonl")
    assert [p["step"] for p in curve if p["loss"] is not None] == list(range(1, 13))
    assert done.tokens == curve[-1]["tokens"]
    assert 0 < done.supervised_tokens < done.tokens


@pytest.mark.parametrize("at", [1, 8, 17, 33, 40])
def test_a_stopped_run_goes_on_to_the_same_weights_and_curve(
    base: Path, dataset: Path, tmp_path: Path, at: int
) -> None:
    whole = made(base, dataset, tmp_path / "whole")
    done = whole.run()
    with pytest.raises(Stopped):
        made(base, dataset, tmp_path / "cut", stop=after(at)).run()
    assert json.loads((tmp_path / "cut" / "progress.json").read_text(encoding="utf-8"))["state"] == "stopped"
    resumed = made(base, dataset, tmp_path / "cut")
    again = resumed.run()
    same(whole, done, resumed, again)
    curves = [
        [(p["step"], p["loss"], p["heldout_loss"]) for p in read_curve(tmp_path / run / "progress.jsonl")]
        for run in ("whole", "cut")
    ]
    assert curves[0] == curves[1]


def test_the_same_recipe_gives_the_same_adapter(base: Path, dataset: Path, tmp_path: Path) -> None:
    one, other = made(base, dataset, tmp_path / "1"), made(base, dataset, tmp_path / "2", every_s=0)
    same(one, one.run(), other, other.run())


def same(one: Fit, done: Fitted, other: Fit, again: Fitted) -> None:
    first, second = one.model.state(), other.model.state()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (done.steps, done.tokens, done.heldout) == (again.steps, again.tokens, again.heldout)


def test_a_stage_ends_early_and_keeps_its_best_weights(base: Path, dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "dataset"
    shutil.copytree(dataset, other)
    unlike = [row(i, target={"content": "\t\t\t\t"}) for i in range(6)]
    (other / "heldout.jsonl").write_text("".join(json.dumps(one) + "\n" for one in unlike), encoding="utf-8")
    steep = Recipe(
        rank=4, alpha=8, precision="fp32", lr=5e-2, epochs=5, effective_batch=6, evaluations=10, patience=2
    )  # fmt: skip
    fit = made(base, other, tmp_path / "run", steep)
    done = fit.run()
    assert done.ended_early
    assert done.steps < 20
    best = min(point["loss"] for point in done.heldout)
    kept = fit.stages[0].heldout(fit.model)
    assert kept == pytest.approx(best, abs=1e-5)


def test_a_loss_that_is_no_number_ends_the_run(base: Path, dataset: Path, tmp_path: Path) -> None:
    fit = made(base, dataset, tmp_path, Recipe(rank=4, alpha=8, precision="fp32", lr=1e-2, evaluations=0))
    with torch.no_grad():
        fit.model.weights[0].fill_(float("nan"))
    with pytest.raises(TrainingError, match="lower the learning rate"):
        fit.run()


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [learning_rate(step, 100, 1.0, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    assert learning_rate(0, 1, 1.0, 0.1) == 1.0
