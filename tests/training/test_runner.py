from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.tiny import row, tiny_base, tiny_dataset
from training.errors import ForeignCheckpoint, Stopped, TrainingError
from training.order import Order
from training.recipe import Recipe
from training.runner import load, probe, train

RECIPE = Recipe(rank=4, alpha=8, precision="fp32", epochs=1, effective_batch=8, evaluations=0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    tiny_base(folder / "base")
    tiny_dataset(folder / "dataset")
    return folder


def test_rows_left_out_and_unusual_settings_come_with_the_adapter(place: Path, tmp_path: Path) -> None:
    dataset = tiny_dataset(tmp_path / "dataset")
    with (dataset / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row(99, target={"content": "long " * 1000})) + "\n")
    done = train(Order(dataset, place / "base", tmp_path / "run", RECIPE, threads=1))
    assert any("rank 4" in text for text in done.warnings)
    assert any(text.startswith("1 rows were left out") for text in done.warnings)
    manifest = json.loads((done.adapter / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["metrics"]["rows_left_out"] == 1
    assert manifest["recipe"]["lr"] == RECIPE.sized(5000).lr
    assert "rank 4" in (done.adapter / "README.md").read_text(encoding="utf-8")


def test_a_run_folder_belongs_to_one_data_set_and_recipe(place: Path, tmp_path: Path) -> None:
    calls = iter([False, True])
    with pytest.raises(Stopped):
        train(Order(place / "dataset", place / "base", tmp_path, RECIPE, threads=1, stop=lambda: next(calls)))
    other = Recipe(rank=8, alpha=8, precision="fp32", epochs=1, effective_batch=8, evaluations=0)
    with pytest.raises(ForeignCheckpoint):
        train(Order(place / "dataset", place / "base", tmp_path, other, threads=1))
    state = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))
    assert (state["state"], "another data set" in state["reason"]) == ("failed", True)
    assert train(Order(place / "dataset", place / "base", tmp_path, RECIPE, threads=1)).adapter.is_dir()


def test_stages_follow_the_method(place: Path, tmp_path: Path) -> None:
    both = Recipe(method="sft+dpo", rank=4, alpha=8, precision="fp32")
    ready = load(Order(place / "dataset", place / "base", tmp_path, both, threads=1))
    assert [(stage.name, len(stage.items)) for stage in ready.stages] == [("sft", 24), ("dpo", 24)]


def test_nothing_to_train_or_to_time_is_said(place: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="nothing to train sft"):
        train(Order(tmp_path / "empty", place / "base", tmp_path / "run", RECIPE, threads=1))
    small = tiny_dataset(tmp_path / "small", rows=2)
    with pytest.raises(TrainingError, match="too few steps"):
        probe(Order(small, place / "base", tmp_path / "probe", RECIPE, threads=1))
