"""One stage's child process: its command, its environment, its end, and a look at its progress every few seconds."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from config.training import Training
from models import supervised
from server.retrain.contract import StageFailed

log = structlog.get_logger()

ROOT = Path(__file__).parents[2]  # where the packages lie, for a checkout that is not installed
HOUR_S = 3_600.0
TAIL_BYTES = 2_000
PAUSE_S = 15.0  # before a model that did not answer is asked again
STOPPED = 75  # exit status of a child that put its state on disk when it was told to end
UNUSABLE = frozenset({2, 64})  # its input is at fault: the same command would fail again
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "CUDA_HOME")
KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "HF_", "XDG_", "SSL_", "FRONTDESK_CACHE")

Look = Callable[[], Awaitable[None]]
"""Called every few seconds while a child runs; what it raises ends the child."""


class Children:
    """Starts the children of a run, one after the other; ``program`` takes the place of ``python -m training``."""

    def __init__(
        self,
        settings: Training,
        *,
        program: Sequence[str] = (),
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._program = tuple(program) or (settings.python or sys.executable, "-m", "training")
        self._pause_s = pause_s
        self._clock = clock

    async def run(
        self,
        folder: Path,
        name: str,
        arguments: Sequence[str | Path],
        look: Look,
        *,
        threads: int,
        ends: frozenset[int] = frozenset({0}),
        more_env: Mapping[str, str] | None = None,
        patient: bool = False,
    ) -> int:
        """Run a command until it ends with a status in ``ends``; raises StageFailed, and what ``look`` raises.

        A child that was killed, or put its state on disk, is started again: it goes on in the same folder. One that
        says its input cannot be used is not, unless ``patient``: then the fault may be a model that restarts.
        """
        command = [*self._nice(), *self._program, *map(str, arguments)]
        log_path = folder / f"{name}.log"
        for attempt in range(1, self._settings.tries + 1):
            status = await self._once(command, log_path, environment(threads, more_env), look)
            if status in ends:
                return status
            log.warning("retrain_child_ended", stage=name, status=status, attempt=attempt)
            if status in UNUSABLE and not patient:
                break
            if attempt < self._settings.tries:
                await asyncio.sleep(self._pause_s if status in UNUSABLE else 0)
                await look()
        raise StageFailed(f"{name} ended with status {status}: {tail(log_path)}. The whole log is {log_path}")

    def _nice(self) -> list[str]:
        return ["nice", "-n", str(self._settings.nice)] if self._settings.nice else []

    async def _once(self, command: Sequence[str], log_path: Path, env: Mapping[str, str], look: Look) -> int:
        process, _ = await supervised.start(command, log_path, env)
        ends_at = self._clock() + self._settings.stage_h * HOUR_S
        try:
            return await self._watched(process, look, ends_at)
        finally:
            await asyncio.shield(supervised.stop(process))

    async def _watched(self, process: Process, look: Look, ends_at: float) -> int:
        while True:
            try:
                async with asyncio.timeout(self._settings.progress_s):
                    return await process.wait()
            except TimeoutError:
                await look()
            if self._clock() > ends_at:
                raise StageFailed(f"the stage took longer than {self._settings.stage_h:g} h (training.stage_h)")


def environment(threads: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a child sees: nothing of the server's own settings, so no secret; ``threads`` for every tensor library."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    count = str(max(1, threads))
    return {
        **kept,
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
        **(more or {}),
    }


def tail(log_path: Path) -> str:
    """The last line of a log that says something, for a message."""
    if not log_path.exists():
        return "it wrote no log"
    with log_path.open("rb") as file:
        file.seek(max(0, log_path.stat().st_size - TAIL_BYTES))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "its log is empty"


def progress_of(folder: Path) -> dict[str, Any]:
    """What the running stage says of itself; empty where it says nothing (yet)."""
    try:
        found = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
