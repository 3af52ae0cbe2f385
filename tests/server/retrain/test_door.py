"""The evaluating child's private address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientPayloadError, ClientSession

from models.chat import Decoding, Delta, ModelBusy, ModelRefused, ModelTimeout, ModelUnavailable, Usage
from server.releases.bundle import Release
from server.retrain.contract import Doorway
from server.retrain.door import Door, Queue
from tests.server.engine.bench import ScriptedLLM, calling, settings_for

TOOLS = [{"type": "function", "function": {"name": "stock", "parameters": {"type": "object"}}}]


async def bundle(release_id: str) -> Release:
    if release_id != "r1":
        raise LookupError("no such release")
    return Release("r1", "base", "shop-1", "Be kind.", "t", Decoding(max_tokens=50), 2_048)


async def ask(door: Doorway, model: str, **more: Any) -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "system", "content": "old rules"},
                                         {"role": "user", "content": "how long?"}], "max_tokens": 9} | more  # fmt: skip
    headers = {"Authorization": f"Bearer {door.key}"}
    async with ClientSession() as http, http.post(f"{door.url}/chat/completions", json=body, headers=headers) as answer:
        return answer.status, (await answer.json() if not more.get("stream") else await answer.text())


def door(llm: ScriptedLLM, folder: Path, busy: bool = False) -> Door:
    return Door(llm, bundle, settings_for(folder), lambda: busy)


async def test_raw_is_the_model_itself(tmp_path: Path):
    llm = ScriptedLLM("3 days")
    async with door(llm, tmp_path).open() as way:
        status, answer = await ask(way, "raw:shop-2")
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "3 days ")
        assert [message.content for message in llm.prompts[0]] == ["old rules", "how long?"]
        assert llm.how[0]["model"] == "shop-2"
        assert llm.how[0]["decoding"].max_tokens == 9
        assert answer["usage"]["completion_tokens"] == 2


async def test_a_release_is_the_whole_assistant_with_the_recorded_passages(tmp_path: Path):
    llm = ScriptedLLM("Parcels take 3 days [1].")
    async with door(llm, tmp_path).open() as way:
        sources = [{"id": "p1", "title": "Shipping", "text": "Parcels take 3 days."}]
        status, answer = await ask(way, "release:r1", sources=sources)
        assert status == 200, answer
        system = llm.prompts[0][0].content
        assert system.startswith("Be kind.")
        assert "Parcels take 3 days." in system
        assert "old rules" not in system, "the release brings its own"
        assert llm.how[0]["model"] == "shop-1"
        assert answer["choices"][0]["message"]["citations"][0]["passage"] == "p1"


async def test_streams_and_calls(tmp_path: Path):
    llm = ScriptedLLM(calling(("stock", {"item": "lamp"})))
    async with door(llm, tmp_path).open() as way:
        _, answer = await ask(way, "raw:base", tools=TOOLS)
        assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "stock"
        _, text = await ask(way, "raw:base", tools=TOOLS, stream=True, stream_options={"include_usage": True})
        assert '"name": "stock"' in text
        assert '"completion_tokens": 5' in text
        assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("error", "status"), [
    (ModelUnavailable("away"), 503), (ModelBusy("full"), 429), (ModelRefused("too long"), 400),
    (ModelTimeout("total", 1.0), 504),
])  # fmt: skip
async def test_faults_have_their_status(tmp_path: Path, error: Exception, status: int):
    async with door(ScriptedLLM(error), tmp_path).open() as way:
        assert (await ask(way, "raw:base"))[0] == status


async def test_only_its_evaluation_may_ask_and_only_while_it_is_open(tmp_path: Path):
    async with door(ScriptedLLM("yes"), tmp_path).open() as way:
        assert way.url.startswith("http://127.0.0.1:")
        assert (await ask(Doorway(way.url, "guess"), "raw:base"))[0] == 401
        for model in ("base", "raw:", "release:", "release:nothing"):
            assert (await ask(way, model))[0] == 404
        assert (await ask(way, "raw:base", messages=[]))[0] == 400
    with pytest.raises(ClientConnectorError):
        await ask(way, "raw:base")


async def test_customers_go_first() -> None:
    busy = True
    queue, inside, most = Queue(3, lambda: busy), 0, []

    async def work() -> None:
        nonlocal inside
        async with queue.turn():
            inside += 1
            most.append(inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(3)))
    assert max(most) == 1
    busy = False
    most.clear()
    await asyncio.gather(*(work() for _ in range(6)))
    assert max(most) == 3


async def test_a_stream_that_breaks_off_ends_without_its_end(tmp_path: Path):
    async def broken() -> AsyncIterator[Delta]:
        yield Delta("half ", usage=Usage(1, 1))
        raise ModelUnavailable("gone")

    async with door(ScriptedLLM(broken), tmp_path).open() as way:
        with pytest.raises(ClientPayloadError):
            await ask(way, "raw:base", stream=True)
