from __future__ import annotations

import json
from pathlib import Path

import pytest

from training import recipe as recipes
from training.errors import RecipeError
from training.recipe import Recipe

SMALL, BIG = 135_000_000, 7_000_000_000


def test_the_learning_rate_follows_the_size_of_the_base() -> None:
    assert Recipe().sized(SMALL).lr > Recipe().sized(1_500_000_000).lr > Recipe().sized(BIG).lr
    assert Recipe().sized(SMALL).dpo_lr < Recipe().sized(SMALL).lr
    assert Recipe(lr=3e-4).sized(SMALL).lr == 3e-4


@pytest.mark.parametrize("parameters", [SMALL, 1_500_000_000, BIG])
def test_the_defaults_are_usual(parameters: int) -> None:
    assert recipes.warnings(Recipe().sized(parameters), parameters, rows=500) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"rank": 4, "alpha": 8}, "rank"),
        ({"rank": 128, "alpha": 128}, "rank"),
        ({"alpha": 300}, "alpha"),
        ({"epochs": 9}, "epochs"),
        ({"lr": 5e-3}, "forgets"),
        ({"lr": 1e-6}, "hardly"),
        ({"effective_batch": 1}, "batch"),
        ({"method": "sft+dpo", "beta": 2.0}, "beta"),
        ({"method": "dpo"}, "dpo alone"),
    ],
)
def test_what_is_unusual_is_said_with_its_reason(changes: dict[str, object], word: str) -> None:
    told = recipes.warnings(recipes.from_dict(changes).sized(SMALL), SMALL, rows=500, pairs=500)
    assert len(told) == 1
    assert word in told[0]


def test_little_data_is_said() -> None:
    assert "not enough evidence" in recipes.warnings(Recipe().sized(SMALL), SMALL, rows=40)[0]
    assert len(recipes.warnings(Recipe(method="sft+dpo").sized(SMALL), SMALL, rows=400, pairs=3)) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"ranks": 8}, {"method": "kto"}, {"rank": "8"}, {"rank": True}, {"rank": 0}, {"lr": -1.0}, {"clip_norm": 0},
        {"warmup_share": 1.0}, {"seed": 1.5},
    ],
)  # fmt: skip
def test_impossible_recipes_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(RecipeError):
        recipes.from_dict(values)


def test_reads_a_file_that_also_serves_prepare(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"_note": "why", "rank": 32, "lr": 1, "prepare": {"replay": None}}), encoding="utf-8")
    assert recipes.read(path) == Recipe(rank=32, lr=1.0)
    path.write_text(json.dumps({"train": {"epochs": 3}, "prepare": {}}), encoding="utf-8")
    assert recipes.read(path) == Recipe(epochs=3)
    assert recipes.read(None) == Recipe()
    assert recipes.from_dict(Recipe(rank=8).as_dict()) == Recipe(rank=8)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.json"
    with pytest.raises(RecipeError, match="cannot read"):
        recipes.read(path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError):
        recipes.read(path)


def test_stages_in_order() -> None:
    assert Recipe(method="sft+dpo").stages == ("sft", "dpo")
