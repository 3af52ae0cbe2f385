"""The adapter's folder: written aside, synced, renamed; whoever sees ``adapter/`` sees all of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.base_identity import BaseIdentity
from models.cache import sha256_of
from models.tensors import BadTensors
from training.checkpoints import sync
from training.errors import TrainingError
from training.model_card import model_card

MANIFEST = "manifest.json"
CARD = "README.md"
READABLE = 0o644  # the server runs as another user than the trainer


def base_identity(weights: Path, name: str | None = None) -> dict[str, str]:
    """Name and digests that must be equal where the adapter is served; ``name`` as the server is configured."""
    try:
        base = BaseIdentity.of(weights, name or "")
    except (BadTensors, OSError) as error:
        raise TrainingError(f"cannot use {weights} as a base: {error}") from error
    return {"name": base.name, **base.digests}


def dataset_digest(dataset: Path) -> str:
    """The sha256 over the data files' names and contents."""
    files = sorted(path for path in dataset.glob("*.jsonl") if path.is_file())
    return hashlib.sha256("".join(f"{f.name}:{sha256_of(f)}\n" for f in files).encode()).hexdigest()


def write_adapter(
    target: Path,
    save: Callable[[Path], None],
    manifest: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    key: bytes | None = None,
) -> Path:
    """Have ``save`` write PEFT's files aside, add manifest and card, sync all, and move the folder into place.

    An adapter that already stands there is replaced as a whole. With ``key`` the manifest carries an HMAC-SHA256.
    """
    scratch = target.with_name(f"{target.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    save(scratch)
    stamped = {**manifest, "created_at": time.time()}
    (scratch / CARD).write_text(model_card(stamped, warnings), encoding="utf-8")
    stamped["files"] = {path.name: sha256_of(path) for path in sorted(scratch.iterdir())}
    if key is not None:
        stamped["signature"] = signature(stamped, key)
    (scratch / MANIFEST).write_text(json.dumps(stamped, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for path in scratch.iterdir():
        path.chmod(READABLE)
        sync(path)
    sync(scratch)
    old = target.with_name(f"{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    scratch.rename(target)
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)
    return target


def signature(manifest: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA256 in hex over the manifest without its signature."""
    body = {name: value for name, value in manifest.items() if name != "signature"}
    return hmac.new(key, json.dumps(body, sort_keys=True).encode(), hashlib.sha256).hexdigest()
