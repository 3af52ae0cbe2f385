"""Asked once where anything was generated, again only where nothing was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from training.client import Answer, Asking, Client, Unanswered, Unreachable, wire_message

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUESTION = [{"role": "user", "content": "How much?"}]


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


GOOD = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Five "}),
    chunk({"content": "euros"}, "stop"),
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
]


async def stream(request: web.Request, events: list[dict[str, Any]], *, whole: bool = True) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
    if whole:
        await response.write(b"data: [DONE]\n\n")
    else:
        assert request.transport is not None
        request.transport.close()
    return response


class Script:
    """A server that answers each request by the next handler, and keeps what it was asked."""

    def __init__(self, *handlers: Handler) -> None:
        self.handlers = list(handlers)
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        return await self.handlers.pop(0)(request)


@asynccontextmanager
async def client(script: Script, asking: Asking | None = None) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", script.answer)
    async with TestServer(app) as server:
        made = Client(str(server.make_url("/v1")), "secret", asking)
        async with made.running():
            yield made


def status(code: int, headers: dict[str, str] | None = None) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text="no", headers=headers)

    return handler


async def good(request: web.Request) -> web.StreamResponse:
    return await stream(request, GOOD)


async def ask(script: Script, asking: Asking | None = None, tools: Any = ()) -> Answer:
    async with client(script, asking) as asked:
        return await asked.ask("m", QUESTION, tools)


async def test_text_usage_and_times_are_recorded() -> None:
    script = Script(good)
    answer = await ask(script, Asking(max_tokens=7, seed=3), [{"name": "find", "parameters": {}}])
    assert (answer.content, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens) == (
        "Five euros",
        "stop",
        9,
        4,
    )
    assert answer.first_token_ms is not None
    assert 0 < answer.first_token_ms <= answer.total_ms
    body = script.bodies[0]
    assert (body["model"], body["max_tokens"], body["seed"], body["temperature"]) == ("m", 7, 3, 0.0)
    assert body["tools"] == [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    assert script.keys == ["Bearer secret"]


async def test_a_call_is_put_together_from_its_pieces() -> None:
    pieces = [
        chunk({"tool_calls": [{"index": 0, "function": {"name": "find", "arguments": '{"a"'}}]}),
        chunk(
            {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}, {"index": 1, "function": {"name": "go"}}]}
        ),
        chunk({}, "tool_calls"),
    ]
    answer = await ask(Script(lambda request: stream(request, pieces)))
    assert answer.tool_calls == [{"name": "find", "arguments": '{"a": 1}'}, {"name": "go", "arguments": ""}]


async def test_what_was_not_begun_is_asked_again() -> None:
    script = Script(status(503), status(429, {"Retry-After": "0"}), good)
    assert (await ask(script)).content == "Five euros"
    assert len(script.bodies) == 3


async def test_what_broke_off_is_not_asked_again() -> None:
    script = Script(lambda request: stream(request, GOOD[:2], whole=False))
    with pytest.raises(Unanswered, match="broke off"):
        await ask(script)
    assert len(script.bodies) == 1


@pytest.mark.parametrize(
    ("handler", "error", "words"),
    [
        (status(401), Unreachable, "key"),
        (status(404), Unreachable, "--model"),
        (status(400), Unanswered, "refused the prompt"),
        (lambda request: stream(request, [{"error": "out of memory"}]), Unanswered, "gave up"),
        (lambda request: stream(request, GOOD[:1]), Unanswered, "before its end"),
    ],
)
async def test_other_faults_are_told_apart(handler: Handler, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        await ask(Script(handler))


async def test_nothing_listening_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.client.PAUSE_S", 0.001)
    async with Client("http://127.0.0.1:9/v1").running() as lonely:
        with pytest.raises(Unreachable, match="start the server"):
            await lonely.ask("m", QUESTION, ())


async def test_a_silent_server_is_waited_for_only_so_long() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        assert request.transport is not None
        while not request.transport.is_closing():
            await response.write(b": still here\n\n")
            await asyncio.sleep(0.02)
        return response

    with pytest.raises(Unanswered, match="within"):
        await ask(Script(silent), Asking(total_s=0.2))


def test_messages_of_rows_become_messages_of_requests() -> None:
    wire = wire_message({"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": {"a": 1}}]})
    assert wire == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call-0", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    }
    assert wire_message({"role": "tool", "content": "x", "tool_call_id": "c", "extra": 1}) == {
        "role": "tool",
        "content": "x",
        "tool_call_id": "c",
    }
