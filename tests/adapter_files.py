"""Adapters of a known effect without any training: LoRA weights from a seed, written with nothing but numpy."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]
TYPES = {"float32": "F32", "float16": "F16", "uint16": "BF16", "int8": "I8"}  # numpy has no bf16: its bits do


@dataclass(frozen=True, slots=True)
class Shape:
    """A small Llama: sizes of its linear layers."""

    layers: int = 2
    hidden: int = 8
    inner: int = 12
    key_value: int = 4
    vocabulary: int = 16

    def linears(self) -> Iterator[tuple[str, int, int]]:
        """Name, outputs and inputs of every linear layer below ``model.``."""
        h, i, kv = self.hidden, self.inner, self.key_value
        sizes = {"self_attn.q_proj": (h, h), "self_attn.k_proj": (kv, h), "self_attn.v_proj": (kv, h)}
        sizes |= {"self_attn.o_proj": (h, h), "mlp.gate_proj": (i, h), "mlp.up_proj": (i, h), "mlp.down_proj": (h, i)}
        for layer in range(self.layers):
            for name, (outputs, inputs) in sizes.items():
                yield f"model.layers.{layer}.{name}", outputs, inputs


SMALL = Shape()
DEMO = Shape(layers=30, hidden=576, inner=1_536, key_value=192, vocabulary=49_152)


def lora_tensors(shape: Shape = SMALL, *, rank: int = 4, seed: int = 0, strength: float = 0.02) -> Tensors:
    """LoRA pairs for every linear layer; ``strength`` is the spread of B's values, 0 has no effect."""
    random = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, outputs, inputs in shape.linears():
        prefix = f"base_model.model.{name}"
        a = random.normal(0, inputs**-0.5, (rank, inputs)).astype(np.float32)
        b = random.normal(0, strength, (outputs, rank)).astype(np.float32) if strength else np.zeros((outputs, rank))
        tensors |= {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b.astype(np.float32)}
    return tensors


def lora_config(base: str, rank: int = 4, **changes: object) -> dict[str, object]:
    """What peft writes beside the tensors, as far as servers read it."""
    modules = sorted({name.rsplit(".", 1)[1] for name, _, _ in SMALL.linears()})
    config: dict[str, object] = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base}
    config |= {"r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0, "target_modules": modules, "bias": "none"}
    config |= {"modules_to_save": None, "use_dora": False, "use_rslora": False, "lora_bias": False}
    return {**config, **changes}


def safetensors_bytes(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file, as the library writes it."""
    header: dict[str, object] = {"__metadata__": dict(metadata or {"format": "pt"})}
    body = b""
    for name, tensor in tensors.items():
        raw = np.ascontiguousarray(tensor).tobytes()
        offsets = [len(body), len(body) + len(raw)]
        header[name] = {"dtype": TYPES[str(tensor.dtype)], "shape": list(tensor.shape), "data_offsets": offsets}
        body += raw
    return with_header(json.dumps(header).encode(), body)


def with_header(header: bytes, body: bytes) -> bytes:
    """A file of any header, true or not."""
    return struct.pack("<Q", len(header)) + header + body


def write_adapter(folder: Path, base: str, shape: Shape = SMALL, *, rank: int = 4, **strength: Any) -> Path:
    """An adapter folder of the model ``base``; ``seed`` and ``strength`` as ``lora_tensors`` takes them."""
    folder.mkdir(parents=True)
    tensors = lora_tensors(shape, rank=rank, **strength)
    (folder / "adapter_model.safetensors").write_bytes(safetensors_bytes(tensors))
    (folder / "adapter_config.json").write_text(json.dumps(lora_config(base, rank)))
    return folder
