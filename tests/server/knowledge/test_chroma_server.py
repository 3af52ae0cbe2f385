from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from server.knowledge import chroma_server as module
from server.knowledge.chroma_server import ChromaServer, environment
from server.knowledge.contract import IndexUnavailable
from tests.server.knowledge.library import until

DOUBLE = """
import sys, http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
FAILING = "import sys; sys.exit('broken folder')"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF_S", (0.01,))
    monkeypatch.setattr(module, "LOCK_POLL_S", 0.02)
    monkeypatch.setattr(module, "HEALTH_POLL_S", 0.05)
    monkeypatch.setattr(module, "POLL_S", 0.02)


@asynccontextmanager
async def server(folder: Path, program: str = DOUBLE) -> AsyncIterator[ChromaServer]:
    running = ChromaServer(folder / "chroma", folder / "chroma.log", program)
    try:
        yield running
    finally:
        await running.close()


def listener_of(address: str) -> list[int]:
    port = address.rpartition(":")[2]
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if line[:1] == [sys.executable.encode()] and port.encode() in line and b"-c" in line[:4]:
            found.append(int(entry.parent.name))
    return found


async def test_it_starts_on_first_use_and_ends_with_us(tmp_path: Path):
    async with server(tmp_path) as running:
        assert not (tmp_path / "chroma").exists()
        assert not await running.may_write()
        address = await running.address()
        assert address.startswith("http://127.0.0.1:")
        assert await running.address() == address
        assert await running.may_write()
    assert listener_of(address) == []
    assert not (tmp_path / "chroma.address").exists()


async def test_a_killed_server_comes_back(tmp_path: Path):
    async with server(tmp_path) as running:
        [pid] = listener_of(await running.address())
        os.kill(pid, signal.SIGKILL)
        await until(lambda: running.restarts == 1)
        address = await running.address()
        async with aiohttp.ClientSession() as session, session.get(f"{address}/api/v2/heartbeat") as answer:
            assert answer.status == 200


async def test_a_second_process_uses_the_first_ones_server_and_takes_over(tmp_path: Path):
    async with server(tmp_path) as second:
        async with server(tmp_path) as first:
            address = await first.address()
            assert await second.address() == address
            assert (await first.may_write(), await second.may_write()) == (True, False)
        async with asyncio.timeout(15):
            while not await second.may_write():
                await asyncio.sleep(0.02)
        assert await second.address() != ""


async def test_a_folder_that_ends_the_server_each_time_is_set_aside(tmp_path: Path):
    (tmp_path / "chroma").mkdir()
    (tmp_path / "chroma" / "chroma.sqlite3").write_text("garbage")
    async with server(tmp_path, FAILING) as running:
        with pytest.raises(IndexUnavailable, match="Chroma does not answer"):
            await running.address(0.3)
        await until(lambda: list(tmp_path.glob("chroma.broken-*")))
        assert "broken folder" in (tmp_path / "chroma.log").read_text()
        assert "status 1" in running.reason


def test_the_child_gets_no_secret_and_tells_nobody():
    told = environment({"FRONTDESK_HTTP__KEY": "secret", "PATH": "/bin"})
    assert told == {"PATH": "/bin", "PYTHONSAFEPATH": "1", "ANONYMIZED_TELEMETRY": "False", "DO_NOT_TRACK": "1"}
