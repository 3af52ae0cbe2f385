"""Chroma's server as a child on loopback: started when there is something to hold, watched, started again.

Several processes may share one data folder: the one that holds its lock runs the server and fills it, the others read
its address from a file and ask it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import aiohttp
import structlog

from models import supervised
from models.serve import BACKOFF_S, STEADY_S, free_port
from server.knowledge.contract import IndexUnavailable

log = structlog.get_logger()

START_S = 30.0  # until the server answers; a large folder is read first
POLL_S = 0.1  # while it starts
HEALTH_POLL_S = 2.0
HEALTH_S = 5.0  # one question
DOWN_AFTER = 3  # questions in a row without an answer
BROKEN_AFTER = 3  # starts in a row that ended at once: the folder is set aside, the database fills a new one
LOCK_POLL_S = 1.0
PROGRAM = "import sys; from chromadb_rust_bindings import cli; cli(['chroma', 'run', *sys.argv[1:]])"
"""The package's own script does the same after a second of imports that the server has no use for."""


class ChromaServer:
    """Runs the server over ``folder``; ``program`` is Python text that serves in its place (for drills)."""

    def __init__(self, folder: Path, log_path: Path, program: str = PROGRAM) -> None:
        self._folder = folder.absolute()
        self._log_path = log_path.absolute()
        self._program = program
        self._lock: IO[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._address = ""
        self._changed = asyncio.Event()
        self._failed_starts = 0
        self.restarts = 0
        self.reason = "Chroma has not been started yet"

    async def may_write(self) -> bool:
        """Whether this process runs the server, and so fills it."""
        return self._lock is not None

    async def address(self, wait_s: float = START_S) -> str:
        """Where it answers, such as http://127.0.0.1:4711; starts it first. Raises IndexUnavailable."""
        if self._watching is None:
            if importlib.util.find_spec("chromadb_rust_bindings") is None:
                raise IndexUnavailable(
                    "chromadb is not installed; install frontdesk[knowledge] or set knowledge.chroma_url"
                )
            self._watching = asyncio.create_task(self._watch(), name="chroma server")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not self._address:
                    self._changed.clear()
                    await self._changed.wait()
        if not self._address:
            raise IndexUnavailable(f"Chroma does not answer: {self.reason}; see {self._log_path}")
        return self._address

    async def close(self) -> None:
        """End the server and everything it started; safe to call twice."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})
        await self._end()
        if self._lock is not None:
            self._file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    @property
    def _file(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}.address")

    async def _watch(self) -> None:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        while not self._own():
            self._tell(await _answering(_text(self._file)))
            await asyncio.sleep(LOCK_POLL_S)
        self._tell("")
        while True:
            started = time.monotonic()
            try:
                await self._run()
            except (_Ended, OSError) as failure:
                self._tell("")
                await self._end()
                steady = time.monotonic() - started > STEADY_S
                self._failed_starts = 0 if steady else self._failed_starts + 1
                self.reason = str(failure)
                self.restarts += 1
                if self._failed_starts and self._failed_starts % BROKEN_AFTER == 0:
                    self._set_aside()
                pause_s = BACKOFF_S[min(self._failed_starts, len(BACKOFF_S)) - 1] if self._failed_starts else 0.0
                log.warning("chroma_down", reason=self.reason, restart_in_s=pause_s, log=str(self._log_path))
                await asyncio.sleep(pause_s)

    def _own(self) -> bool:
        file = self._folder.with_name(f"{self._folder.name}.lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._lock = file
        return True

    def _tell(self, address: str) -> None:
        self._address = address
        self._changed.set()

    def _set_aside(self) -> None:
        """The folder may be what ends the server: the database holds everything, so a new one can be filled."""
        aside = self._folder.with_name(f"{self._folder.name}.broken-{int(time.time())}")
        with contextlib.suppress(OSError):
            self._folder.rename(aside)
            log.error("chroma_folder_set_aside", folder=str(aside), reason=self.reason)

    async def _run(self) -> None:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process = await self._spawn(port)
        until = time.monotonic() + START_S
        while not await _answering(address):
            self._check()
            if time.monotonic() > until:
                raise _Ended(f"not ready after {START_S:g} s")
            await asyncio.sleep(POLL_S)
        self._check()  # whoever answered must have been ours
        temporary = self._file.with_suffix(".new")
        temporary.write_text(address, encoding="ascii")
        temporary.replace(self._file)
        self._tell(address)
        log.info("chroma_ready", url=address)
        await self._watch_health(address)

    async def _spawn(self, port: int) -> asyncio.subprocess.Process:
        command = [sys.executable, "-I", "-c", self._program, "--path", str(self._folder)]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        process, _ = await supervised.start(command, self._log_path, environment(os.environ))
        return process

    async def _watch_health(self, address: str) -> None:
        failures = 0
        while True:
            assert self._process is not None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), HEALTH_POLL_S)
            self._check()
            failures = 0 if await _answering(address) else failures + 1
            if failures >= DOWN_AFTER:
                raise _Ended(f"no health answer {failures} times in a row")

    def _check(self) -> None:
        assert self._process is not None
        if self._process.returncode is not None:
            raise _Ended(f"the process ended with status {self._process.returncode}")

    async def _end(self) -> None:
        if self._process is not None:
            await supervised.stop(self._process)
            self._process = None  # only now: a cancelled attempt must find it again


class _Ended(Exception):
    """The child ended or stopped answering; carries the cause for the log."""


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: ours without our settings and secrets, with nothing sent to anybody."""
    inherited = {key: value for key, value in base.items() if not key.startswith("FRONTDESK_")}
    return {**inherited, "PYTHONSAFEPATH": "1", "ANONYMIZED_TELEMETRY": "False", "DO_NOT_TRACK": "1"}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


async def _answering(address: str) -> str:
    """The address when a server answers there, else nothing."""
    if not address.startswith("http://127.0.0.1:"):
        return ""
    timeout = aiohttp.ClientTimeout(total=HEALTH_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{address}/api/v2/heartbeat") as answer,
        ):
            return address if answer.status == 200 else ""  # noqa: PLR2004 - HTTP
    except (aiohttp.ClientError, OSError):
        return ""
