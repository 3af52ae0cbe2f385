from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.training.subjects import SUITES, heldout
from training.commands.evaluate import main
from training.evaluate import read


async def answer(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Authorization") != "Bearer key":
        return web.Response(status=401)
    body = await request.json()
    response = web.StreamResponse()
    await response.prepare(request)
    text = f"{len(body['messages'])} messages"
    event = {"choices": [{"delta": {"content": text}, "finish_reason": "stop"}], "usage": {"completion_tokens": 2}}
    await response.write(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode())
    return response


@pytest.fixture
def url() -> Iterator[str]:
    """A server in a thread of its own: the command runs an event loop itself."""
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}/v1"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_KEY", "key")
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in heldout(8)))
    return path


def arguments(url: str, rows: Path, *more: Any) -> list[str]:
    out = rows.parent / "run/base.jsonl"
    return [
        "--rows",
        str(rows),
        "--url",
        url,
        "--key-env",
        "TEST_KEY",
        "--model",
        "m",
        "--out",
        str(out),
        *map(str, more),
    ]


def test_rows_and_suites_are_asked_and_kept(url: str, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = rows.parent / "rule.json"
    rule.write_text(json.dumps({"behaviours": ["grounded"], "checks": {"must_match": ["x"]}}))
    assert main(arguments(url, rows, "--suite", SUITES / "safety.jsonl", "--rule", rule, "--parallel", 4)) == 0
    found = read(rows.parent / "run/base.jsonl")
    assert len(found) == 8 + 25
    assert found["heldout/g0"]["row"]["checks"] == {"must_match": ["x"]}
    assert "33 prompts asked" in capsys.readouterr().out
    assert main(arguments(url, rows, "--suite", SUITES / "safety.jsonl", "--rule", rule)) == 0
    assert "0 prompts asked" in capsys.readouterr().out


def test_examples_are_shown_in_the_prompt(url: str, rows: Path) -> None:
    shots = rows.parent / "train.jsonl"
    shots.write_text("".join(json.dumps({**row, "conversation": f"t{row['id']}"}) + "\n" for row in heldout(20)))
    assert main(arguments(url, rows, "--few-shot", shots, "--shots", 1, "--limit", 2)) == 0
    assert read(rows.parent / "run/base.jsonl")["heldout/g0"]["answer"]["content"] == "4 messages"


@pytest.mark.parametrize(("key", "words"), [("", "is empty"), ("wrong", "refuses the key")])
def test_a_key_that_cannot_be_used_is_told(
    url: str, rows: Path, key: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEST_KEY", key)
    assert main(arguments(url, rows)) == 2
    assert words in capsys.readouterr().err


def test_nothing_to_ask_is_told(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", url, "--model", "m", "--out", str(tmp_path / "o")]) == 2
    assert "--rows or --suite" in capsys.readouterr().err
