"""Starts what a benchmark measures as processes of their own, and reads their CPU and memory from the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from models.serve import free_port

START_S = 60.0
STOP_S = 40.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Server:
    """One running process: where it listens and what the kernel calls it."""

    name: str
    url: str
    pid: int
    started_s: float  # from the start of the process to its first answer

    @property
    def cpu_s(self) -> float:
        """User and system seconds of all its threads so far."""
        return cpu_s(self.pid)

    @property
    def rss_mb(self) -> float:
        """Resident memory now."""
        return rss_mb(self.pid)


def cpu_s(pid: int) -> float:
    """User and system time of a process with all its threads, seconds."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def tree_cpu_s(pid: int) -> float:
    """The same with children, ended ones included: what PostgreSQL's backends used."""
    own = sum(int(field) for field in _stat(pid)[11:15])
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            if entry.name.isdigit():
                fields = _stat(int(entry.name))
                if int(fields[1]) == pid:
                    own += int(fields[11]) + int(fields[12])
    return own / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, ppid, …, utime is the twelfth."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()


@contextlib.contextmanager
def folder() -> contextlib.AbstractContextManager[Path]:  # type: ignore[misc]
    """A temporary folder on the disk that is measured (BENCH_DIR, else the usual one)."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"), ignore_cleanup_errors=True) as path:
        yield Path(path)


@asynccontextmanager
async def served(
    name: str, arguments: list[str], url: str, probe: str, log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Server]:
    """A Python process (``-m`` and more in ``arguments``) from its first answer on ``probe`` to the block's end."""
    began = time.perf_counter()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FRONTDESK_")}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env={**kept, **(environment or {})}, stdout=output, stderr=output
        )
    try:
        await _answering(f"{url}{probe}", process, log)
        yield Server(name, url, process.pid, time.perf_counter() - began)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answering(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + START_S
    async with aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status < 500:
                        return
            if process.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer:\n{log.read_text(errors='replace')[-3000:]}")
            await asyncio.sleep(0.01)


def double(log: Path, *options: str) -> contextlib.AbstractAsyncContextManager[Server]:
    """The instant (or paced) model in a process of its own."""
    port = free_port()
    arguments = ["-m", "tests.model_double", "--port", str(port), *options]
    return served("double", arguments, f"http://127.0.0.1:{port}", "/health", log)


def frontdesk(
    name: str, where: Path, settings: Mapping[str, str], role: str = "all"
) -> contextlib.AbstractAsyncContextManager[Server]:
    """``frontdesk serve`` with settings by environment name, without the prefix."""
    port = free_port()
    ours = {
        "HTTP__PORT": str(port),
        "DATA_DIR": str(where),
        "ENGINE__SETTLE_S": "0",
        "CHANNELS__WEB__DEFAULT__MESSAGES_PER_MINUTE": "10000",
        "CHANNELS__WEB__DEFAULT__SESSIONS_PER_MINUTE": "100000",
        "CHANNELS__WEB__DEFAULT__SITE_MESSAGES_PER_MINUTE": "1000000",
        **settings,
    }
    where.mkdir(parents=True, exist_ok=True)
    prefixed = {f"FRONTDESK_{key}": value for key, value in ours.items()}
    arguments = ["-c", "from server.cli import main; main()", "serve", "--role", role]
    return served(name, arguments, f"http://127.0.0.1:{port}", "/livez", where / "log", prefixed)


def bare(name: str, store: str, where: Path) -> contextlib.AbstractAsyncContextManager[Server]:
    """The smallest honest peer: one aiohttp handler, one durable insert."""
    port = free_port()
    where.mkdir(parents=True, exist_ok=True)
    arguments = ["-m", "benchmarks.bare", "--port", str(port), "--store", store]
    return served(name, arguments, f"http://127.0.0.1:{port}", "/", where / "log")


def machine() -> str:
    """The processor in words and how busy the machine is with other work."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line), "unknown")
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores of {model}, Python {sys.version.split()[0]}, load average {load}"
