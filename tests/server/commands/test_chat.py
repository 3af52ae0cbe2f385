"""The terminal client as a process of its own, against the real server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from server.install import ROOT
from tests.model_double import ModelDouble, Pace
from tests.server.commands.test_client import desk

TIMEOUT_S = 30.0


async def chat(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "chat", "--url", url),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_lines_in_answers_out(tmp_path: Path) -> None:
    async with desk(tmp_path) as url, asyncio.timeout(TIMEOUT_S):
        process = await chat(url)
        out, err = await process.communicate(b"\nFirst question\nSecond question\n")
        assert (process.returncode, err) == (0, b"")
        text = out.decode()
        assert text.index("First question") < text.index("Second question")


async def test_quit_leaves_without_waiting_for_more(tmp_path: Path) -> None:
    async with desk(tmp_path) as url, asyncio.timeout(TIMEOUT_S):
        process = await chat(url)
        assert process.stdin is not None
        process.stdin.write(b"/quit\n")
        await process.stdin.drain()
        assert await process.wait() == 0


async def test_ctrl_c_stops_an_answer_and_then_leaves(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(TIMEOUT_S),
        ModelDouble(Pace(tokens_per_s=2)) as slow,
        desk(tmp_path, slow.base_url) as url,
    ):
        process = await chat(url)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"Tell me a very long story with many words please\n")
        await process.stdin.drain()
        seen = b""
        while b"answer to" not in seen:
            part = await process.stdout.read(100)
            assert part, seen
            seen += part
        process.send_signal(signal.SIGINT)
        while slow.stats.cancelled == 0:
            await asyncio.sleep(0.02)
        process.stdin.write(b"/quit\n")
        await process.stdin.drain()
        assert await process.wait() == 0
