from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.made import given, save
from training.commands.prepare import main, prepare
from training.rows import read


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return save(tmp_path / "examples.jsonl", [given(number) for number in range(150)])


def test_the_command_writes_the_folder_and_tells_its_figures(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--examples", str(examples), "--out", str(tmp_path / "run" / "dataset")]) == 0
    names = {path.name for path in (tmp_path / "run" / "dataset").iterdir()}
    assert names == {"train.jsonl", "heldout.jsonl", "preferences.jsonl", "preferences_heldout.jsonl", "train.parquet",
                     "manifest.json", "card.md"}  # fmt: skip
    assert "held out" in capsys.readouterr().out


def test_a_later_dataset_keeps_to_an_earlier_one(examples: Path, tmp_path: Path) -> None:
    assert prepare(examples, tmp_path / "one", None, []) == 0
    more = save(tmp_path / "more.jsonl", [given(number) for number in range(250)])
    assert prepare(more, tmp_path / "two", None, [tmp_path / "one" / "manifest.json"]) == 0
    held = {row.conversation for row in read(tmp_path / "one" / "heldout.jsonl")}
    assert not held & {row.conversation for row in read(tmp_path / "two" / "train.jsonl")}
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["parents"]) == 1


def test_bad_lines_are_told_by_number_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "examples.jsonl", [given(0), {"id": "secret"}, given(2)])
    assert prepare(path, tmp_path / "out", None, []) == 2
    assert "line 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "recipe", ['{"prepare": {"no": 1}}', '{"prepare": {"keep": ["("]}}', '{"prepare": {"languages": ["en", "xx"]}}']
)
def test_an_unusable_recipe_ends_it(examples: Path, tmp_path: Path, recipe: str) -> None:
    (tmp_path / "recipe.json").write_text(recipe, encoding="utf-8")
    assert prepare(examples, tmp_path / "out", tmp_path / "recipe.json", []) == 2


def test_no_rows_no_files_and_nothing_left_are_told(
    tmp_path: Path, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = save(tmp_path / "empty.jsonl", [])
    assert prepare(empty, tmp_path / "out", None, []) == 2
    assert prepare(tmp_path / "none.jsonl", tmp_path / "out", None, []) == 2
    (tmp_path / "recipe.json").write_text(
        json.dumps({"prepare": {"exclude": {"conversations": [f"conversation-{n:05}" for n in range(150)]}}}),
        encoding="utf-8",
    )
    assert prepare(examples, tmp_path / "out", tmp_path / "recipe.json", []) == 2
    assert "150 excluded by the recipe" in capsys.readouterr().err


def test_replay_comes_from_the_recipe_or_the_option(examples: Path, tmp_path: Path) -> None:
    save(tmp_path / "replay.jsonl", [given(n + 900, behaviour="general", origin="replay") for n in range(40)])
    (tmp_path / "recipe.json").write_text('{"prepare": {"replay": "replay.jsonl"}}', encoding="utf-8")
    assert prepare(examples, tmp_path / "one", tmp_path / "recipe.json", []) == 0
    assert prepare(examples, tmp_path / "two", None, [], replay=tmp_path / "replay.jsonl") == 0
    assert (tmp_path / "one" / "train.jsonl").read_bytes() == (tmp_path / "two" / "train.jsonl").read_bytes()
    assert any(row.origin == "replay" for row in read(tmp_path / "one" / "train.jsonl"))
