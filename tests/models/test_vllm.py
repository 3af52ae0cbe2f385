import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from models.chat import (
    ChatMessage,
    Deadlines,
    Decoding,
    Delta,
    ModelBusy,
    ModelError,
    ModelProtocolError,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ToolCall,
    ToolSpec,
)
from models.serve import free_port
from models.vllm import VLLM
from tests.model_double import ModelDouble, Pace

NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
HELLO = (ChatMessage("system", "be brief"), ChatMessage("user", "hello there"))
TOOL = ToolSpec("order_status", "Look up an order.", {"type": "object", "properties": {"id": {"type": "string"}}})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUICK = Deadlines(first_token_s=0.3, gap_s=0.3, total_s=5)
PATIENT = Deadlines(first_token_s=10, gap_s=10, total_s=30)  # where no deadline is meant to pass


@pytest.fixture
async def double():
    async with ModelDouble(api_key="k") as running:
        yield running


@pytest.fixture
async def client(double: ModelDouble):
    client = VLLM(double.base_url, "k")
    yield client
    await client.close()


def ask(
    client: VLLM,
    messages: Sequence[ChatMessage] = HELLO,
    deadlines: Deadlines = PATIENT,
    model: str = NAME,
    decoding: Decoding | None = None,
    **more: Any,
):
    return client.chat(messages, model=model, decoding=decoding or Decoding(), deadlines=deadlines, **more)


async def whole(client: VLLM, **more: Any) -> list[Delta]:
    return [delta async for delta in ask(client, **more)]


async def until(condition: Callable[[], bool], seconds: float = 3.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_streams_text_and_ends_with_reason_and_usage(client: VLLM, double: ModelDouble):
    deltas = await whole(client)
    assert "".join(delta.text for delta in deltas) == "answer to: hello there"
    assert [delta.finish_reason for delta in deltas][-2:] == [None, "stop"]
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == 4
    assert double.stats.prompts[0]["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello there"},
    ]


async def test_tool_calls_arrive_whole_in_the_last_delta(client: VLLM, double: ModelDouble):
    double.call_next("order_status", {"id": "A-17"})
    deltas = await whole(client, tools=(TOOL,), tool_choice="order_status")
    assert deltas == [
        Delta(
            tool_calls=(ToolCall("call-order_status", "order_status", '{"id": "A-17"}'),),
            finish_reason="tool_calls",
            usage=deltas[-1].usage,
        )
    ]


async def test_a_server_of_ours_is_given_the_grammar_of_a_forced_call_and_its_text_is_the_call(double: ModelDouble):
    client = VLLM(double.base_url, "k", tags=True)
    text = '<tool_call>{"name": "order_status", "arguments": {"id": "{A}}"}}</tool_call>'
    double.answers.append(text)
    deltas = await whole(client, tools=(TOOL,), tool_choice="order_status")
    assert [(delta.text, delta.finish_reason) for delta in deltas] == [("", "tool_calls")]
    assert deltas[0].tool_calls == (ToolCall("call-0", "order_status", '{"id": "{A}}"}'),)
    wishes = double.stats.prompts[0]["wishes"]
    assert wishes["tool_choice"] == "none"
    assert "order_status" in wishes["structured_outputs"]["structural_tag"]
    assert wishes["tools"][0]["function"]["name"] == "order_status"  # the template still tells of it
    double.answers.append("I would rather talk.")
    with pytest.raises(ModelProtocolError, match="grammar"):
        await whole(client, tools=(TOOL,), tool_choice="order_status")
    assert "".join(delta.text for delta in await whole(client, tools=(TOOL,))) == "answer to: hello there"
    assert "structured_outputs" not in double.stats.prompts[-1]["wishes"]
    await client.close()


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("500", ModelUnavailable),
        ("429", ModelBusy),
        ("400", ModelRefused),
        ("refuse", ModelUnavailable),
        ("cut", ModelProtocolError),
        ("garbage", ModelProtocolError),
        ("empty", ModelProtocolError),
    ],
)
async def test_each_fault_has_its_error_and_the_next_answer_is_fine(
    client: VLLM, double: ModelDouble, mode: str, error: type[ModelError]
):
    double.fail(mode, times=1)
    with pytest.raises(error) as caught:
        await whole(client)
    assert "hello there" not in str(caught.value)  # errors are logged; customers' words are not
    assert (await whole(client))[-1].finish_reason == "stop"


async def test_busy_says_how_long_to_wait(client: VLLM, double: ModelDouble):
    double.fail("429", times=1)
    with pytest.raises(ModelBusy) as caught:
        await whole(client)
    assert caught.value.retry_after_s == 1.0


@pytest.mark.parametrize(
    ("mode", "pace", "deadlines", "stage"),
    [
        ("hang", Pace(), QUICK, "first_token"),
        ("ok", Pace(first_token_s=30), QUICK, "first_token"),
        ("stall", Pace(), QUICK, "gap"),
        ("ok", Pace(tokens_per_s=10), Deadlines(first_token_s=0.3, gap_s=0.3, total_s=0.35), "total"),
    ],
)
async def test_silence_ends_at_its_deadline(
    client: VLLM, double: ModelDouble, mode: str, pace: Pace, deadlines: Deadlines, stage: str
):
    double.fail(mode, times=1)
    double.pace = pace
    with pytest.raises(ModelTimeout) as caught:
        await whole(client, deadlines=deadlines)
    assert caught.value.stage == stage
    await until(lambda: double.stats.concurrent == 0)


async def test_closing_the_iterator_closes_the_connection(client: VLLM, double: ModelDouble):
    double.pace = Pace(tokens_per_s=20)
    async with contextlib.aclosing(ask(client, messages=(ChatMessage("user", "w " * 500),))) as stream:
        assert (await anext(stream)).text
        assert double.stats.concurrent == 1
    await until(lambda: double.stats.cancelled == 1)
    assert double.stats.concurrent == 0


async def test_cancelling_the_task_closes_the_connection(client: VLLM, double: ModelDouble):
    double.fail("hang", times=1)
    task = asyncio.create_task(whole(client))
    await until(lambda: double.stats.concurrent == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: double.stats.cancelled == 1)


async def test_connections_are_reused_after_whole_answers(client: VLLM, double: ModelDouble):
    for _ in range(3):
        await whole(client)
    assert double.stats.connections == 1


async def test_unknown_models_and_wrong_keys_are_the_services_fault(client: VLLM, double: ModelDouble):
    with pytest.raises(ModelUnavailable, match=r"model\.name"):
        await whole(client, model="nobody")
    stranger = VLLM(double.base_url, "wrong")
    with pytest.raises(ModelUnavailable, match=r"model\.api_key"):
        await whole(stranger)
    await stranger.close()


async def test_nothing_listening_is_unavailable():
    client = VLLM(f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ModelUnavailable):
        await whole(client)
    assert await client.health() is False
    with pytest.raises(ModelUnavailable):
        await client.models()
    await client.close()


async def test_decoding_and_tools_go_out_as_asked():
    seen = []

    async def chat(request: web.Request):
        seen.append(await request.json())
        return web.Response(status=400, text="This model's maximum context length is 2048 tokens")

    async with serving(chat) as url:
        client = VLLM(lambda: url + "/")
        decoding = Decoding(0.2, 9, 0.9, 7, ("END",), 1.1, {"ignore_eos": True})
        for choice in (None, "auto", "required", "order_status"):
            with pytest.raises(ModelRefused, match="context"):
                await whole(client, decoding=decoding, tools=(TOOL,), tool_choice=choice)
        await client.close()
    body = seen[0]
    expected = {
        "temperature": 0.2,
        "max_tokens": 9,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "repetition_penalty": 1.1,
    }
    assert {key: body[key] for key in expected} == expected
    assert body["ignore_eos"] is True
    named = {"type": "function", "function": {"name": "order_status"}}
    assert [b["tool_choice"] for b in seen] == ["auto", "auto", "required", named]


@contextlib.asynccontextmanager
async def serving(handler: Handler):
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    app.router.add_get("/v1/models", handler)
    app.router.add_post("/v1/{change}_lora_adapter", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (
            b'data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: [DONE]\n\n',
            ModelProtocolError,
        ),  # no finish reason
        (
            b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "abort"}]}\n\ndata: [DONE]\n\n',
            ModelProtocolError,
        ),
        (
            b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n',
            ModelProtocolError,
        ),  # no end mark
        (b"data: [1]\n\n", ModelProtocolError),
        (b'data: {"choices": [7]}\n\n', ModelProtocolError),
        (b'data: {"usage": {"x": 1}}\n\n', ModelProtocolError),
        (b"data: " + b"x" * 2_000_000, ModelProtocolError),
        (b'data: {"error": {"code": 500, "message": "engine died"}}\n\n', ModelUnavailable),
        (b'data: {"error": {"code": 400, "message": "bad"}}\n\n', ModelRefused),
        (b'data: {"error": "odd"}\n\n', ModelUnavailable),
    ],
)
async def test_broken_streams_are_told_apart(stream: bytes, error: type[ModelError]):
    async def handler(_: web.Request):
        return web.Response(body=stream, content_type="text/event-stream")

    async with serving(handler) as url:
        client = VLLM(url)
        with pytest.raises(error):
            await whole(client)
        await client.close()


async def test_events_may_arrive_in_any_pieces():
    frames = (
        ': comment\r\n\r\ndata: {"choices": [{"delta": {"content": "grü"}}]}\r\n\r\n'
        'data:{"choices": [{"delta": {"content": "ße"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    ).encode()

    async def handler(request: web.Request):
        response = web.StreamResponse()
        await response.prepare(request)
        for i in range(len(frames)):
            await response.write(frames[i : i + 1])
        return response

    async with serving(handler) as url:
        client = VLLM(url)
        assert "".join(delta.text for delta in await whole(client)) == "grüße"
        await client.close()


async def test_split_tool_calls_are_joined():
    pieces = [
        '{"index": 0, "id": "x", "function": {"name": "a", "arguments": "{\\"i\\""}}',
        '{"index": 1, "function": {"name": "b"}}',
        '{"index": 0, "function": {"arguments": ": 1}"}}',
    ]
    events = "".join(f'data: {{"choices": [{{"delta": {{"tool_calls": [{piece}]}}}}]}}\n\n' for piece in pieces)
    events += 'data: {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}\n\ndata: [DONE]\n\n'

    async def handler(_: web.Request):
        return web.Response(text=events, content_type="text/event-stream")

    async with serving(handler) as url:
        client = VLLM(url)
        (last,) = await whole(client)
        assert last.tool_calls == (ToolCall("x", "a", '{"i": 1}'), ToolCall("call-1", "b", "{}"))
        await client.close()


async def test_adapters_are_loaded_listed_and_unloaded(client: VLLM):
    await client.load_adapter("default-0123", "/a")
    assert await client.models() == [NAME, "default-0123"]
    with pytest.raises(ModelRefused, match="already loaded"):
        await client.load_adapter("default-0123", "/a")
    await client.unload_adapter("default-0123")
    with pytest.raises(ModelRefused) as caught:
        await client.unload_adapter("default-0123")
    assert caught.value.status == 404


async def test_a_broken_adapter_is_the_adapters_fault_and_never_replaces_a_loaded_one():
    bodies: list[dict[str, Any]] = []

    async def handler(request: web.Request):
        bodies.append(await request.json())
        return web.json_response({"error": {"message": "vLLM does not yet support DoRA."}}, status=500)

    async with serving(handler) as url:
        client = VLLM(url)
        with pytest.raises(ModelRefused, match="500: vLLM does not yet support DoRA") as caught:
            await client.load_adapter("default-0123", "/a")
        assert caught.value.status == 500
        with pytest.raises(ModelUnavailable, match="500"):
            await client.unload_adapter("default-0123")
        await client.close()
    assert bodies == [{"lora_name": "default-0123", "lora_path": "/a"}, {"lora_name": "default-0123"}]
    client = VLLM(f"http://127.0.0.1:{free_port()}/v1")
    with pytest.raises(ModelUnavailable, match="not reachable"):
        await client.load_adapter("default-0123", "/a")
    await client.close()


async def test_health_follows_the_server(client: VLLM, double: ModelDouble):
    assert await client.health()
    double.fail("500")
    assert not await client.health()
    double.fail("refuse")
    assert not await client.health()


async def test_servers_without_a_health_route_are_asked_for_models():
    async def handler(_: web.Request):
        return web.json_response({"data": [{"id": "m"}]})

    async with serving(handler) as url:
        client = VLLM(url)
        assert await client.health()
        await client.close()


async def test_an_unreadable_model_list_is_a_protocol_error():
    async def handler(_: web.Request):
        return web.Response(text="<html>")

    async with serving(handler) as url:
        client = VLLM(url)
        with pytest.raises(ModelProtocolError):
            await client.models()
        assert not await client.health()
        await client.close()


async def test_a_session_of_the_callers_own_is_used(double: ModelDouble):
    sessions = []

    def open_one() -> aiohttp.ClientSession:
        sessions.append(aiohttp.ClientSession())
        return sessions[-1]

    client = VLLM(double.base_url, "k", open_one)
    await whole(client)
    await client.close()
    assert sessions[0].closed
    await whole(client)
    assert len(sessions) == 2
    await client.close()
