from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.training.tiny import row, tiny_base
from training import lora
from training.batches import Encoder
from training.lora import LoraTrainee
from training.recipe import Recipe
from training.stages import AnswerStage, PreferenceStage

RECIPE = Recipe(rank=4, alpha=8, precision="fp32", chosen_nll=0.0, lr=1e-2, dpo_lr=1e-3, epochs=3, dpo_epochs=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def model(base: Path) -> LoraTrainee:
    on = lora.machine(RECIPE, threads=1)
    return LoraTrainee(lora.open_base(base, RECIPE, on), RECIPE, on)


def test_the_answer_loss_is_a_mean_over_rows_by_weight(base: Path, model: LoraTrainee) -> None:
    encoder = Encoder(base / "tokenizer.json", max_tokens=1000)
    (light,), _ = encoder.rows([row(1)])
    (heavy,), _ = encoder.rows([row(1, weight=3.0)])
    stage = AnswerStage([light, heavy], [light], RECIPE)
    alone = stage.heldout(model)
    assert alone is not None
    assert float(stage.losses(model, [light, heavy]).detach()) == pytest.approx(4 * alone, rel=1e-4)
    assert stage.weight([light, heavy]) == 4.0
    assert (stage.lr, stage.epochs) == (1e-2, 3)
    assert AnswerStage([light], [], RECIPE).heldout(model) is None


def test_an_untouched_adapter_has_no_preference(base: Path, model: LoraTrainee) -> None:
    pairs, _ = Encoder(base / "tokenizer.json", max_tokens=1000).pairs([row(i) for i in range(3)])
    stage = PreferenceStage(pairs, pairs[:2], RECIPE)
    stage.prepare(model)
    assert stage.heldout(model) == pytest.approx(math.log(2), abs=1e-4)
    assert (stage.lr, stage.epochs, stage.weight(pairs)) == (1e-3, 2, 3.0)


def test_preferences_move_the_answers_apart(base: Path, model: LoraTrainee) -> None:
    pairs, _ = Encoder(base / "tokenizer.json", max_tokens=1000).pairs([row(i) for i in range(4)])
    stage = PreferenceStage(pairs, pairs, RECIPE)
    stage.prepare(model)
    optimizer = torch.optim.AdamW(model.weights, lr=1e-2)
    for _ in range(10):
        stage.losses(model, pairs).backward()
        optimizer.step()
        optimizer.zero_grad()
    after = stage.heldout(model)
    assert after is not None
    assert after < 0.6


def test_the_chosen_answer_may_count_by_itself(base: Path, model: LoraTrainee) -> None:
    pairs, _ = Encoder(base / "tokenizer.json", max_tokens=1000).pairs([row(1)])
    held = Recipe(rank=4, alpha=8, precision="fp32", chosen_nll=0.5)
    plain, kept = PreferenceStage(pairs, pairs, RECIPE), PreferenceStage(pairs, pairs, held)
    answers = AnswerStage([pairs[0].chosen], [pairs[0].chosen], RECIPE)
    for stage in (plain, kept):
        stage.prepare(model)
    found = [stage.heldout(model) for stage in (plain, kept, answers)]
    assert found[1] == pytest.approx(found[0] + 0.5 * found[2], rel=1e-4)
