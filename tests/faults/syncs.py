"""A gateway under strace: does the sync really come before each 2xx?

``python -m tests.faults.syncs --store sqlite|postgresql [--careless]`` prints the proof and exits with 1 if it fails.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults import tables
from tests.faults.processes import Deployment, database
from tests.faults.trace import SYSCALLS, Proof, parse, prove

ALONE = 12  # messages one after the other
TOGETHER = 24  # then these at once, so that commits are grouped
TEXT_BYTES = "70000"  # of each write that strace prints: more than a commit of all of them


def missing() -> str:
    """Why this machine cannot trace, or an empty text."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", "0.3"]) as sleeper:
        attach = ["strace", "-qq", "-e", "trace=none", "-p", str(sleeper.pid)]
        done = subprocess.run(attach, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"strace may not attach here: {done.stderr.strip()[:200]}"


async def traced(url: str, folder: Path, *, careless: bool) -> Proof:
    """Run a gateway on an empty store, let it accept messages, and judge what the kernel was asked to do."""
    entry = "tests.faults.careless" if careless else "server.cli"
    deployment = Deployment(url, folder, "gateway", "http://127.0.0.1:9/v1", entry=entry)
    async with deployment.running(), aiohttp.ClientSession() as http:
        tokens = await _sessions(http, deployment.gateway.url, TOGETHER)
        await _say(http, deployment.gateway.url, tokens[0])  # connections and statements are prepared by now
        pids = [deployment.gateway.pid, *(await _server_pids(url))]
        async with _strace(pids, folder / "trace"):
            alone = [await _say(http, deployment.gateway.url, tokens[0]) for _ in range(ALONE)]
            together = await asyncio.gather(*(_say(http, deployment.gateway.url, token) for token in tokens))
    with (folder / "trace").open(encoding="utf-8", errors="replace") as lines:
        return prove(parse(lines), url.partition(":")[0], [*alone, *together], alone)


async def _sessions(http: aiohttp.ClientSession, base: str, count: int) -> list[dict[str, Any]]:
    sessions = []
    for _ in range(count):
        async with http.post(f"{base}/web/session", json={}) as response:
            response.raise_for_status()
            sessions.append(await response.json())
    return sessions


async def _say(http: aiohttp.ClientSession, base: str, session: dict[str, Any]) -> str:
    """Send one message and return the id of its acknowledgement."""
    url = f"{base}/web/conversations/{session['conversation_id']}/messages"
    body = {"client_message_id": os.urandom(16).hex(), "text": "Is my parcel on its way?"}
    async with http.post(url, json=body, headers={"Authorization": f"Bearer {session['token']}"}) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["message_id"])


async def _server_pids(url: str) -> list[int]:
    """The processes of the database server, none for SQLite."""
    if not url.startswith("postgresql"):
        return []
    folder = (await tables.fetch(url, "select current_setting('data_directory') as folder"))[0]["folder"]
    postmaster = int(Path(folder, "postmaster.pid").read_text(encoding="ascii").split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
    return [postmaster, *map(int, children)]


@asynccontextmanager
async def _strace(pids: list[int], output: Path) -> AsyncIterator[None]:
    """Trace these processes and their threads until the block ends."""
    which = [part for pid in pids for part in ("-p", str(pid))]
    process = await asyncio.create_subprocess_exec(
        "strace", "-f", "-qq", "-y", "-s", TEXT_BYTES, "-e", f"trace={SYSCALLS}", "-e", "signal=none",
        "-o", str(output), *which, stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip  # what it says: a connection that ended just now is no process any more
    try:
        async with asyncio.timeout(20):
            while not all(_attached(pid) for pid in pids):
                if process.returncode is not None:
                    raise RuntimeError(f"strace ended with {process.returncode} before it was attached")
                await asyncio.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 20)


def _attached(pid: int) -> bool:
    """Whether every thread has a tracer; a process that ended meanwhile needs none."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return all("TracerPid:\t0\n" not in (thread / "status").read_text(encoding="ascii") for thread in threads)
    except (FileNotFoundError, ProcessLookupError):
        return True


def main() -> int:
    """Parse, trace, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--store", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--careless", action="store_true", help="the negative control: must fail")
    arguments = parser.parse_args()
    why = missing()
    if why:
        print(f"not traced: {why}")
        return 2
    with tempfile.TemporaryDirectory(prefix="desk-sync-") as name, database(arguments.store, Path(name)) as url:
        proof = asyncio.run(traced(url, Path(name), careless=arguments.careless))
    print(
        f"{arguments.store}{' careless' if arguments.careless else ''}: {proof}: {'holds' if proof.holds else 'FAILS'}"
    )
    return 0 if proof.holds else 1


if __name__ == "__main__":
    sys.exit(main())
