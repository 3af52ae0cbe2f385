from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from models.prompt import template_digest
from tests.training.tiny import tiny_base
from training.errors import TrainingError
from training.output import base_identity, dataset_digest, signature, write_adapter

FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights"}


def manifest(**more: Any) -> dict[str, Any]:
    base = {"name": "b", "weights_sha256": "1", "tokenizer_sha256": "2", "template_sha256": "3"}
    made = {"base": base, "dataset_sha256": "4", "recipe": {"method": "sft"}, "rank": 1, "alpha": 2}
    return {**made, "metrics": {}, "parents": [], **more}


def save(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def test_the_folder_appears_whole_with_the_digest_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "adapter.partial").mkdir()  # of a killed run
    (tmp_path / "adapter.partial" / "rest").write_text("x", encoding="utf-8")
    target = write_adapter(tmp_path / "adapter", save, manifest(), warnings=["odd"])
    found = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert set(found["files"]) == {*FILES, "README.md"}
    for name, digest in found["files"].items():
        assert hashlib.sha256((target / name).read_bytes()).hexdigest() == digest
    assert "signature" not in found
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o644}


def test_an_older_adapter_is_replaced_and_a_failed_one_leaves_it(tmp_path: Path) -> None:
    target = write_adapter(tmp_path / "adapter", save, manifest())
    (target / "old").write_text("x", encoding="utf-8")

    def fails(folder: Path) -> None:
        save(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_adapter(target, fails, manifest())
    assert (target / "old").exists()
    write_adapter(target, save, manifest())
    assert not (target / "old").exists()


def test_a_key_signs_the_manifest(tmp_path: Path) -> None:
    target = write_adapter(tmp_path / "adapter", save, manifest(), key=b"secret")
    found = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert found["signature"] == signature(found, b"secret") != signature(found, b"other")
    assert signature({**found, "rank": 9}, b"secret") != found["signature"]


def test_the_base_is_named_and_digested(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    found = base_identity(base)
    assert (found["name"], found["template_sha256"]) == ("example/tiny", template_digest())
    assert found["tokenizer_sha256"] == hashlib.sha256((base / "tokenizer.json").read_bytes()).hexdigest()
    assert base_identity(base, "served")["name"] == "served"
    with pytest.raises(TrainingError, match="as a base"):
        base_identity(tmp_path / "none")


def test_the_data_sets_digest_follows_its_files(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("1\n", encoding="utf-8")
    first = dataset_digest(tmp_path)
    (tmp_path / "card.md").write_text("words", encoding="utf-8")
    assert dataset_digest(tmp_path) == first
    (tmp_path / "heldout.jsonl").write_text("2\n", encoding="utf-8")
    assert dataset_digest(tmp_path) != first
