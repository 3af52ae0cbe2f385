"""The state of a run on disk: complete or ignored, so that a run killed at any moment goes on as if nothing was.

A checkpoint is a folder with one state file and, written last, the state's digest; the folder gets its name only once
both are on the disk.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
import torch

from models.cache import sha256_of
from training.errors import ForeignCheckpoint

log = structlog.get_logger()

KEEP = 2  # the newest, and one more in case the disk lost part of it
STATE = "state.pt"
COMPLETE = "complete.json"


def sync(path: Path) -> None:
    """Have the disk hold a file's content or a folder's entries before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Replace a file so that readers see the old or the new content, never a mixture."""
    scratch = path.with_name(f".{path.name}.{uuid4().hex}")
    scratch.write_text(text, encoding="utf-8")
    sync(scratch)
    scratch.replace(path)


class Checkpoints:
    """Saves and finds states of one run; ``fingerprint`` tells runs of other data, recipes or bases apart."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def save(self, serial: int, state: dict[str, Any]) -> Path:
        """Write one checkpoint; ``serial`` orders them. Older ones than the last KEEP go."""
        self._folder.mkdir(parents=True, exist_ok=True)
        scratch = self._folder / f".tmp-{uuid4().hex}"
        scratch.mkdir()
        torch.save(state, scratch / STATE)
        sync(scratch / STATE)
        about = {"sha256": sha256_of(scratch / STATE), "fingerprint": self._fingerprint, "serial": serial}
        write_whole(scratch / COMPLETE, json.dumps(about) + "\n")
        sync(scratch)
        target = self._folder / f"step-{serial:08d}"
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
        sync(self._folder)
        for old in self._named()[:-KEEP]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def latest(self) -> dict[str, Any] | None:
        """The newest complete state, or None; half-written and damaged ones are passed over.

        Raises ForeignCheckpoint when the newest complete one belongs to another run.
        """
        for leftover in self._folder.glob(".tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for folder in reversed(self._named()):
            about = self._about(folder)
            if about is None:
                log.warning("checkpoint_ignored", checkpoint=folder.name, reason="incomplete or damaged")
                continue
            if about["fingerprint"] != self._fingerprint:
                raise ForeignCheckpoint(
                    f"{self._folder} holds checkpoints of another data set, recipe or base; "
                    "use a new --out folder, or delete the checkpoints to start over"
                )
            state: dict[str, Any] = torch.load(folder / STATE, map_location="cpu", weights_only=True)
            return state
        return None

    def clear(self) -> None:
        """Delete all states: the run has ended and its adapter is on disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _named(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("step-*") if path.is_dir())

    @staticmethod
    def _about(folder: Path) -> dict[str, Any] | None:
        try:
            about = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
            whole = about["sha256"] == sha256_of(folder / STATE)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return dict(about) if whole and "fingerprint" in about else None
