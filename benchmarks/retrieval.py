"""What retrieval costs: embedding, the two halves beside their alternatives, and the loop while documents come in.

    python -m benchmarks.retrieval embed
    python -m benchmarks.retrieval halves [--chunks 10000] [--chunks 100000]
    python -m benchmarks.retrieval stall [--chunks 5000]
    python -m benchmarks.retrieval save [--chunks 5000]

``halves`` compares in one run: exact search in numpy, Chroma as this project runs it, tantivy, SQLite FTS5 with
any-term queries. Vectors are random around 2,000 centres, texts are drawn from the demo shop's words by their
frequency. ``stall`` and ``save`` (with edits) run the whole service
over a shop of that size while visitors ask: see ``retrieval_live``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.retrieval_live import live
from benchmarks.shop_words import WORDS_PER_CHUNK, percentiles, questions, texts
from models.embedding import MiniLM
from server.knowledge.chroma import ChromaVectors
from server.knowledge.chroma_server import ChromaServer
from server.knowledge.contract import Chunk, Vectors
from server.knowledge.lexical import TantivyIndex
from server.knowledge.vectors import ExactVectors, FollowingVectors

WIDTH, CENTRES, SPREAD = 384, 2_000, 0.7
PER_DOCUMENT = 20
QUESTIONS = 200
LIMIT = 40


def clustered(size: int) -> tuple[Vectors, Vectors]:
    """Vectors around centres, and questions near some of them."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((CENTRES, WIDTH), dtype=np.float32)
    rows = centres[generator.integers(0, CENTRES, size)]
    rows += SPREAD * generator.standard_normal((size, WIDTH), dtype=np.float32)
    asked = rows[generator.integers(0, size, QUESTIONS)]
    asked = asked + 0.3 * generator.standard_normal((QUESTIONS, WIDTH), dtype=np.float32)
    return tuple(part / np.linalg.norm(part, axis=1, keepdims=True) for part in (rows, asked))  # type: ignore[return-value]


def chunks(size: int) -> list[Chunk]:
    found = []
    for at, text in enumerate(texts(size)):
        document = at // PER_DOCUMENT
        audience = "staff" if document % 10 == 0 else "customer"
        found.append(Chunk(f"d{document}:{at}", f"d{document}", f"Page {document}", "", text, "", audience))
    return found


async def timed(ask: Callable[[int], Awaitable[object]], size: int = QUESTIONS) -> list[float]:
    took = []
    for at in range(size):
        started = time.perf_counter()
        await ask(at)
        took.append(time.perf_counter() - started)
    return took


async def embed() -> None:
    model = MiniLM()
    started = time.perf_counter()
    await model.warm()
    print(f"load                 {time.perf_counter() - started:7.2f} s")
    asked = questions(QUESTIONS)
    print(f"question             {percentiles(await timed(lambda at: model.embed([asked[at]], query=True)))}")
    documents = list(texts(160))
    started = time.perf_counter()
    await model.embed(documents)
    rate = len(documents) / (time.perf_counter() - started)
    print(f"documents            {rate:7.1f} chunks/s of {WORDS_PER_CHUNK} words")
    await model.close()


async def fill(index: FollowingVectors, held: list[Chunk], rows: Vectors) -> float:
    await index.open(WIDTH)
    started = time.perf_counter()
    for at in range(0, len(held), 1_000):
        await index.extend(held[at : at + 1_000], rows[at : at + 1_000])
    return time.perf_counter() - started


async def halves(size: int, folder: Path) -> None:
    print(f"--- {size:,} chunks, {LIMIT} hits, one customer in a shop of two audiences")
    held, (rows, asked) = chunks(size), clustered(size)
    exact, server = ExactVectors(), ChromaServer(folder / f"chroma{size}", folder / "chroma.log")
    chroma = ChromaVectors(server, "bench", "bench")
    for name, index in (("exact numpy", exact), ("chroma", chroma)):
        seconds = await fill(index, held, rows)
        took = await timed(lambda at, index=index: index.search(asked[at], "customer", LIMIT))
        print(f"{name:20} {percentiles(took)}   filled at {size / seconds:6.0f} chunks/s")
    same = 0
    for at in range(QUESTIONS):
        near = {hit.chunk_id for hit in (await chroma.search(asked[at], "customer", LIMIT))}
        same += len({hit.chunk_id for hit in (await exact.search(asked[at], "customer", 10))} & near)
    print(f"chroma holds {same / QUESTIONS / 10:.3f} of the exact first ten among its {LIMIT}")
    await chroma.close()
    await words(held)


async def words(held: list[Chunk]) -> None:
    index = TantivyIndex()
    started = time.perf_counter()
    index.extend(held)
    index.commit()
    seconds = time.perf_counter() - started
    asked = questions(QUESTIONS)
    took = await timed(lambda at: asyncio.to_thread(index.search, asked[at], "customer", LIMIT))
    print(f"{'tantivy':20} {percentiles(took)}   filled at {len(held) / seconds:6.0f} chunks/s")
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "create virtual table t using fts5(id unindexed, title, text, audience unindexed, tokenize=porter)"
        )
        started = time.perf_counter()
        rows = ((chunk.id, chunk.title, chunk.text, chunk.audience) for chunk in held)
        database.executemany("insert into t values (?, ?, ?, ?)", rows)
        seconds = time.perf_counter() - started

        async def ask(at: int) -> object:
            terms = " OR ".join(f'"{word}"' for word in asked[at].split())
            found = database.execute(
                "select id from t where t match ? and audience = 'customer' order by bm25(t) limit ?", (terms, LIMIT)
            )
            return found.fetchall()

        print(f"{'sqlite fts5':20} {percentiles(await timed(ask, 40))}   filled at {len(held) / seconds:6.0f} chunks/s")


async def run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        if arguments.what == "embed":
            await embed()
        elif arguments.what == "halves":
            for size in arguments.chunks or (10_000, 100_000):
                await halves(size, Path(name))
        else:
            await live((arguments.chunks or [5_000])[0], Path(name), edit=arguments.what == "save")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=("embed", "halves", "stall", "save"))
    parser.add_argument("--chunks", type=int, action="append")
    arguments = parser.parse_args()
    uvloop: Any = importlib.import_module("uvloop")  # what ``frontdesk serve`` runs on where it is installed
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(arguments))


if __name__ == "__main__":
    main()
