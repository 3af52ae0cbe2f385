"""Real vLLM with adapters: nobody gets a neighbour's adapter with our plug-in, and base requests do without it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from config.settings import ModelSettings
from models import supervised, weights
from models.adapters import Adapters, write_manifest
from models.base_identity import BaseIdentity
from models.serve import ModelProcess, command_line, environment, free_port
from models.vllm import VLLM
from tests.adapter_files import DEMO, write_adapter

pytestmark = [
    pytest.mark.loop,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vllm is not importable; install requirements/demo-cpu.txt"
    ),
]

SETTINGS = ModelSettings(device="cpu", lora_slots=3, lora_rank=8, max_sequences=16, load_timeout_s=600)
QUESTIONS = (
    "What is the capital of France?",
    "What is the capital of Italy?",
    "Count from one to ten.",
    "Which animal barks?",
)
TOKENS = 12
FIRST_NEAR = 0.1  # of a log probability: the first token is computed alike in every batch, so nothing may move it
NEAR = 1.0  # of the tokens after it, which bf16 sums of another batch size move by up to 0.5; an adapter by more
STRENGTH = 0.05  # of the weights in B: other words, still of the same language


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: its tokens, and for each the log probabilities of the five best candidates."""

    tokens: tuple[str, ...]
    best: tuple[dict[str, float], ...]

    @property
    def text(self) -> str:
        """The answer as it is read."""
        return "".join(self.tokens)

    def near(self, other: Said) -> bool:
        """Whether both came from the same weights."""
        return self.distance(other, 1) < FIRST_NEAR and self.distance(other, TOKENS) < NEAR

    def distance(self, other: Said, tokens: int) -> float:
        """The largest difference of a candidate's log probability, up to the first token that is another one.

        At that token two candidates were so close that rounding decided: they are compared, what follows is not.
        """
        worst = 0.0
        for mine, theirs, one, two in zip(self.best, other.best, self.tokens, other.tokens, strict=True):
            shared = mine.keys() & theirs.keys()
            if len(shared) <= 2:
                return float("inf")
            worst = max(worst, *(abs(mine[token] - theirs[token]) for token in shared))
            tokens -= 1
            if one != two or not tokens:
                break
        return worst


class Desk:
    """Asks the running server."""

    def __init__(self, llm: VLLM, key: str) -> None:
        self.llm, self._key = llm, key

    async def ask(self, model: str, question: str) -> Said:
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0}
        body |= {"max_tokens": TOKENS, "ignore_eos": True, "logprobs": True, "top_logprobs": 5}
        headers = {"Authorization": f"Bearer {self._key}"}
        url = f"{self.llm.base_url}/chat/completions"
        async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as response:
            assert response.status == 200, await response.text()
            choice = (await response.json())["choices"][0]
        rows = choice["logprobs"]["content"]
        best = tuple({entry["token"]: entry["logprob"] for entry in row["top_logprobs"]} for row in rows)
        return Said(tuple(row["token"] for row in rows), best)

    async def together(self, models: list[str]) -> list[list[Said]]:
        """Every model is asked every question, all at once; answers by model, then question."""
        asked = [self.ask(model, question) for question in QUESTIONS for model in models]
        said = await asyncio.gather(*asked)
        return [list(said[position :: len(models)]) for position in range(len(models))]

    async def alone(self, model: str) -> list[Said]:
        """The same questions with nobody else in the batch."""
        return [await self.ask(model, question) for question in QUESTIONS]


def same(found: list[Said], expected: list[Said]) -> list[str]:
    """What differs, in words."""
    pairs = list(zip(QUESTIONS, found, expected, strict=True))
    print("distances", *(f"{f.distance(e, 1):.2f}/{f.distance(e, TOKENS):.2f}" for _, f, e in pairs))
    return [f"{q}: {f.text!r} instead of {e.text!r}" for q, f, e in pairs if not f.near(e)]


async def adapters(folder: Path, count: int) -> list[Path]:
    """Adapters of the real model that went through the registry and its checks, as any served one does."""

    def put() -> list[Path]:
        base = BaseIdentity.of(weights_folder)
        registry = Adapters(folder / "adapters", base, max_rank=SETTINGS.lora_rank)
        sources = [folder / f"source-{seed}" for seed in range(count)]
        for seed, source in enumerate(sources):
            write_adapter(source, SETTINGS.name, DEMO, rank=8, seed=seed, strength=STRENGTH)
            write_manifest(source, base)
        return [registry.put(source, "default").path for source in sources]

    weights_folder = (await weights.ensure(SETTINGS)).folder
    return await asyncio.to_thread(put)


@asynccontextmanager
async def as_shipped(folder: Path) -> AsyncIterator[Desk]:
    """vLLM with our command line, but without our plug-in: something that frontdesk itself refuses to do."""
    found = await weights.ensure(SETTINGS)
    port = free_port()
    env = environment(SETTINGS, "key", os.environ)
    process, _ = await supervised.start(command_line(SETTINGS, found.folder, port), folder / "vllm.log", env)
    llm = VLLM(f"http://127.0.0.1:{port}/v1", "key")
    try:
        deadline = time.monotonic() + 600
        while not await llm.health():
            assert process.returncode is None, (folder / "vllm.log").read_text()[-3_000:]
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)
        yield Desk(llm, "key")
    finally:
        await llm.close()
        await supervised.stop(process)


async def test_with_the_plug_in_no_request_gets_a_neighbours_adapter(tmp_path: Path) -> None:
    folders = await adapters(tmp_path, 9)
    prepared: list[str] = []

    async def prepare(llm: VLLM) -> None:
        for folder in folders[:4]:
            await llm.load_adapter(folder.name, str(folder))
            prepared.append(folder.name)

    found = await weights.ensure(SETTINGS)
    log_path = tmp_path / "vllm.log"
    process = ModelProcess(SETTINGS, found.folder, log_path, prepare=prepare)
    await process.start()
    try:
        assert await process.wait_ready(600), log_path.read_text()[-3_000:]
        desk = Desk(process.client, process.api_key)
        names = list(prepared)
        assert set(names) < set(await desk.llm.models())
        base = await desk.alone(SETTINGS.name)
        alone = [await desk.alone(name) for name in names]
        _each_differs([base, *alone])
        assert same(await desk.alone(SETTINGS.name), base) == []
        for name, expected in zip(names, alone, strict=True):  # every slot beside the base, the last one too
            mixed = await desk.together([SETTINGS.name, name])
            assert same(mixed[0], base) == []
            assert [said.text for said in mixed[0]] == [said.text for said in base]
            assert same(mixed[1], expected) == []
        for mixed, expected in zip(await desk.together(names), alone, strict=True):
            assert same(mixed, expected) == []
        await _promote(desk, names[0], folders[4:], base)
    finally:
        await process.stop()


async def _promote(desk: Desk, live: str, following: list[Path], base: list[Said]) -> None:
    """Load, ask, unload the one before, five times: each new one is itself, and the base stays the base."""
    for folder in following:
        await desk.llm.load_adapter(folder.name, str(folder))
        mixed = await desk.together([SETTINGS.name, folder.name, live])
        assert same(mixed[0], base) == []
        assert same(mixed[1], await desk.alone(folder.name)) == []
        assert same(mixed[2], await desk.alone(live)) == []
        await desk.llm.unload_adapter(live)
        assert live not in await desk.llm.models()
        live = folder.name
        assert same(await desk.alone(SETTINGS.name), base) == []
    assert same((await desk.together([SETTINGS.name, live]))[0], base) == []


def _each_differs(answers: list[list[Said]]) -> None:
    for number, one in enumerate(answers):
        for other in answers[:number]:
            assert len(same(one, other)) >= 2, "the adapters' effect is too small to tell them apart"


async def test_without_the_plug_in_base_requests_get_the_adapter_of_the_last_slot(tmp_path: Path) -> None:
    folders = await adapters(tmp_path, 4)
    async with as_shipped(tmp_path) as desk:
        base = await desk.alone(SETTINGS.name)
        for folder in folders:
            await desk.llm.load_adapter(folder.name, str(folder))
        assert same(await desk.alone(SETTINGS.name), base) == []  # alone it is itself
        mixed = await desk.together([SETTINGS.name, folders[0].name])
        assert len(same(mixed[0], base)) >= 2
        assert same(await desk.alone(SETTINGS.name), base) == []  # and again, once the neighbour is gone
