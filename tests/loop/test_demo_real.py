"""`frontdesk demo --once` as a user runs it: real vLLM, real weights, one streamed answer, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import socket
import sys
import time
import uuid
from pathlib import Path

import pytest

from server.commands.demo import GREETING, QUESTIONS
from server.install import ROOT

TIMEOUT_S = 400
GONE_S = 5.0  # a helper of multiprocessing notices the end of its parent by itself, a moment later
MARK = "DEMO_TEST_MARK"  # no setting of ours, so the model server inherits it too

pytestmark = [
    pytest.mark.loop,
    pytest.mark.timeout(TIMEOUT_S + 30),  # the test's own deadline comes first: it ends what it started
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vllm is not importable; install requirements/demo-cpu.txt"
    ),
]


async def test_once_streams_a_real_answer_and_leaves_no_process(tmp_path: Path) -> None:
    mark = f"{MARK}={uuid.uuid4()}"
    process = await demo(tmp_path, mark)
    family: set[int] = set()
    lines: list[str] = []
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for line in process.stdout:
                lines.append(line.decode())
                if "model up" in lines[-1]:
                    family = below(process.pid)
            code = await process.wait()
    finally:
        text = "".join(lines)
        left = await still_running(family, mark, GONE_S if process.returncode is not None else 0.0)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        await process.wait()
    assert code == 0, text
    assert family, "vLLM was a child process"
    assert left == set(), text
    check(text)


def check(text: str) -> None:
    """The stages in their order, and a real answer between the question and its time."""
    for stage, question in QUESTIONS.items():
        answer = re.search(re.escape(f"customer: {question}") + rf"\s+assistant: (.+?)\[.*{stage}", text, re.DOTALL)
        assert answer is not None, text
        assert answer[1].strip(), text
    assert re.search(r"from documents .* in [\d.]+ s, \d source", text), "the answer from documents has a footnote"
    assert GREETING in text
    places = [text.find(part) for part in ("server up", "weights", "model up", "streamed in", "stopped")]
    assert -1 not in places, text
    assert places == sorted(places), text


async def demo(folder: Path, mark: str) -> asyncio.subprocess.Process:
    """The started command; standard error comes with the output."""
    name, _, value = mark.partition("=")
    clean = {key: text for key, text in os.environ.items() if not key.startswith("FRONTDESK_")}
    if cache := os.environ.get("FRONTDESK_CACHE_DIR"):
        clean["FRONTDESK_CACHE_DIR"] = cache
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "demo", "--once"),
        cwd=ROOT,
        env=clean | {"FRONTDESK_DATA_DIR": str(folder), "FRONTDESK_HTTP__PORT": str(port), name: value},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def still_running(family: set[int], mark: str, patience_s: float) -> set[int]:
    """What is alive of the family and of everything marked, after ``patience_s`` at most."""
    deadline = time.monotonic() + patience_s
    while (left := running(family | marked(mark))) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return left


def below(root: int) -> set[int]:
    """Every process under ``root``, itself left out."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return set(found[1:])


def marked(mark: str) -> set[int]:
    """Every process that inherited the mark, whoever its parent is by now."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.add(int(folder.name))
    return found


def running(pids: set[int]) -> set[int]:
    """Those of ``pids`` that are alive; a zombie has no program any more."""
    return {pid for pid in pids if Path(f"/proc/{pid}/exe").exists()}
