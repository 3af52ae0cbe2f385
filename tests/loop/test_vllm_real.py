"""The real model server, started once with the real weights: streaming, token counts, cancelling, adapters, dying."""

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from config.settings import ModelSettings
from models import weights
from models.chat import (
    ChatMessage,
    Deadlines,
    Decoding,
    Delta,
    ModelRefused,
    ModelState,
    ModelUnavailable,
    ToolCall,
    ToolSpec,
)
from models.prompt import open_budget
from models.serve import ModelProcess

pytestmark = [
    pytest.mark.loop,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vllm is not importable; install requirements/demo-cpu.txt"
    ),
]

SETTINGS = ModelSettings(lora_slots=1, lora_rank=8, max_sequences=4, load_timeout_s=600)
PATIENT = Deadlines(first_token_s=120, gap_s=60, total_s=300)  # the machine may be busy; speed is not tested here
SLOT = ToolSpec(
    "find_slot",
    "Find a free appointment.",
    {
        "type": "object",
        "properties": {
            "day": {"type": "string", "enum": ["Monday", "Tuesday"]},
            "service": {"type": "string", "enum": ["repair", "sale"]},
        },
        "required": ["day"],
        "additionalProperties": False,  # without it a small model invents keys until its tokens run out
    },
)
PLAIN = (ChatMessage("system", "You are a helpful assistant."), ChatMessage("user", "What is the capital of France?"))
WITH_TOOLS = (
    ChatMessage("system", "You book appointments. Grüße, 12345 & <b>!"),
    ChatMessage("user", "A repair on Monday at 10:45 <|im_end|> please ✓"),
    ChatMessage("assistant", "", (ToolCall("call-1", "find_slot", '{"day": "Monday", "service": "repair"}'),)),
    ChatMessage("tool", '{"free": ["10:45"]}', tool_call_id="call-1"),
    ChatMessage("user", "Yes, that one. お願いします"),
)


class Server:
    """The running server with what the tests ask of it."""

    def __init__(self, process: ModelProcess, folder: Path, states: list[ModelState]) -> None:
        self.process, self.folder, self.states = process, folder, states
        self.llm = process.client

    async def answer(
        self, messages: tuple[ChatMessage, ...], model: str = SETTINGS.name, **more: object
    ) -> list[Delta]:
        decoding = Decoding(max_tokens=24)
        stream = self.llm.chat(messages, model=model, decoding=decoding, deadlines=PATIENT, **more)
        return [delta async for delta in stream]

    async def running(self) -> float:
        root = self.process.base_url.removesuffix("/v1")
        async with aiohttp.ClientSession() as session, session.get(f"{root}/metrics") as response:
            text = await response.text()
        return sum(float(n) for n in re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", text, re.MULTILINE))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    log_path = tmp_path_factory.mktemp("vllm") / "vllm.log"
    found = await weights.ensure(SETTINGS)
    states: list[ModelState] = []
    process = ModelProcess(SETTINGS, found.folder, log_path, states.append)
    started = time.monotonic()
    await process.start()
    try:
        assert await process.wait_ready(600), log_path.read_text()[-3_000:]
        print(f"ready after {time.monotonic() - started:.1f} s")
        yield Server(process, found.folder, states)
    finally:
        await process.stop()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"{what} not within {seconds} s"
        await asyncio.sleep(0.05)


async def test_streams_an_answer(server: Server) -> None:
    deltas = await server.answer(PLAIN)
    text = "".join(delta.text for delta in deltas)
    assert "Paris" in text
    assert len(deltas) > 3
    assert deltas[-1].finish_reason in {"stop", "length"}
    assert server.states[-1] is ModelState.READY


@pytest.mark.parametrize("messages", [PLAIN, WITH_TOOLS], ids=["plain", "tools"])
@pytest.mark.parametrize("tools", [(), (SLOT,)], ids=["without", "with"])
async def test_counts_prompt_tokens_exactly(
    server: Server, messages: tuple[ChatMessage, ...], tools: tuple[ToolSpec, ...]
) -> None:
    deltas = await server.answer(messages, tools=tools)
    usage = deltas[-1].usage
    assert usage is not None
    assert open_budget(server.folder, 2_048).count(messages, tools) == usage.prompt_tokens


async def test_a_named_tool_is_called_with_arguments_of_its_schema(server: Server) -> None:
    question = (PLAIN[0], ChatMessage("user", "Is there a repair slot on Monday?"))
    stream = server.llm.chat(
        question,
        model=SETTINGS.name,
        decoding=Decoding(max_tokens=120),
        deadlines=PATIENT,
        tools=(SLOT,),
        tool_choice="find_slot",
    )
    calls = [call async for delta in stream for call in delta.tool_calls]
    assert [call.name for call in calls] == ["find_slot"]
    assert json.loads(calls[0].arguments)["day"] in {"Monday", "Tuesday"}


async def test_closing_the_stream_stops_the_generation(server: Server) -> None:
    stream = server.llm.chat(
        (ChatMessage("user", "Count from one to one thousand."),),
        model=SETTINGS.name,
        decoding=Decoding(max_tokens=1_500, extra={"ignore_eos": True}),
        deadlines=PATIENT,
    )
    async with contextlib.aclosing(stream):
        async for delta in stream:
            assert delta.text
            break
        await until(lambda: _equals(server, 1), 5, "one request running")
    started = time.monotonic()
    await until(lambda: _equals(server, 0), 5, "no request running")
    print(f"cancelled after {time.monotonic() - started:.2f} s")


async def _equals(server: Server, count: int) -> bool:
    return await server.running() == count


async def test_an_unknown_model_and_a_long_prompt_are_refused(server: Server) -> None:
    with pytest.raises(ModelUnavailable, match="does not know"):
        await server.answer(PLAIN, model="nobody")
    with pytest.raises(ModelRefused, match="context"):
        await server.answer((ChatMessage("user", "word " * 3_000),))


async def test_loads_and_unloads_an_adapter(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "default-0123456789ab"
    write_zero_adapter(folder)
    await server.llm.load_adapter(folder.name, str(folder))
    assert folder.name in await server.llm.models()
    base, adapted = await asyncio.gather(server.answer(PLAIN), server.answer(PLAIN, model=folder.name))
    assert "".join(d.text for d in base) == "".join(d.text for d in adapted)  # zeros change nothing
    with pytest.raises(ModelRefused):
        await server.llm.load_adapter(folder.name, str(folder))
    await server.llm.unload_adapter(folder.name)
    assert folder.name not in await server.llm.models()
    with pytest.raises(ModelRefused):
        await server.llm.unload_adapter(folder.name)


async def test_the_key_is_asked_for_and_never_an_argument(server: Server) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.process.base_url}/models") as response:
        assert response.status == 401
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            assert server.process.api_key.encode() not in (folder / "cmdline").read_bytes()


async def test_a_killed_server_comes_back(server: Server) -> None:
    family = descendants(server.process.pid)
    assert len(family) >= 2
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    await until(lambda: _is(server, ModelState.DOWN, seen=True), 10, "down seen")
    assert await server.process.wait_ready(300)
    assert "Paris" in "".join(delta.text for delta in await server.answer(PLAIN))


async def _is(server: Server, state: ModelState, *, seen: bool) -> bool:
    return (state in server.states) is seen


async def test_stopping_leaves_no_process(server: Server) -> None:
    family = descendants(server.process.pid)
    await server.process.stop()
    assert [pid for pid in family if Path(f"/proc/{pid}/exe").exists()] == []


def descendants(root: int | None) -> list[int]:
    """The process and everything below it."""
    assert root is not None
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def write_zero_adapter(folder: Path, rank: int = 8) -> None:
    """A LoRA adapter of the demo model whose every weight is zero."""
    numpy = pytest.importorskip("numpy")
    save_file = pytest.importorskip("safetensors.numpy").save_file
    folder.mkdir()
    tensors = {}
    for layer in range(30):
        for name, width in (("q_proj", 576), ("v_proj", 192)):
            prefix = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{prefix}.lora_A.weight"] = numpy.zeros((rank, 576), numpy.float32)
            tensors[f"{prefix}.lora_B.weight"] = numpy.zeros((width, rank), numpy.float32)
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": SETTINGS.name,
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": ["q_proj", "v_proj"],
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
