"""Child processes that end with us: started with a log of their own, stopped politely, then not."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

STOP_S = 12.0  # child.py itself kills after 8
LOG_KEEP_BYTES = 16_000_000
CHILD_SCRIPT = Path(__file__).with_name("child.py")


async def start(command: Sequence[str], log_path: Path, env: Mapping[str, str]) -> tuple[Process, int]:
    """Start a command under ``child.py``; the process, and where in the log its part begins (bytes).

    A log that grew past LOG_KEEP_BYTES is put aside first, in place of the one before. Raises OSError.
    """
    with _log(log_path) as output:
        begins = output.tell()  # the child moves the same position
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(CHILD_SCRIPT),
            *command,
            env=env,
            stdin=asyncio.subprocess.PIPE,  # held open: its end tells the child that we are gone
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
        return process, begins


async def stop(process: Process) -> None:
    """End a started process and wait for it: SIGTERM, after STOP_S seconds SIGKILL."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > LOG_KEEP_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
