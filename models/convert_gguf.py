"""Unpack a GGUF file into a plain bf16 model folder; run as a child process, never imported by the service.

Command::

    python -m models.convert_gguf SOURCE.gguf TARGET_FOLDER [--model-id NAME]

Writes config.json, generation_config.json, model.safetensors (bf16), tokenizer.json and tokenizer_config.json into
TARGET_FOLDER, which must exist and be empty. Prints one JSON line: {"parameters": ..., "seconds": ...}.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

MAX_SHARD = "100GB"  # one file, whatever its size: the manifest and the server expect model.safetensors


def convert(source: Path, target: Path, model_id: str) -> dict[str, float]:
    """Write the model folder; returns the parameter count and the seconds it took."""
    # Imported here because only this child process may pay for, or even have, these libraries.
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig  # noqa: PLC0415

    started = time.monotonic()
    folder, name = str(source.parent), source.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model = model.to(torch.bfloat16)
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config.eos_token_id, config.bos_token_id, config.pad_token_id = end, tokenizer.bos_token_id, end
    generation: Any = GenerationConfig
    model.generation_config = generation(bos_token_id=tokenizer.bos_token_id, eos_token_id=end, pad_token_id=end)
    model.save_pretrained(target, max_shard_size=MAX_SHARD)
    write_tokenizer(tokenizer, target)
    clean_config(target / "config.json", model_id)
    parameters = sum(int(p.numel()) for p in model.parameters())
    return {"parameters": parameters, "seconds": round(time.monotonic() - started, 1)}


def write_tokenizer(tokenizer: Any, target: Path) -> None:
    """Save the tokenizer with digits split one by one, which the GGUF file only names (``pre = smollm``)."""
    from tokenizers import pre_tokenizers  # noqa: PLC0415

    tokenizer.chat_template = None  # the one template is models/chat_template.jinja, given to the server by path
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    tokenizer.save_pretrained(target)


def clean_config(path: Path, model_id: str) -> None:
    """Name the public model in config.json instead of the GGUF file's internal title."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_model_name_or_path", None)
    config["_name_or_path"] = model_id
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    """Parse the command line, convert, print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--model-id", default="")
    arguments = parser.parse_args()
    figures = convert(arguments.source, arguments.target, arguments.model_id)
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
