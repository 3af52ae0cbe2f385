"""Files as Markdown, read by a limited child process: the server itself never looks into a file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import structlog

from config.knowledge import Parse
from server.install import ROOT
from server.knowledge.contract import SourceRefused
from server.knowledge.file_types import MIMES, file_type

log = structlog.get_logger()

AT_ONCE = 2  # children
IDLE_S = 30.0  # a child that has nothing to do ends after this
WALL = 3.0  # times the processor time: a busy machine is no fault of the file
_SLICE = 262_144  # bytes written to the pipe at once, so that no second copy of a file piles up
_ANSWER_OF = 6  # bytes of an answer per character of text at most
_MODULE = "server.knowledge.reading_child"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's title (never empty), its text as Markdown, and what it really is."""

    title: str
    text: str
    mime: str


class Reader:
    """Reads files within the limits of ``settings`` (``knowledge.parse``); children start when first needed."""

    def __init__(self, settings: Parse, *, idle_s: float = IDLE_S) -> None:
        self._settings = settings
        self._idle_s = idle_s
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._idle: list[_Child] = []
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End the children when the block ends."""
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """End idle children now; a later read starts new ones."""
        while self._idle:
            await self._idle.pop().end()
        if self._ending:
            await asyncio.wait(self._ending)

    async def read(self, data: bytes, name: str, mime: str = "", url: str = "") -> Parsed:
        """A file's text; raises SourceRefused with a reason for staff, whatever the file does."""
        self._check_size(data)
        kind = file_type(data, name, mime)
        answer = await self._ask(kind, data, name, url)
        title = " ".join(str(answer["title"]).split()) or _named(name)
        return Parsed(title, str(answer["text"]), MIMES[kind])

    async def rows(self, data: bytes, name: str) -> list[dict[str, str]]:
        """The rows of a CSV or JSON file by column name; raises SourceRefused."""
        self._check_size(data)
        kind = file_type(data, name)
        if kind not in {"table", "json", "text"}:
            raise SourceRefused("the file is no table; send CSV with a header row, or a JSON list of objects")
        return list((await self._ask("rows", data, name, ""))["rows"])

    def _check_size(self, data: bytes) -> None:
        if len(data) > self._settings.max_bytes:
            raise SourceRefused(f"the file is larger than {self._settings.max_bytes:,} bytes; split it")

    async def _ask(self, kind: str, data: bytes, name: str, url: str) -> Mapping[str, Any]:
        limits = self._settings
        hints = {"name": name[-200:], "url": url, "max_pages": limits.max_pages, "max_ratio": limits.max_ratio}
        request = {
            "type": kind,
            "size": len(data),
            "memory_mib": limits.memory_mib,
            "cpu_s": limits.cpu_s,
            "hints": {**hints, "max_characters": limits.max_characters},
        }
        async with self._gate:
            child = self._idle.pop() if self._idle else await _Child.start()
            child.busy()
            try:
                async with asyncio.timeout(WALL * limits.cpu_s + 5.0):
                    answer = await child.ask(request, data, limits.max_characters * _ANSWER_OF + 65_536)
            except TimeoutError:
                answer = {"died": -signal.SIGXCPU}
            except (OSError, EOFError, ValueError):
                answer = {"died": -signal.SIGKILL}
            except BaseException:  # cancelled: the pipe holds half a request
                await child.end()
                raise
            if "died" in answer:
                await child.end()
            else:
                self._idle.append(child)
                child.rest(self._retire, self._idle_s)
        return self._judged(answer)

    def _judged(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        limits = self._settings
        reason = str(answer.get("refused", ""))
        if answer.get("died") == -signal.SIGXCPU:
            reason = f"the file takes more than {limits.cpu_s:g} seconds of processor time; split it or export it again"
        elif "died" in answer or reason == "memory":
            reason = f"the file needs more than {limits.memory_mib} MiB of memory; split it or export it again"
        if reason:
            raise SourceRefused(reason)
        return answer

    def _retire(self, child: _Child) -> None:
        if child in self._idle:
            self._idle.remove(child)
            task = asyncio.get_running_loop().create_task(child.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _Child:
    """One reading child and its pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls) -> _Child:
        """Start it with fixed arguments, no environment of ours, and a group of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-W", "ignore", "-m", _MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "LANG": "C.UTF-8", "PYTHONHASHSEED": "random"},
            start_new_session=True,
        )  # fmt: skip
        return cls(process)

    async def ask(self, request: Mapping[str, Any], data: bytes, most: int) -> dict[str, Any]:
        """One file there, one answer back; raises OSError, EOFError, ValueError when the child is no good any more."""
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert answers is not None
        head = json.dumps(request).encode()
        pipe.write(struct.pack(">I", len(head)) + head)
        view = memoryview(data)
        try:
            for start in range(0, len(data), _SLICE):
                pipe.write(view[start : start + _SLICE])
                await pipe.drain()
        except (BrokenPipeError, ConnectionResetError):
            log.debug("reading_child_left_early", bytes=len(data))  # its answer says why
        rows: list[dict[str, str]] = []
        while True:
            (size,) = struct.unpack(">Q", await answers.readexactly(8))
            most -= size
            if most < 0:
                raise ValueError("the answer is too long")
            part = json.loads(await answers.readexactly(size))
            if "more" not in part:
                return {**part, "rows": rows}
            rows += part["more"]
            await asyncio.sleep(0)  # many rows come in many parts, so that the loop goes on between them

    def busy(self) -> None:
        """It has work: do not end it for idling."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def rest(self, retire: Callable[[_Child], None], idle_s: float) -> None:
        """It waits for work: end it after a while."""
        self._timer = asyncio.get_running_loop().call_later(idle_s, retire, self)

    async def end(self) -> None:
        """Kill it with everything it started, and wait until it is gone."""
        self.busy()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin:
            self._process.stdin.close()
        await self._process.wait()


def _named(name: str) -> str:
    stem = PurePosixPath(name).stem.replace("_", " ").replace("-", " ").strip()
    return (stem[:1].upper() + stem[1:]) or "Untitled"
