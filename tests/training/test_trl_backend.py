from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from models.adapter_check import check
from models.base_identity import BaseIdentity
from tests.training.tiny import row, tiny_base, tiny_dataset
from training import trl_backend
from training.batches import Encoder
from training.errors import MissingLibrary, Stopped, TrainingError
from training.order import Order
from training.progress import read_curve
from training.recipe import Recipe
from training.runner import train

RECIPE = Recipe(
    method="sft+dpo", backend="trl", rank=4, alpha=8, precision="fp32", lr=1e-2, dpo_lr=1e-3, epochs=1,
    effective_batch=8, evaluations=0,
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("default")  # what its own libraries warn about is not this project's


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    tiny_base(folder / "base")
    tiny_dataset(folder / "dataset", rows=16)
    return folder


def test_the_same_recipe_in_the_same_layout_out(place: Path, tmp_path: Path) -> None:
    done = train(Order(place / "dataset", place / "base", tmp_path, RECIPE, threads=1))
    assert check(done.adapter, BaseIdentity.of(place / "base"), max_rank=8) == []
    manifest = json.loads((done.adapter / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["recipe"]["backend"], manifest["metrics"]["steps"], manifest["rank"]) == ("trl", 2 + 2, 4)
    assert any("counted alike" in text for text in done.warnings)
    curve = read_curve(tmp_path / "progress.jsonl")
    assert [(p["stage"], p["step"]) for p in curve] == [("sft", 1), ("sft", 2), ("dpo", 1), ("dpo", 2)]
    assert json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))["state"] == "done"


def test_it_stops_where_asked(place: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(Order(place / "dataset", place / "base", tmp_path, RECIPE, threads=1, stop=lambda: True))
    assert not (tmp_path / "adapter").exists()


def test_nothing_to_train_on_is_said(place: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    with pytest.raises(TrainingError, match="nothing to train sft"):
        train(Order(tmp_path / "dataset", place / "base", tmp_path / "run", RECIPE, threads=1))


def test_without_the_library_the_message_says_how_to_get_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(MissingLibrary, match="pip install 'trl"):
        train(Order(place / "dataset", place / "base", tmp_path, RECIPE, threads=1))


def test_columns_are_rendered_here(place: Path) -> None:
    encoder = Encoder(place / "base" / "tokenizer.json", max_tokens=1000)
    made = trl_backend.preference_columns(encoder, row(1))
    assert made["prompt"].endswith("<|im_start|>assistant\n")
    assert (made["chosen"], made["rejected"]) == ("On its way. Bye, Ann<|im_end|>", "no idea<|im_end|>")
    encoded = encoder.encode(row(1), row(1)["target"])
    columns = trl_backend.answer_columns(encoded)
    assert sum(columns["completion_mask"]) == encoded.answer_tokens
    assert len(columns["completion_mask"]) == len(columns["input_ids"]) == encoded.tokens
