import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from models import convert_gguf
from models.weights import DEMO_PACKAGE

needs_libraries = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("gguf", "torch", "transformers", "numpy")),
    reason="gguf, torch or transformers is not importable; install requirements/demo-cpu.txt",
)


def write_gguf(path: Path) -> None:
    """A llama of one layer and 64 dimensions with a byte vocabulary and SmolLM2's control tokens."""
    gguf = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    width, vocabulary = 64, 260
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(128)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(32)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    letters = [chr(i) for i in range(256, 256 + vocabulary - 3)]
    letters[-2:] = ["12", "ab"]
    letters[:95] = [chr(i) for i in range(33, 127)] + ["\u0120"]
    writer.add_token_list(["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters])
    writer.add_token_types([3, 3, 3] + [1] * len(letters))
    writer.add_token_merges(["1 2", "a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    random = numpy.random.default_rng(0)
    shapes = {
        "token_embd": (vocabulary, width),
        "output_norm": (width,),
        "blk.0.attn_norm": (width,),
        "blk.0.ffn_norm": (width,),
        "blk.0.attn_q": (width, width),
        "blk.0.attn_k": (32, width),
        "blk.0.attn_v": (32, width),
        "blk.0.attn_output": (width, width),
        "blk.0.ffn_gate": (128, width),
        "blk.0.ffn_up": (128, width),
        "blk.0.ffn_down": (width, 128),
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(shape).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@needs_libraries
@pytest.mark.timeout(180)
def test_a_gguf_file_becomes_a_whole_bf16_model_folder(tmp_path: Path):
    write_gguf(tmp_path / "tiny.gguf")
    target = tmp_path / "model"
    target.mkdir()
    command = [sys.executable, str(DEMO_PACKAGE.converter), str(tmp_path / "tiny.gguf"), str(target)]
    done = subprocess.run(
        [*command, "--model-id", "org/tiny"], check=False, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert json.loads(done.stdout.splitlines()[-1])["parameters"] == 53_696
    names = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in target.iterdir()} == names
    config = json.loads((target / "config.json").read_text())
    assert (config["_name_or_path"], config["dtype"], config["eos_token_id"]) == ("org/tiny", "bfloat16", 2)
    tokenizer = json.loads((target / "tokenizer.json").read_text())
    kinds = [part["type"] for part in tokenizer["pre_tokenizer"]["pretokenizers"]]
    assert kinds == ["Digits", "ByteLevel"]


def test_the_config_names_the_public_model(tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text('{"_model_name_or_path": "/tmp/x", "a": 1}')
    convert_gguf.clean_config(path, "org/model")
    assert json.loads(path.read_text()) == {"_name_or_path": "org/model", "a": 1}
