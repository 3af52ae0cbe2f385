from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.base_identity import BaseIdentity
from tests.training.made import given as example
from tests.training.made import save
from tests.training.tiny import tiny_base
from training import recipe as recipes
from training.commands import all as whole


def test_a_server_needs_a_folder_to_find_the_adapter_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--examples", "e", "--base", "b", "--out", str(tmp_path), "--url", "http://127.0.0.1:1/v1"]
    assert whole.main(given) == 2
    assert "--publish" in capsys.readouterr().err


def test_the_first_failure_ends_the_run(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    given = ["--examples", str(tmp_path / "none.jsonl"), "--base", str(base), "--out", str(tmp_path / "run")]
    assert whole.main(given) == 2
    assert not (tmp_path / "run" / "progress.json").exists()


def test_examples_in_adapter_out(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    examples = save(tmp_path / "examples.jsonl", [example(number) for number in range(60)])
    chosen = {"rank": 4, "alpha": 8, "epochs": 1, "effective_batch": 16, "evaluations": 1}
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(chosen), encoding="utf-8")
    given = ["--examples", str(examples), "--base", str(base), "--out", str(tmp_path / "run"), "--threads", "1"]
    assert whole.main([*given, "--recipe", str(recipe), "--base-name", "served"]) == 0
    manifest = json.loads((tmp_path / "run" / "adapter" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["base"]["name"] == "served"
    assert manifest["base"]["weights_sha256"] == BaseIdentity.of(base).digests["weights_sha256"]
    assert manifest["rank"] == recipes.read(recipe).rank
    assert (tmp_path / "run" / "dataset" / "heldout.jsonl").is_file()
