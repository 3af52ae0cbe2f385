"""The folder on this machine that keeps what is expensive to fetch: published whole or not at all.

A folder in it is complete exactly when its manifest is there and fits: the manifest is written last, inside a scratch
folder that is then renamed into place under a machine-wide lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import uuid4

MANIFEST = "manifest.json"
LOCK_POLL_S = 0.2


def cache_root() -> Path:
    """FRONTDESK_CACHE_DIR, else XDG_CACHE_HOME/frontdesk, else ~/.cache/frontdesk."""
    explicit = os.environ.get("FRONTDESK_CACHE_DIR")
    if explicit:
        return Path(explicit).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "frontdesk"


def write_manifest(folder: Path, details: Mapping[str, str]) -> None:
    """Record size and sha256 of every file in ``folder``; written last, so its presence means complete."""
    files = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file() and p.name != MANIFEST):
        path.chmod(0o644)  # weights are public, and the service may run as another user than the fetcher
        files[path.name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    text = json.dumps({**details, "files": files}, indent=2, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def check(folder: Path, *, hashes: bool = False) -> bool:
    """Whether every file of the manifest is there with its size, and with its digest when ``hashes`` is set."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        sizes_match = all((folder / name).stat().st_size == row["size"] for name, row in files.items())
        digests_match = not hashes or all(sha256_of(folder / name) == row["sha256"] for name, row in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return sizes_match and digests_match


def manifest_digest(folder: Path) -> str:
    """The sha256 of a folder's manifest: equal exactly when all its files are."""
    return sha256_of(folder / MANIFEST)


def outline(folder: Path) -> str:
    """A digest over the small files and the sizes of the large ones: cheap, and different for different models."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            digest.update(path.name.encode() + path.read_bytes())
        elif path.suffix == ".safetensors":
            digest.update(f"{path.name}:{path.stat().st_size}".encode())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.asynccontextmanager
async def publishing(target: Path | None, parent: Path | None = None) -> AsyncIterator[Path]:
    """A scratch folder that becomes ``target`` in one rename when the block ends well, else disappears."""
    home = parent or (target.parent if target else cache_root())
    scratch = home / f".tmp-{uuid4().hex}"
    scratch.mkdir()
    try:
        yield scratch
        if target is not None:
            shutil.rmtree(target, ignore_errors=True)  # an incomplete one, or check() would have accepted it
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_leftovers(models: Path) -> None:
    """Delete scratch folders of killed runs; the caller holds the lock, so none of them is in use."""
    for path in models.glob(".tmp-*"):
        shutil.rmtree(path, ignore_errors=True)


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold the machine-wide lock; it vanishes with the process, also after kill -9."""
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOCK_POLL_S)
        yield


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below ``folder``, which may be changing meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total
