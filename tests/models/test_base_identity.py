import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from models.base_identity import DIGESTS, BaseIdentity
from models.prompt import template_digest
from models.tensors import BadTensors
from tests.adapter_files import SMALL, safetensors_bytes


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "small"
    folder.mkdir()
    tensors = {f"{name}.weight": np.zeros((out, into), np.float32) for name, out, into in SMALL.linears()}
    half = len(tensors) // 2
    for number, names in enumerate((list(tensors)[:half], list(tensors)[half:])):
        part = {name: tensors[name] for name in names} | {f"model.norm{number}.weight": np.ones(8, np.float32)}
        (folder / f"model-{number}.safetensors").write_bytes(safetensors_bytes(part))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps({"_name_or_path": "org/small"}))
    return folder


def test_sizes_of_linear_layers_and_three_digests(weights: Path):
    base = BaseIdentity.of(weights)
    assert dict(base.shapes) == {name: (out, into) for name, out, into in SMALL.linears()}
    assert tuple(base.digests) == DIGESTS
    assert base.digests["tokenizer_sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert base.digests["template_sha256"] == template_digest()
    assert BaseIdentity.of(weights) == base


def test_another_byte_of_any_weights_file_is_another_base(weights: Path):
    before = BaseIdentity.of(weights).digests["weights_sha256"]
    path = weights / "model-1.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert BaseIdentity.of(weights).digests["weights_sha256"] != before


def test_digests_are_remembered_and_a_cache_that_cannot_be_written_does_no_harm(weights: Path, tmp_path: Path):
    base = BaseIdentity.of(weights)
    notes = list((tmp_path / "cache" / "digests").iterdir())
    assert len(notes) == 3
    for note in notes:
        note.write_text("0" * 64)
    assert BaseIdentity.of(weights).digests["tokenizer_sha256"] == "0" * 64
    for note in notes:
        note.write_text("damaged")
    assert BaseIdentity.of(weights) == base
    for note in notes:
        note.unlink()
    (tmp_path / "cache" / "digests").rmdir()
    (tmp_path / "cache" / "digests").write_text("a file where a folder should be")
    assert BaseIdentity.of(weights) == base


def test_it_is_named_by_the_caller_its_manifest_its_configuration_or_its_folder(weights: Path):
    assert BaseIdentity.of(weights, "served").name == "served"
    assert BaseIdentity.of(weights).name == "org/small"
    (weights / "manifest.json").write_text(json.dumps({"model": "org/of-the-manifest"}))
    assert BaseIdentity.of(weights).name == "org/of-the-manifest"
    (weights / "manifest.json").write_text("[]")
    (weights / "config.json").write_text("{}")
    assert BaseIdentity.of(weights).name == "small"


def test_links_of_the_hubs_cache_are_followed(weights: Path, tmp_path: Path):
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in weights.iterdir():
        (snapshot / path.name).symlink_to(path)
    assert BaseIdentity.of(snapshot, "x") == BaseIdentity.of(weights, "x")


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    with pytest.raises(BadTensors, match="holds no safetensors"):
        BaseIdentity.of(tmp_path)
    with pytest.raises(FileNotFoundError):
        BaseIdentity.of(tmp_path / "nothing")
