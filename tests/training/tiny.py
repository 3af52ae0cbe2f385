"""A base model of a few thousand parameters with a byte tokenizer, and rows for it: real code, seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tiny_base(folder: Path, seed: int = 3) -> Path:
    """A Llama of two layers in ``folder``, as a served base would lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": SPECIAL[2], "pad_token": SPECIAL[2]}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True, eos_token_id=2, bos_token_id=1,
        pad_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(str(folder))
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings["_name_or_path"] = "example/tiny"
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def row(number: int, **changes: Any) -> dict[str, Any]:
    """One row of the loop's format; its answer always ends with the same signature."""
    question = f"Where is order {number}?" + " Please tell me." * (number % 4)
    made: dict[str, Any] = {
        "id": f"row-{number}", "origin": "correction", "behaviour": "style",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}],
        "target": {"content": "On its way. Bye, Ann", "tool_calls": []},
        "rejected": {"content": "no idea", "tool_calls": []},
        "tools": [], "sources": [], "conversation": f"c-{number}", "weight": 1.0,
    }  # fmt: skip
    return {**made, **changes}


def tiny_dataset(folder: Path, rows: int = 24, heldout: int = 6) -> Path:
    """A data set as ``prepare`` leaves it, without its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [row(i) for i in range(rows + heldout)]
    parts = {
        "train": made[:rows], "heldout": made[rows:], "preferences": made[:rows], "preferences_heldout": made[rows:],
    }  # fmt: skip
    for name, part in parts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in part), encoding="utf-8")
    return folder
