from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.knowledge import Knowledge
from server.knowledge import retrieval as module
from server.knowledge.contract import NOTHING, Audience, Hit, Vectors
from server.knowledge.index import Index
from server.knowledge.rerank import Reranker, RerankFailed
from server.knowledge.retrieval import Retrieval
from tests.server.knowledge.library import Library, WordVectors, embeddings, indexing, open_library
from tests.server.knowledge.test_index import Fragile

LAMPS = "The lamp dims with every dimmer of the trailing edge kind."
WOOL = "Blankets are washed by hand in cold water."


class Slow(Fragile):
    """Never answers a question once it is slow."""

    slow = False

    async def search(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        if self.slow:
            await asyncio.sleep(60)
        return await super().search(vector, audience, limit)


class Backwards(Reranker):
    """Prefers the last; fails when told to."""

    fails = False

    async def order(self, _question: str, texts: Sequence[str], _limit_s: float) -> list[int]:
        if self.fails:
            raise RerankFailed("away")
        return list(reversed(range(len(texts))))


@dataclass
class Desk:
    library: Library
    index: Index
    vectors: Slow
    backend: WordVectors
    retrieval: Retrieval

    async def ready(self) -> None:
        await self.index.caught_up(await self.library.settled(), vectors=True)

    async def ask(self, question: str, **more: Any) -> list[str]:
        found = await self.retrieval.retrieve(question, **more)
        return [passage.chunk.text for passage in found.passages]


@asynccontextmanager
async def desk(url: str, reranker: Reranker | None = None, **settings: float) -> AsyncIterator[Desk]:
    backend, vectors = WordVectors(), Slow()
    known = Knowledge.model_validate(settings)
    async with open_library(url) as library, indexing(library, backend):
        index = Index(library.store, library.tenant, embeddings(backend), vectors)
        async with index.running():
            retrieval = Retrieval(library.store, library.tenant, index, known, reranker)
            yield Desk(library, index, vectors, backend, retrieval)


async def test_both_halves_answer_together(store_url: str):
    async with desk(store_url) as running:
        await running.library.put("lamps", LAMPS, title="Lamps")
        await running.library.put("wool", WOOL, title="Wool")
        await running.ready()
        found = await running.retrieval.retrieve("Which dimmer does the lamp need?")
        best = found.passages[0]
        assert best.chunk.text == LAMPS
        assert (best.chunk.title, best.chunk.url) == ("Lamps", "https://shop.example/lamps")
        assert (best.lexical_rank, best.vector_rank) == (1, 1)
        assert best.similarity is not None
        assert best.similarity > 0.2
        assert found.confidence > 0
        assert (found.empty, found.degraded) == (False, "")
        assert {"lexical", "embed", "vector", "check", "total"} <= found.took_ms.keys()


async def test_without_documents_there_is_nothing(store_url: str):
    async with desk(store_url) as running:
        await running.index.loaded.wait()
        assert await running.retrieval.retrieve("anything") == NOTHING
        assert await running.retrieval.retrieve("  ") == NOTHING


async def test_what_is_for_staff_is_never_found_for_customers(store_url: str):
    async with desk(store_url) as running:
        document = await running.library.put("rota", "The lamp rota of the staff", audience="staff")
        other = await running.library.put("lamps", LAMPS)
        await running.ready()
        assert await running.ask("lamp rota") == [LAMPS]
        assert len(await running.ask("lamp rota", audience="staff")) == 2
        await running.library.store.write(lambda tx: tx.run("library.hide", id=other))
        assert await running.ask("lamp rota") == []  # at once: each hit is looked up
        await running.library.store.write(lambda tx: tx.run("library.forget_source", id=f"{running.library.tenant}-s"))
        assert await running.ask("lamp rota", audience="staff") == []
        assert document


async def test_lost_vectors_leave_the_words_and_say_so(store_url: str):
    async with desk(store_url) as running:
        await running.library.put("lamps", LAMPS)
        await running.ready()
        running.vectors.away = "gone"
        found = await running.retrieval.retrieve("lamp with dimmer")
        assert [passage.chunk.text for passage in found.passages] == [LAMPS]
        assert found.degraded == "vectors"
        assert found.passages[0].similarity is not None  # compared with the stored vector all the same
        running.backend.away = "no model"
        found = await running.retrieval.retrieve("lamp with dimmer")
        assert found.degraded == "vectors"
        assert [passage.similarity for passage in found.passages] == [None]


async def test_a_late_half_is_not_waited_for(store_url: str):
    async with desk(store_url, timeout_s=0.4) as running:
        await running.library.put("lamps", LAMPS)
        await running.ready()
        running.vectors.slow = True
        async with asyncio.timeout(2):
            found = await running.retrieval.retrieve("lamp with dimmer")
        assert [passage.chunk.text for passage in found.passages] == [LAMPS]
        assert found.degraded == "vectors late"


async def test_near_copies_are_shown_once_and_few_of_one_document(store_url: str):
    async with desk(store_url, passages=6) as running:
        for name in ("a", "b", "c"):
            await running.library.put(name, LAMPS)
        parts = "\n\n".join(f"# Lamp {at}\n\n" + f"lamp word{at} " * 15 for at in range(6))
        await running.library.put("many", parts)
        await running.ready()
        texts = await running.ask("lamp dimmer")
        assert texts.count(LAMPS) == 1
        assert len(texts) == 4


async def test_the_passages_fit_their_room_and_the_limit(store_url: str):
    async with desk(store_url, passage_tokens=100) as running:
        for at in range(6):
            await running.library.put(f"d{at}", f"lamp number{at} " * 15)
        await running.ready()
        texts = await running.ask("lamp")
        assert 1 < len(texts) < 4
        assert sum(map(len, texts)) / 3.5 < 100
        assert len(await running.ask("lamp number1 number2", limit=1)) == 1


async def test_a_reranker_may_change_the_order_and_may_fail(store_url: str):
    reranker = Backwards("http://127.0.0.1:9", "m")
    async with desk(store_url, reranker) as running:
        await running.library.put("lamps", LAMPS)
        await running.library.put("wool", f"{WOOL} Not under a lamp.")
        await running.ready()
        first = await running.ask("lamp with dimmer")
        reranker.fails = True
        assert await running.ask("lamp with dimmer") == list(reversed(first))


async def test_a_german_question_finds_english_words(store_url: str):
    async with desk(store_url) as running:
        await running.library.put("wool", WOOL)
        await running.library.put("lamps", LAMPS)
        await running.ready()
        lexical, _ = await running.retrieval.candidates("Wie wird die Decke gewaschen, in kaltem Wasser?")
        assert lexical
        assert lexical[0].chunk_id.startswith("shop-wool")


async def test_sentences_that_take_too_long_are_ready_for_the_next_question(
    store_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SENTENCES_S", 0.0)
    async with desk(store_url) as running:
        await running.library.put("lamps", LAMPS)
        await running.ready()
        running.backend.pause_s = 0.2
        first = await running.retrieval.retrieve("lamp with dimmer")
        assert first.passages[0].nearest == ""
        sharpening = running.retrieval._sharpening
        assert sharpening is not None
        await asyncio.wait({sharpening})
        monkeypatch.setattr(module, "SENTENCES_S", 5.0)
        second = await running.retrieval.retrieve("lamp with dimmer")
        assert second.passages[0].nearest == LAMPS


@pytest.mark.parametrize("question", ["x" * 100_000, "\0\ud800", "(((", "ß" * 50])
async def test_odd_questions_are_answered(question: str, tmp_path: Path):
    async with desk(f"sqlite:///{tmp_path / 'desk.db'}") as running:
        await running.library.put("lamps", LAMPS)
        await running.ready()
        assert (await running.retrieval.retrieve(question)).degraded == ""
