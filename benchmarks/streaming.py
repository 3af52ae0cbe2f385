"""Time to first token and tokens per second through frontdesk, beside direct calls of the same model server.

    python -m benchmarks.streaming [--double] [--streams 1,4,16] [--rounds 3] [--out streaming.json]

The model server (real vLLM with real weights, or ``--double``: the paced double that isolates our own overhead) is
shared. Direct calls send the very messages that frontdesk sends (same system prompt, same decoding); every question
is new, so both find only the system prompt in the prefix cache. First token: from sending the message to the first
text, a ``draft`` frame of the event stream in frontdesk's case. Rounds alternate which way goes first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.load import quantile
from benchmarks.processes import Server, double, folder, frontdesk, machine
from config.settings import ModelSettings, Settings
from models import weights
from models.serve import ModelProcess
from server.releases.bundle import bundle

LOAD_S = 600.0
ANSWER_S = 180.0
MOST_STREAMS = 16
TARGET_MS, TARGET_SHARE = 15.0, 0.97


@dataclass(slots=True)
class Upstream:
    """The model server as both ways call it."""

    base_url: str
    key: str
    body: dict[str, Any]  # of a direct request, without messages
    system: str


@dataclass(slots=True)
class Outcome:
    """One run of N streams: first tokens in ms, tokens made, seconds from the first message to the last end."""

    first_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Stream:
    """A visitor of frontdesk with an open event stream."""

    session: aiohttp.ClientSession
    url: str
    conversation: str
    headers: dict[str, str]
    first: asyncio.Future[float]
    end: asyncio.Future[float]

    async def follow(self, ready: asyncio.Event) -> None:
        """Read events until the answer; notes when its first text and its end came."""
        kind = ""
        async with self.session.get(f"{self.url}/events", headers=self.headers) as response:
            async for line in response.content:
                ready.set()
                if line.startswith(b"event: "):
                    kind = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    now = time.perf_counter()
                    if kind == "draft" and not self.first.done():
                        self.first.set_result(now)
                    if kind == "message" and json.loads(line[6:])["role"] != "customer":
                        if not self.first.done():  # an instant answer may be committed before any draft was shown
                            self.first.set_result(now)
                        self.end.set_result(now)
                        return

    async def say(self, text: str) -> float:
        """Send a message; returns when it was sent."""
        began = time.perf_counter()
        body = {"client_message_id": str(uuid.uuid4()), "text": text}
        async with self.session.post(f"{self.url}/messages", headers=self.headers, json=body) as response:
            assert response.status == 202, await response.text()
        return began


def question() -> str:
    """A question nobody asked before, always of about as many tokens, that asks for a long answer."""
    return (
        f"Ticket {random.randrange(10**7, 10**8)}: write a long story about a small shop by the sea and its customers."
    )


async def direct(upstream: Upstream, session: aiohttp.ClientSession, streams: int) -> Outcome:
    """N answers straight from the model server."""
    outcome = Outcome()
    began = time.perf_counter()
    await asyncio.gather(*[_direct(upstream, session, outcome) for _ in range(streams)])
    outcome.seconds = time.perf_counter() - began
    return outcome


async def _direct(upstream: Upstream, session: aiohttp.ClientSession, outcome: Outcome) -> None:
    messages = [{"role": "system", "content": upstream.system}, {"role": "user", "content": question()}]
    headers = {"Authorization": f"Bearer {upstream.key}"}
    began, first = time.perf_counter(), 0.0
    url = f"{upstream.base_url}/chat/completions"
    async with session.post(url, json={**upstream.body, "messages": messages}, headers=headers) as response:
        assert response.status == 200, await response.text()
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            choices = event.get("choices") or [{}]
            if not first and (choices[0].get("delta") or {}).get("content"):
                first = time.perf_counter()
            if event.get("usage"):
                outcome.tokens += event["usage"]["completion_tokens"]
    outcome.first_ms.append((first - began) * 1000)


async def through(desk: Server, database: Path, session: aiohttp.ClientSession, streams: int) -> Outcome:
    """N answers through frontdesk, each in a conversation of its own with its event stream open."""
    loop = asyncio.get_running_loop()
    visitors, readers = [], []
    for _ in range(streams):
        async with session.post(f"{desk.url}/web/session", json={"account": "default"}) as response:
            token = await response.json()
        url = f"{desk.url}/web/conversations/{token['conversation_id']}"
        headers = {"Authorization": f"Bearer {token['token']}"}
        visitors.append(
            Stream(session, url, token["conversation_id"], headers, loop.create_future(), loop.create_future())
        )
        ready = asyncio.Event()
        readers.append(asyncio.create_task(visitors[-1].follow(ready)))
        await asyncio.wait_for(ready.wait(), 10)
    outcome = Outcome()
    async with asyncio.timeout(ANSWER_S):
        began = time.perf_counter()
        sent = await asyncio.gather(*[visitor.say(question()) for visitor in visitors])
        ends = [await visitor.end for visitor in visitors]
        await asyncio.gather(*readers)
    outcome.first_ms = [(visitor.first.result() - at) * 1000 for visitor, at in zip(visitors, sent, strict=True)]
    outcome.seconds = max(ends) - began
    outcome.tokens = _tokens(database, [visitor.conversation for visitor in visitors])
    return outcome


def _tokens(database: Path, conversations: list[str]) -> int:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    marks = ",".join("?" * len(conversations))
    sql = f"select sum(completion_tokens) from turn where conversation_id in ({marks})"
    (total,) = connection.execute(sql, conversations).fetchone()
    connection.close()
    return int(total or 0)


@asynccontextmanager
async def upstream(asked: argparse.Namespace, where: Path) -> AsyncIterator[Upstream]:
    """The model server for the time of the block."""
    model = ModelSettings(max_sequences=MOST_STREAMS, answer_tokens=asked.tokens)
    settings = Settings(model=model)
    release = bundle(settings, "")
    decoding = {key: value for key, value in release["decoding"].items() if value is not None}
    body = {"model": model.name, "stream": True, "stream_options": {"include_usage": True}, **decoding}
    if asked.double:
        options = ["--tokens-per-s", str(asked.pace), "--first-token-s", "0.05"]
        async with double(where / "double.log", *options) as server:
            yield Upstream(f"{server.url}/v1", "", body, release["system_prompt"])
        return
    found = await weights.ensure(model)
    process = ModelProcess(model, found.folder, where / "vllm.log")
    await process.start()
    try:
        if not await process.wait_ready(LOAD_S):
            raise RuntimeError((where / "vllm.log").read_text(errors="replace")[-3000:])
        yield Upstream(process.base_url, process.api_key, body, release["system_prompt"])
    finally:
        await process.stop()


async def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Every figure: ``{streams: {direct: [Outcome], frontdesk: [Outcome]}}``."""
    results: dict[str, Any] = {}
    with folder() as where:
        async with (
            upstream(asked, where) as model,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            settings = {
                "MODEL__BASE_URL": model.base_url,
                "MODEL__API_KEY": model.key,
                "MODEL__MAX_SEQUENCES": str(MOST_STREAMS),
                "MODEL__ANSWER_TOKENS": str(asked.tokens),
                "MODEL__FIRST_TOKEN_TIMEOUT_S": "120",
                "MODEL__TOTAL_TIMEOUT_S": "300",
                "MODEL__GAP_TIMEOUT_S": "120",
                "STORE__URL": f"sqlite:///{where}/desk.db",
            }
            async with frontdesk("frontdesk", where / "desk", settings) as desk:
                await direct(model, session, 2)
                await through(desk, where / "desk.db", session, 2)
                for streams in [int(number) for number in asked.streams.split(",")]:
                    ways: dict[str, list[Outcome]] = {"direct": [], "frontdesk": []}
                    for number in range(asked.rounds * (3 if streams == 1 else 1)):
                        for way in sorted(ways, reverse=number % 2 == 1):
                            cpu = desk.cpu_s
                            if way == "direct":
                                outcome = await direct(model, session, streams)
                            else:
                                outcome = await through(desk, where / "desk.db", session, streams)
                            ways[way].append(outcome)
                            print(f"  {streams:3} {way:10} {_brief(outcome)} cpu {desk.cpu_s - cpu:.2f}", flush=True)
                    results[str(streams)] = ways
    return results


def _brief(outcome: Outcome) -> str:
    rate = outcome.tokens / outcome.seconds
    return f"first {statistics.median(outcome.first_ms):.1f} ms, {rate:.1f} tokens/s of {outcome.tokens}"


def report(results: dict[str, Any], asked: argparse.Namespace) -> str:
    """The table as Markdown; medians over rounds (first token: over all streams of all rounds)."""
    what = "the paced double" if asked.double else f"vLLM, {ModelSettings().name}, answers of {asked.tokens} tokens"
    columns = ["streams", "first token p50 ms direct", "through frontdesk", "added ms p50", "p99 direct / through"]
    columns += ["tokens/s direct", "through frontdesk", "ratio", "targets"]
    lines = [f"Machine: {machine()}. Model: {what}.", ""]
    lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for streams, ways in results.items():
        first = {way: [ms for outcome in ways[way] for ms in outcome.first_ms] for way in ways}
        p50 = {way: statistics.median(values) for way, values in first.items()}
        rate = {way: statistics.median([one.tokens / one.seconds for one in ways[way]]) for way in ways}
        added, share = p50["frontdesk"] - p50["direct"], rate["frontdesk"] / rate["direct"]
        verdict = "added " + ("met" if added <= TARGET_MS else "NOT met")
        verdict += ", tokens/s " + ("met" if share >= TARGET_SHARE else "NOT met")
        lines.append(
            f"| {streams} | {p50['direct']:.1f} | {p50['frontdesk']:.1f} | {added:+.1f} |"
            f" {quantile(first['direct'], 0.99):.0f} / {quantile(first['frontdesk'], 0.99):.0f} |"
            f" {rate['direct']:.1f} | {rate['frontdesk']:.1f} | {share:.3f} | {verdict} |"
        )
    return "\n".join(lines)


async def run(asked: argparse.Namespace) -> None:
    results = await measure(asked)
    print(report(results, asked))
    if asked.out:
        plain = {
            streams: {
                way: [{"first_ms": one.first_ms, "tokens": one.tokens, "seconds": one.seconds} for one in outcomes]
                for way, outcomes in ways.items()
            }
            for streams, ways in results.items()
        }
        asked.out.write_text(json.dumps({"machine": machine(), "double": asked.double, "runs": plain}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Streaming through frontdesk beside direct calls")
    parser.add_argument("--double", action="store_true", help="a paced double in vLLM's place: our own overhead")
    parser.add_argument("--pace", type=float, default=30.0, help="tokens per second and stream of the double")
    parser.add_argument("--streams", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64, help="longest answer")
    parser.add_argument("--out", type=Path, help="file for the figures as JSON")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
