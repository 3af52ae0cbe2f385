"""The whole service while documents come in: how late its loop is, how soon an edit is live, what a turn takes.

One process serves as ``frontdesk serve`` does (same loop, same wiring, MiniLM, Chroma as a child) over a folder of
Markdown files. Beside it, in processes of their own: the model double, visitors who ask a new question whenever the
last one was answered, and a bare asyncio process with the same heartbeat. The kernel tells how long a thread stood in
line for a processor, so what the machine's other work took is told apart from what the service did to itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from benchmarks.processes import ROOT, double
from benchmarks.shop_words import percentiles, quantile, questions, write_files
from config.settings import Settings
from models.serve import free_port
from server.app import STORE, build, runner_of
from server.auth.tokens import new_key
from server.store.contract import Store, Tx
from tests.scenario import Visitor

BEAT_S = 0.002
NOTED_S = 0.005  # late beats that are compared with those of the other process
VISITORS = 4
THINK_S = 0.5
EDITS = 20
EDIT_PAUSE_S = 2.0
POLL_S = 0.02
SETTLED_S = 2.0  # then the children are there and the first turns have ended
EDIT_S = 60.0  # an edit that is not found by then never is
WAIT_S = 1_800.0
LEARN_S = 600.0
ASKED = 200
WORST = 8


@dataclass
class Beats:
    """How late a loop was at each beat, seconds.

    ``noted`` are the longer ones with how much of each was the process's own: not while the loop's thread stood in line
    for a processor, and no longer than all its threads together ran.
    """

    late: list[float] = field(default_factory=list)
    noted: list[tuple[float, float]] = field(default_factory=list)

    async def go_on(self) -> None:
        """Beat until cancelled; only in the thread that runs the loop."""
        with Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").open("rb", buffering=0) as line:
            while True:
                before, queued, ran = time.perf_counter(), _queued_s(line), time.process_time()
                await asyncio.sleep(BEAT_S)
                now = time.perf_counter()
                late = now - before - BEAT_S
                self.late.append(late)
                if late > NOTED_S:
                    self.noted.append((late, min(late - _queued_s(line) + queued, time.process_time() - ran)))

    def told(self) -> str:
        """Its figures in ms."""
        worst = ", ".join(f"{each * 1_000:.1f}" for each in sorted(self.late)[: -WORST - 1 : -1])
        p99, p999 = (quantile(self.late, share) * 1_000 for share in (0.99, 0.999))
        return f"worst {worst}; p99 {p99:.1f}, p99.9 {p999:.1f} ms, {len(self.late)} beats"

    def own(self) -> str:
        """The longest stalls without what the machine took: the interpreter's lock and long callbacks are left."""
        found = sorted(((max(0.0, own), late) for late, own in self.noted), reverse=True)
        return ", ".join(f"{own * 1_000:.1f} of {late * 1_000:.1f}" for own, late in found[:WORST])


def _queued_s(line: FileIO) -> float:
    """How long the thread was ready to run and was not run, since it began; 0 where the kernel does not tell."""
    return int(os.pread(line.fileno(), 100, 0).split()[1]) / 1e9


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[dict[str, Any]]:
    """This module as a process until the block ends; what it told is in the dictionary afterwards."""
    said: dict[str, Any] = {}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.retrieval_live", *arguments, cwd=ROOT, stdin=pipe, stdout=pipe
    )
    try:
        yield said
    finally:
        output, _ = await process.communicate(b"end\n")
        said.update(json.loads(output or b"{}"))


async def noise() -> dict[str, Any]:
    """The heartbeat of a process that does nothing else, until its standard input ends."""
    beats = Beats()
    task = asyncio.create_task(beats.go_on())
    await asyncio.to_thread(sys.stdin.readline)
    task.cancel()
    return {"late": beats.late}


async def chat(base: str) -> dict[str, Any]:
    """Visitors with open streams: every answer is followed by another new question."""
    took: list[float] = []
    faults: list[str] = []
    texts = iter(questions(10_000, seed=os.getpid()))
    async with aiohttp.ClientSession() as http:

        async def visit() -> None:
            async with http.post(f"{base}/web/session", json={"account": "default"}) as answer:
                session = await answer.json()
            visitor = Visitor(http, base, session["token"], session["conversation_id"])
            visitor.follow()
            for turn in itertools.count(1):
                since = time.perf_counter()
                try:
                    await visitor.say(f"{next(texts)}?")
                    await visitor.answered(turn, 60.0)
                except AssertionError as error:
                    faults.append(str(error)[:300])
                    return
                took.append(time.perf_counter() - since)
                await asyncio.sleep(THINK_S)

        visits = [asyncio.create_task(visit()) for _ in range(VISITORS)]
        await asyncio.to_thread(sys.stdin.readline)
        for each in visits:
            each.cancel()
        await asyncio.wait(visits)
    return {"took": took, "faults": faults}


@dataclass
class Desk:
    """The running service and an admin's key to it."""

    base: str
    store: Store
    http: aiohttp.ClientSession
    learned: asyncio.Event

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call of the API; raises RuntimeError for a refusal."""
        async with self.http.request(method, f"{self.base}/api{path}", json=body) as answer:
            if not answer.ok:
                raise RuntimeError(await answer.text())
            return await answer.json()

    async def search(self, question: str) -> dict[str, Any]:
        """What retrieval finds for a question."""
        async with self.http.get(f"{self.base}/api/knowledge/search", params={"q": question, "limit": "8"}) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def indexed(self) -> None:
        """Wait until every source is read and every document is in the index."""
        async with asyncio.timeout(WAIT_S):
            while True:
                sources = (await self.call("GET", "/knowledge/sources"))["sources"]
                if all(source["state"] == "indexed" and not source["queued"] for source in sources):
                    return
                await asyncio.sleep(0.5)


@asynccontextmanager
async def desk(folder: Path, model_url: str) -> AsyncIterator[Desk]:
    """The service on a free port, as ``frontdesk serve`` makes it."""
    learned = asyncio.Event()

    def watch(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event["event"] == "sentences_learned":
            learned.set()
        if event.get("level") not in {"warning", "error"}:
            raise structlog.DropEvent
        return event

    structlog.configure(processors=[structlog.processors.add_log_level, watch, structlog.dev.ConsoleRenderer()])
    tree = {
        "data_dir": str(folder / "data"),
        "model": {"base_url": f"{model_url}/v1"},
        "engine": {"settle_s": 0.0},
        "channels": {"web": {"default": {"messages_per_minute": 10_000, "sessions_per_minute": 100_000}}},
    }
    settings = Settings.model_validate(tree)
    app = build(settings)
    runner, port, key = runner_of(app), free_port(), new_key()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    gc.collect()
    gc.freeze()

    async def add(tx: Tx) -> None:
        await tx.run(
            "access.add_key", id=key.id, tenant=settings.tenant, name="bench", role="admin", key_hash=key.key_hash,
            created_by=None, now=tx.now_s,
        )  # fmt: skip

    await app[STORE].write(add)
    try:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key.text}"}) as http:
            yield Desk(f"http://127.0.0.1:{port}", app[STORE], http, learned)
    finally:
        await runner.cleanup()


async def edits(at: Desk, kind: str, count: int) -> list[tuple[float, float]]:
    """Seconds from the call that saves an edit until a question finds the new words, and until vectors find them."""
    made = []
    for number in range(count):
        text = f"The guarantee of the {kind}-{number} lantern is one year."
        made.append((await at.call("POST", "/knowledge/documents", {"title": f"{kind}-{number}", "text": text}))["id"])
    await asyncio.sleep(EDIT_PAUSE_S)
    took = []
    for number, document in enumerate(made):
        text = f"The guarantee of the {kind}-{number} lantern is {number + 3} years since November."
        since = time.perf_counter()
        await at.call("PUT", f"/knowledge/documents/{document}", {"text": text})
        found = by_vector = 0.0
        while not by_vector:
            hits = (await at.search(f"How long is the guarantee of the {kind}-{number} lantern?"))["hits"]
            hit = next((each for each in hits if text in each["text"]), None)
            now = time.perf_counter() - since
            found = found or (now if hit else 0.0)
            by_vector = now if hit and hit["vector_rank"] else 0.0
            if now > EDIT_S:
                raise RuntimeError(f"edit {number} is not found: {hits[:2]}")
            await asyncio.sleep(POLL_S)
        took.append((found, by_vector))
        await asyncio.sleep(EDIT_PAUSE_S / 4)
    return took


async def asked(at: Desk, seed: int) -> list[float]:
    """Seconds that retrieval itself took for new questions, one after the other."""
    return [(await at.search(question))["took_ms"]["total"] / 1_000 for question in questions(ASKED, seed)]


def tell_edits(when: str, took: Sequence[tuple[float, float]]) -> None:
    """Print how soon edits were answered from."""
    for name, values in (("answerable", [each[0] for each in took]), ("by vectors", [each[1] for each in took])):
        half, most = quantile(values, 0.5), max(values)
        print(f"edit {name} {when}: p50 {half:.2f} s, longest {most:.2f} s of {len(values)}", flush=True)


async def live(size: int, folder: Path, *, edit: bool) -> None:
    """Ingest under chat load and print what happened to the loop; with ``edit`` documents are changed meanwhile."""
    shop = folder / "shop"
    shop.mkdir()
    write_files(shop, size)
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
    async with (
        double(folder / "double.log", "--tokens-per-s", "60", "--first-token-s", "0.05") as model,
        desk(folder, model.url) as at,
    ):
        beats = Beats()
        async with child("noise") as bare, child("chat", at.base) as talk:
            await asyncio.sleep(SETTLED_S)
            beating = asyncio.create_task(beats.go_on())
            started = time.perf_counter()
            await at.call(
                "POST", "/knowledge/sources", {"kind": "files", "name": "shop", "config": {"path": str(shop)}}
            )
            if edit:
                await asyncio.sleep(SETTLED_S * 5)
                tell_edits("while documents come in", await edits(at, "Zephyr", EDITS))
            await at.indexed()
            seconds = time.perf_counter() - started
            beating.cancel()
        tell(size, seconds, beats, bare, talk)
        print(f"new questions at once    {percentiles(await asked(at, 3))}", flush=True)
        if edit:
            tell_edits("afterwards", await edits(at, "Mistral", EDITS))
        print(f"sentences known          {await known(at)}")
        print(f"new questions afterwards {percentiles(await asked(at, 4))}")
        print(f"the same once more       {percentiles(await asked(at, 4))}", flush=True)


async def known(at: Desk) -> str:
    """Wait until the sentences of what was indexed are known: those of a document that comes last end it."""
    since = time.perf_counter()
    at.learned.clear()
    await at.call("POST", "/knowledge/documents", {"title": "Last", "text": "This is the last document of all."})
    try:
        async with asyncio.timeout(LEARN_S):
            await at.learned.wait()
    except TimeoutError:
        return f"not all within {LEARN_S:.0f} s"
    return f"{time.perf_counter() - since:.0f} s later"


def tell(size: int, seconds: float, beats: Beats, bare: Mapping[str, Any], talk: Mapping[str, Any]) -> None:
    """Print what the ingestion did to the loop and to the visitors."""
    print(f"{size} chunks in {seconds:.0f} s: {size / seconds:.0f} chunks/s, load average {os.getloadavg()[0]:.1f}")
    print(f"service's loop late by: {beats.told()}")
    print(f"a bare loop meanwhile:  {Beats(bare['late']).told()}")
    print(f"its own share of stalls: {beats.own()} ms")
    print(
        f"turns ({len(talk['took'])}): {percentiles(talk['took'])}; faults {len(talk['faults'])} {talk['faults'][:1]}"
    )


def main() -> None:
    """The processes beside the service."""
    parser = argparse.ArgumentParser(description="A process beside the service of benchmarks.retrieval")
    parser.add_argument("what", choices=("noise", "chat"))
    parser.add_argument("base", nargs="?", default="")
    wanted = parser.parse_args()
    print(json.dumps(asyncio.run(noise() if wanted.what == "noise" else chat(wanted.base))))


if __name__ == "__main__":
    main()
