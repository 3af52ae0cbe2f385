"""What an adapter costs on the real model server on a CPU: with our LoRA plug-in, and as vLLM is shipped.

    python -m benchmarks.adapters [--streams 1,4,16] [--rounds 2] [--tokens 32] [--rows 24] [--out adapters.json]

One server with the plug-in, then one without (which frontdesk itself refuses to run), both with the same arguments,
weights and prompts. Tokens per second count from the first request to the last end. ``evaluation``: the same rows, four
at a time, asked of the base and of an adapter, as the gate does. Adapters are random ones of every linear layer: speed
does not depend on what they say.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.processes import folder, machine
from config.settings import ModelSettings
from models import supervised, weights
from models.serve import ModelProcess, command_line, environment, free_port
from models.vllm import VLLM
from tests.adapter_files import DEMO, write_adapter

LOAD_S = 600.0
RANK = 16
ADAPTERS = 4
SETTINGS = ModelSettings(device="cpu", lora_slots=ADAPTERS, lora_rank=RANK, max_sequences=16, load_timeout_s=LOAD_S)
WORDS = (
    "order",
    "parcel",
    "refund",
    "invoice",
    "delivery",
    "colour",
    "branch",
    "repair",
    "warranty",
    "address",
    "account",
)
EVALUATION_STREAMS = 4


class Server:
    """A running model server with what the rounds ask of it."""

    def __init__(self, base_url: str, key: str, tokens: int) -> None:
        self.llm = VLLM(base_url, key)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._tokens = tokens

    async def ask(self, session: aiohttp.ClientSession, model: str, prompt: str) -> tuple[float, int]:
        """Seconds to the first token, and tokens made."""
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        body |= {"max_tokens": self._tokens, "ignore_eos": True, "stream": True}
        body |= {"stream_options": {"include_usage": True}}
        started, first, made = time.monotonic(), 0.0, 0
        url = f"{self.llm.base_url}/chat/completions"
        async with session.post(url, json=body, headers=self._headers) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                first = first or time.monotonic() - started
                made = (json.loads(line[6:]).get("usage") or {}).get("completion_tokens", made)
        return first, made

    async def together(self, models: list[str], prompts: list[str], parallel: int) -> dict[str, float]:
        """Every prompt of its model, ``parallel`` at a time."""
        gate = asyncio.Semaphore(parallel)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:

            async def one(model: str, prompt: str) -> tuple[float, int]:
                async with gate:
                    return await self.ask(session, model, prompt)

            started = time.monotonic()
            done = await asyncio.gather(*(one(*pair) for pair in zip(models, prompts, strict=True)))
            seconds = time.monotonic() - started
        first = statistics.median(first for first, _ in done)
        tokens_per_s = sum(made for _, made in done) / seconds
        return {"tokens_per_s": tokens_per_s, "first_ms": first * 1_000, "seconds": seconds}


def prompts(count: int, words: int) -> list[str]:
    """New questions every time, so that no prefix is known already."""
    return [f"Case {random.random()}: " + " ".join(random.choices(WORDS, k=words)) + "?" for _ in range(count)]


@asynccontextmanager
async def with_plugin(where: Path, found: Path, tokens: int) -> AsyncIterator[Server]:
    """The server as frontdesk runs it."""
    process = ModelProcess(SETTINGS, found, where / "plugin.log")
    await process.start()
    try:
        if not await process.wait_ready(LOAD_S):
            raise RuntimeError((where / "plugin.log").read_text(errors="replace")[-3_000:])
        yield Server(process.base_url, process.api_key, tokens)
    finally:
        await process.stop()


@asynccontextmanager
async def as_shipped(where: Path, found: Path, tokens: int) -> AsyncIterator[Server]:
    """The same command line without the plug-in."""
    port = free_port()
    env = environment(SETTINGS, "key", os.environ)
    process, _ = await supervised.start(command_line(SETTINGS, found, port), where / "shipped.log", env)
    server = Server(f"http://127.0.0.1:{port}/v1", "key", tokens)
    try:
        deadline = time.monotonic() + LOAD_S
        while not await server.llm.health():
            if process.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError((where / "shipped.log").read_text(errors="replace")[-3_000:])
            await asyncio.sleep(0.5)
        yield server
    finally:
        await server.llm.close()
        await supervised.stop(process)


async def measure(server: Server, adapters: list[Path], asked: argparse.Namespace, rounds: int) -> dict[str, Any]:
    """Figures by number of streams and kind of request; of several rounds the median."""
    for path in adapters:
        await server.llm.load_adapter(path.name, str(path))
    names = [path.name for path in adapters]
    await server.together([SETTINGS.name, names[0]], prompts(2, 20), 2)
    results: dict[str, Any] = {}
    for streams in [int(number) for number in asked.streams.split(",")]:
        kinds = {"base": [SETTINGS.name] * streams, "adapter": [names[0]] * streams}
        kinds["mixed"] = [names[number % len(names)] for number in range(streams)]
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        for number in range(rounds):
            for kind in sorted(kinds, reverse=number % 2 == 1):
                outcome = await server.together(kinds[kind], prompts(streams, 60), streams)
                found[kind].append(outcome)
                print(f"  {streams:3} {kind:8} {outcome['tokens_per_s']:7.1f} tok/s", flush=True)
        results[str(streams)] = {kind: _median(outcomes) for kind, outcomes in found.items()}
    return results


async def evaluate(server: Server, adapter: str, rows: int) -> dict[str, float]:
    """Seconds for the same rows on the base and on an adapter, twice, in both orders."""
    questions = prompts(rows, 150)
    taken: dict[str, list[float]] = {SETTINGS.name: [], adapter: []}
    for model in (SETTINGS.name, adapter, adapter, SETTINGS.name):
        fresh = [f"{len(taken[model])}{model}{question}" for question in questions]  # no block is known already
        taken[model].append((await server.together([model] * rows, fresh, EVALUATION_STREAMS))["seconds"])
    base_s, adapter_s = (statistics.mean(seconds) for seconds in taken.values())
    return {"base_s": base_s, "adapter_s": adapter_s, "ratio": adapter_s / base_s}


def _median(outcomes: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(outcome[key] for outcome in outcomes), 2) for key in outcomes[0]}


def table(results: dict[str, Any]) -> str:
    """The figures as a table of tokens per second."""
    lines = ["| streams | kind | plug-in tok/s | of its base | as shipped tok/s | plug-in / shipped | first token ms |"]
    lines.append("|---|---|---|---|---|---|---|")
    for streams, kinds in results["plugin"].items():
        for kind, row in kinds.items():
            ours, share = row["tokens_per_s"], row["tokens_per_s"] / kinds["base"]["tokens_per_s"]
            theirs = results["shipped"].get(streams, {}).get(kind)
            beside = f"{theirs['tokens_per_s']:.1f} | {ours / theirs['tokens_per_s']:.1f}" if theirs else "- | -"
            first = f"{row['first_ms']:.0f} / {theirs['first_ms']:.0f}" if theirs else f"{row['first_ms']:.0f}"
            lines.append(f"| {streams} | {kind} | {ours:.1f} | {share:.2f} | {beside} | {first} |")
    return "\n".join(lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--streams", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--without-shipped", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = (await weights.ensure(SETTINGS)).folder
    results: dict[str, Any] = {"machine": machine(), "load": os.getloadavg(), "plugin": {}, "shipped": {}}
    with folder() as where:
        names = [where / f"bench-{number:012x}" for number in range(ADAPTERS)]
        adapters = [write_adapter(path, SETTINGS.name, DEMO, rank=RANK, seed=n) for n, path in enumerate(names)]
        async with with_plugin(where, found, asked.tokens) as server:
            results["plugin"] = await measure(server, adapters, asked, asked.rounds)
            results["evaluation"] = await evaluate(server, adapters[0].name, asked.rows)
            await server.llm.close()
        if not asked.without_shipped:
            async with as_shipped(where, found, asked.tokens) as server:
                results["shipped"] = await measure(server, adapters, asked, 1)
    results["load_after"] = os.getloadavg()
    print(table(results))
    print("evaluation", results["evaluation"], "load", results["load"], results["load_after"])
    if asked.out:
        asked.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
