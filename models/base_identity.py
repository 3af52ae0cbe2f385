"""Which model is served, as far as an adapter depends on it: name, layer sizes, digests of weights and of the wording.

Digests are remembered beside the weights' cache, as reading gigabytes takes longer than everything else at a start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from models.cache import MANIFEST, cache_root, sha256_of
from models.prompt import template_digest
from models.tensors import BadTensors, open_plain, read_header

DIGESTS = ("weights_sha256", "tokenizer_sha256", "template_sha256")
MATRIX = 2  # dimensions


@dataclass(frozen=True, slots=True)
class BaseIdentity:
    """The served model: ``shapes`` are (outputs, inputs) of its linear layers, ``digests`` go by DIGESTS."""

    name: str
    shapes: Mapping[str, tuple[int, int]]
    digests: Mapping[str, str]

    @classmethod
    def of(cls, weights: Path, name: str = "") -> BaseIdentity:
        """The identity of a model folder; without ``name`` its own manifest or configuration names it.

        Hashes what it has not hashed before, so use a thread. Raises OSError and models.tensors.BadTensors.
        """
        folder = weights.resolve(strict=True)
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise BadTensors("missing", f"{folder} holds no safetensors weights; set model.path to a folder that does")
        shapes: dict[str, tuple[int, int]] = {}
        for path in files:
            shapes |= _shapes(path)
        digests = [f"{path.name}:{_digest(path)}\n" for path in files]
        known = {
            "weights_sha256": hashlib.sha256("".join(digests).encode()).hexdigest(),
            "tokenizer_sha256": _digest(folder / "tokenizer.json"),
            "template_sha256": template_digest(),
        }
        return cls(name or _own_name(folder), shapes, known)


def _shapes(path: Path) -> dict[str, tuple[int, int]]:
    file = open_plain(path.resolve())  # the hub's cache is made of links
    try:
        header = read_header(file)
    finally:
        os.close(file)
    matrices = {name: tensor.shape for name, tensor in header.items() if len(tensor.shape) == MATRIX}
    return {n.removesuffix(".weight"): (s[0], s[1]) for n, s in matrices.items() if n.endswith(".weight")}


def _own_name(folder: Path) -> str:
    for file, key in ((MANIFEST, "model"), ("config.json", "_name_or_path")):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads((folder / file).read_text(encoding="utf-8")).get(key)
            if isinstance(found, str) and found:
                return found
    return folder.name


def _digest(path: Path) -> str:
    """The sha256 of a file, remembered for as long as its place, size and time of change stay the same."""
    status = path.stat()
    mark = f"{path.resolve()}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
    note = cache_root() / "digests" / hashlib.sha256(mark.encode()).hexdigest()
    with contextlib.suppress(OSError, ValueError):
        remembered = note.read_text(encoding="ascii").strip()
        if len(remembered) == hashlib.sha256().digest_size * 2:
            return remembered
    digest = sha256_of(path)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        note.parent.mkdir(parents=True, exist_ok=True)
        scratch = note.with_name(f".{note.name}-{uuid4().hex}")
        scratch.write_text(digest, encoding="ascii")
        scratch.replace(note)
    return digest
