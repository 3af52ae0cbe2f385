import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.model_double import MODES, ModelDouble, answer_to

ROOT = Path(__file__).parents[1]
NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": NAME, "messages": [{"role": "user", "content": text}], **more}


async def test_answers_whole_and_streamed_are_the_same_text():
    async with ModelDouble() as double, aiohttp.ClientSession() as session:
        url = f"{double.base_url}/chat/completions"
        async with session.post(url, json=body("hello")) as response:
            answer = await response.json()
        assert answer["choices"][0]["message"]["content"] == answer_to("hello")
        async with session.post(url, json=body("hello", stream=True)) as response:
            text = await response.text()
        assert text.endswith("data: [DONE]\n\n")
        assert '"content": " hello"' in text


async def test_faults_pace_script_and_stats_are_set_over_http():
    async with ModelDouble() as double, aiohttp.ClientSession() as session:
        root = double.base_url.removesuffix("/v1")
        url = f"{double.base_url}/chat/completions"
        async with session.post(f"{root}/double/faults", json={"mode": "500", "times": 1}) as response:
            assert await response.json() == {"mode": "500", "times": 1}
        async with session.post(f"{root}/double/faults", json={"mode": "nonsense"}) as response:
            assert response.status == 400
        statuses = []
        for _ in range(2):
            async with session.post(url, json=body("x")) as response:
                statuses.append(response.status)
        assert statuses == [500, 200]
        await session.post(f"{root}/double/pace", json={"first_token_s": 0.05})
        await session.post(f"{root}/double/script", json={"say": "as told", "call": "f", "arguments": {"a": 1}})
        started = time.monotonic()
        async with session.post(url, json=body("x")) as response:
            call = (await response.json())["choices"][0]["message"]["tool_calls"][0]
        assert time.monotonic() - started >= 0.05
        assert call["function"] == {"name": "f", "arguments": '{"a": 1}'}
        async with session.post(url, json=body("x")) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == "as told"
        async with session.get(f"{root}/double/stats") as response:
            stats = await response.json()
        assert (stats["requests"], stats["faults"], stats["concurrent"]) == (4, 1, 0)
        assert stats["last_user_messages"] == ["x"] * 4
        await session.post(f"{root}/double/reset")
        assert double.stats.requests == 0


async def test_restarting_keeps_the_port():
    double = ModelDouble()
    await double.start()
    port = double.port
    await double.stop()
    await double.start()
    assert double.port == port
    await double.stop()


def test_every_mode_stands_in_the_documentation():
    documentation = sys.modules[ModelDouble.__module__].__doc__ or ""
    assert all(mode in documentation for mode in MODES)
    with pytest.raises(ValueError, match="unknown mode"):
        ModelDouble().fail("nonsense")


async def test_runs_alone_and_sustains_a_thousand_answers_per_second():
    command = [sys.executable, "-m", "tests.model_double", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip() + "/chat/completions"
    answers = 0

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal answers
        for _ in range(100):
            async with session.post(url, json=body("hi", stream=True)) as response:
                answers += (await response.read()).endswith(b"[DONE]\n\n")

    before = _cpu_s(process.pid)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(ask(session) for _ in range(10)))
    used_s = _cpu_s(process.pid) - before
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert answers == 1_000
    assert used_s < 1.0  # processor time: a busy machine must not fail this


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
