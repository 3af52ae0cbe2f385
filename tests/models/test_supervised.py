from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from models import supervised

SLEEP = "import time; print('here', flush=True); time.sleep(60)"


async def said(log: Path, words: str) -> None:
    async with asyncio.timeout(20):
        while words not in (log.read_text() if log.exists() else ""):
            await asyncio.sleep(0.01)


async def test_it_starts_with_a_log_and_ends_when_told(tmp_path: Path):
    log = tmp_path / "child.log"
    log.write_text("earlier\n")
    process, begins = await supervised.start([sys.executable, "-c", SLEEP], log, dict(os.environ))
    await said(log, "here")
    assert log.read_bytes()[begins:].startswith(b"here"), "its own part of the log"
    started = time.monotonic()
    await supervised.stop(process)
    assert process.returncode is not None
    assert time.monotonic() - started < supervised.STOP_S
    await supervised.stop(process)  # again is harmless


async def test_a_grown_log_is_put_aside(tmp_path: Path):
    log = tmp_path / "child.log"
    with log.open("wb") as file:
        file.truncate(supervised.LOG_KEEP_BYTES + 1)
    process, begins = await supervised.start([sys.executable, "-c", "print('new')"], log, dict(os.environ))
    await process.wait()
    await supervised.stop(process)
    assert begins == 0
    assert log.read_text() == "new\n"
    assert (tmp_path / "child.log.1").stat().st_size == supervised.LOG_KEEP_BYTES + 1
