"""What must hold before a LoRA adapter is loaded: vLLM itself answers 200 to many broken ones and then serves noise.

Reads files only: no library that could run what it reads, no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.base_identity import DIGESTS, BaseIdentity
from models.tensors import BadTensors, Tensor, open_plain, pieces, read_header

WEIGHTS, CONFIG, MANIFEST, CARD = "adapter_model.safetensors", "adapter_config.json", "manifest.json", "README.md"
LIMITS = MappingProxyType({WEIGHTS: 4 << 30, CONFIG: 256 << 10, MANIFEST: 4 << 20, CARD: 1 << 20})  # bytes
CODE = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".py", ".so"})
MAX_ENTRIES = 1_000
MAX_SCALING = 64.0  # alpha / rank; 1 to 4 is usual
MAX_VALUE = 10_000.0
MAX_CHANGE = 1.0  # bound of a layer's change, root of the mean square; weights of real models are below 0.2
KEY = re.compile(r"base_model\.model\.(?P<module>[\w.]+)\.lora_(?P<side>[AB])\.weight", re.ASCII)
HEADS = frozenset({"lm_head", "embed_tokens"})
PLAIN_STARTS = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})  # they set first values, nothing else
UNSERVED = (  # settings that change what the tensors mean; any of them set is refused
    "use_dora", "lora_bias", "use_qalora", "use_bdlora", "alora_invocation_tokens", "layer_replication", "rank_pattern",
    "alpha_pattern", "fan_in_fan_out", "trainable_token_indices", "target_parameters", "loftq_config", "corda_config",
    "arrow_config", "megatron_config",
)  # fmt: skip
MATRIX = 2  # dimensions


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason against an adapter: a word for tables, and what is wrong and where."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


def check(folder: Path, base: BaseIdentity, *, max_rank: int) -> list[Fault]:
    """Every fault of the adapter in ``folder`` as it lies there; an empty list means it may be loaded.

    Raises OSError only when the disk itself fails.
    """
    try:
        folder_fd = open_folder(folder)
    except OSError as error:
        return [Fault("missing", f"{folder.name} is not a folder that can be read: {error.strerror}")]
    try:
        faults = listing_faults(folder_fd)
        if faults:
            return faults
        config, faults = table(folder_fd, CONFIG)
        manifest, unreadable = table(folder_fd, MANIFEST)
        faults += unreadable or manifest_faults(folder_fd, manifest, base)
        faults += config_faults(config, base, max_rank=max_rank) if config else []
        return [*faults, *_weight_faults(folder_fd, config, base, max_rank)]
    finally:
        os.close(folder_fd)


def listing_faults(folder: int) -> list[Fault]:
    """What is wrong with the names, kinds and sizes of files in an open folder."""
    faults = []
    with os.scandir(folder) as entries:
        found = [entry for _, entry in zip(range(MAX_ENTRIES + 1), entries, strict=False)]
    if len(found) > MAX_ENTRIES:
        return [Fault("listing", f"the folder holds more than {MAX_ENTRIES} files")]
    names = {entry.name for entry in found}
    faults += [Fault("missing", f"{name} is not there") for name in (WEIGHTS, CONFIG, MANIFEST) if name not in names]
    for entry in sorted(found, key=lambda entry: entry.name):
        if entry.is_symlink():
            faults.append(Fault("link", f"{entry.name[:200]} is a symbolic link, which may lead anywhere"))
        elif Path(entry.name).suffix.lower() in CODE:
            faults.append(Fault("pickle", f"{entry.name[:200]} can run code when it is loaded; remove it"))
        elif entry.name in LIMITS and not entry.is_file(follow_symlinks=False):
            faults.append(Fault("listing", f"{entry.name} is not a regular file"))
        elif entry.name in LIMITS and entry.stat(follow_symlinks=False).st_size > LIMITS[entry.name]:
            faults.append(Fault("size", f"{entry.name} is larger than {LIMITS[entry.name]} bytes"))
    return faults


def open_folder(folder: Path) -> int:
    """A descriptor of a folder that is not a symbolic link itself. Raises OSError."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def table(folder: int, name: str) -> tuple[dict[str, Any], list[Fault]]:
    """A JSON table in an open folder, empty with the faults of one that is not."""
    try:
        with opened(folder, name) as file:
            content = os.read(file, LIMITS[name] + 1)
        found = json.loads(content) if len(content) <= LIMITS[name] else None
    except (OSError, ValueError, RecursionError) as error:
        return {}, [Fault("config", f"{name} is not readable ({type(error).__name__})")]
    if not isinstance(found, dict) or not found:
        return {}, [Fault("config", f"{name} is not a table")]
    return found, []


@contextlib.contextmanager
def opened(folder: int, name: str) -> Iterator[int]:
    """A regular file of an open folder for the time of the block. Raises OSError."""
    file = open_plain(name, folder)
    try:
        yield file
    finally:
        os.close(file)


def config_faults(config: Mapping[str, Any], base: BaseIdentity, *, max_rank: int) -> list[Fault]:
    """What adapter_config.json says that cannot be served."""
    faults = [Fault("variant", f"{key} is set; only plain LoRA is served") for key in UNSERVED if config.get(key)]
    known = {*UNSERVED, "use_rslora"}
    faults += [
        Fault("variant", f"{str(key)[:60]} is set and unknown here")
        for key, value in config.items()
        if key.startswith("use_") and key not in known and value
    ]
    if config.get("peft_type") != "LORA":
        faults.append(Fault("variant", f"peft_type is {str(config.get('peft_type'))[:40]!r}, not LORA"))
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in PLAIN_STARTS:
        faults.append(Fault("variant", f"init_lora_weights {start[:40]!r} changes the base weights as well"))
    if config.get("bias", "none") != "none":
        faults.append(Fault("variant", "bias is trained, which is not served"))
    if config.get("modules_to_save"):
        faults.append(Fault("head", "modules_to_save replaces whole layers; train without it"))
    named = config.get("base_model_name_or_path")
    if named != base.name:
        faults.append(Fault("base", f"it was trained on {str(named)[:200]!r}, but {base.name!r} is served"))
    return faults + _rank_faults(config, max_rank)


def _rank_faults(config: Mapping[str, Any], max_rank: int) -> list[Fault]:
    rank = config.get("r")
    if type(rank) is not int or rank < 1:
        return [Fault("rank", f"r is {str(rank)[:40]!r}, not a rank")]
    faults = []
    if rank > max_rank:
        faults.append(Fault("max_rank", f"rank {rank} is above the server's {max_rank}; raise model.lora_rank"))
    if not 0 < scaling(config) <= MAX_SCALING:
        faults.append(Fault("scaling", f"lora_alpha {str(config.get('lora_alpha'))[:40]!r} at rank {rank} is absurd"))
    return faults


def scaling(config: Mapping[str, Any]) -> float:
    """By what the product of a pair is multiplied; nan when the configuration does not say."""
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or rank < 1 or isinstance(alpha, bool) or not isinstance(alpha, int | float):
        return math.nan
    try:
        return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)
    except OverflowError:
        return math.inf


def manifest_faults(folder: int, manifest: Mapping[str, Any], base: BaseIdentity) -> list[Fault]:
    """Where the manifest contradicts the served model or the files beside it."""
    made_for, files = manifest.get("base"), manifest.get("files")
    if not isinstance(made_for, dict) or not isinstance(files, dict):
        return [Fault("manifest", "manifest.json does not say what the adapter was made for and of")]
    faults = [
        Fault("digest", f"it was made for another {name.removesuffix('_sha256')} than the one that is served")
        for name in DIGESTS
        if made_for.get(name) != base.digests.get(name)
    ]
    return faults + [
        Fault("manifest", f"{name} is not the file that manifest.json describes")
        for name in (CONFIG, WEIGHTS)
        if files.get(name) != file_digest(folder, name)
    ]


def file_digest(folder: int, name: str) -> str:
    """The sha256 of a regular file in an open folder, in hex. Raises OSError."""
    digest = hashlib.sha256()
    with opened(folder, name) as file:
        while piece := os.read(file, 1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _weight_faults(folder: int, config: Mapping[str, Any], base: BaseIdentity, max_rank: int) -> list[Fault]:
    try:
        with opened(folder, WEIGHTS) as file:
            tensors = read_header(file)
            pairs, faults = _pairs(tensors, config, base, max_rank)
            return faults or _value_faults(file, pairs, scaling(config))
    except BadTensors as error:
        return [Fault(error.kind, f"{WEIGHTS}: {error}")]


Pairs = dict[str, dict[str, Tensor]]


def _pairs(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], base: BaseIdentity, max_rank: int
) -> tuple[Pairs, list[Fault]]:
    pairs: Pairs = {}
    faults = []
    for name, tensor in tensors.items():
        key = KEY.fullmatch(name)
        module = key["module"] if key else name
        if HEADS & set(module.split(".")):
            faults.append(Fault("head", f"{name[:200]} belongs to the vocabulary, which is not adapted here"))
        elif key is None:
            faults.append(Fault("key", f"{name[:200]} is not a LoRA weight"))
        elif module not in base.shapes:
            faults.append(Fault("layer", f"{module[:200]} is no linear layer of {base.name}"))
        elif tensor.dtype not in {"F32", "F16", "BF16"} or len(tensor.shape) != MATRIX:
            faults.append(Fault("shape", f"{name} is {tensor.dtype}{list(tensor.shape)}, not a matrix of floats"))
        else:
            pairs.setdefault(module, {})[key["side"]] = tensor
    if not faults and not pairs:
        faults.append(Fault("key", "it has no LoRA weights at all"))
    for module, pair in pairs.items():
        faults += _pair_faults(module, pair, config.get("r"), base.shapes[module], max_rank)
    return pairs, faults


def _pair_faults(
    module: str, pair: Mapping[str, Tensor], rank: object, shape: tuple[int, int], max_rank: int
) -> list[Fault]:
    if pair.keys() != {"A", "B"}:
        return [Fault("key", f"{module} lacks lora_{'B' if 'A' in pair else 'A'}")]
    outputs, inputs = shape
    (rank_a, width), (height, rank_b) = pair["A"].shape, pair["B"].shape
    faults = []
    if (width, height) != (inputs, outputs):
        faults.append(Fault("shape", f"{module} is {height} by {width}, but {outputs} by {inputs} in the served model"))
    if not rank_a == rank_b == rank:
        faults.append(Fault("rank", f"{module} has ranks {rank_a} and {rank_b}, the configuration says {rank}"))
    if max(rank_a, rank_b) > max_rank:
        faults.append(Fault("max_rank", f"{module} has rank {max(rank_a, rank_b)}, the server takes {max_rank}"))
    return faults


def _value_faults(file: int, pairs: Pairs, factor: float) -> list[Fault]:
    faults = []
    for module, pair in pairs.items():
        norms = []
        for side, tensor in sorted(pair.items()):
            largest, squares = _extent(file, tensor)
            norms.append(squares**0.5)
            if not math.isfinite(largest):
                faults.append(Fault("finite", f"lora_{side} of {module} holds values that are not finite"))
            elif largest > MAX_VALUE:
                faults.append(Fault("norm", f"lora_{side} of {module} holds {largest:.3g}; at most {MAX_VALUE:g} is"))
        size = pair["A"].shape[1] * pair["B"].shape[0]
        change = factor * norms[0] * norms[1] / math.sqrt(size)
        if math.isfinite(change) and change > MAX_CHANGE:
            faults.append(
                Fault("norm", f"{module} would change by {change:.3g} on average; at most {MAX_CHANGE:g} may")
            )
    return faults


def _extent(file: int, tensor: Tensor) -> tuple[float, float]:
    """Largest magnitude (inf or nan where a value is) and sum of squares of one tensor."""
    import numpy as np  # noqa: PLC0415 - a quarter of the server's start, and few of them ever see an adapter

    largest, squares = 0.0, 0.0
    for piece in pieces(file, tensor):
        if tensor.dtype == "BF16":  # the upper half of a 32 bit float
            values = (np.frombuffer(piece, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(piece, "<f4" if tensor.dtype == "F32" else "<f2")
        if not np.isfinite(values).all():
            return math.nan, 0.0
        wide = values.astype(np.float64)
        largest, squares = max(largest, float(np.abs(wide).max())), squares + float(np.dot(wide, wide))
    return largest, squares
