from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from server.knowledge import index as module
from server.knowledge.contract import Audience, Chunk, Hit, IndexUnavailable, Vectors
from server.knowledge.index import Index
from server.knowledge.vectors import ExactVectors
from tests.server.knowledge.library import Library, WordVectors, embeddings, indexing, open_library, until


@dataclass
class Fragile(ExactVectors):
    """Exact search that can be away, or there without being able to answer, or lose things."""

    away: str = ""
    broken: str = ""
    mine: bool = True
    opened: int = 0
    resets: int = 0
    documents: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def _check(self, why: str) -> None:
        if why:
            raise IndexUnavailable(why)

    async def may_write(self) -> bool:
        return self.mine

    async def open(self, dimensions: int) -> int:
        self._check(self.away)
        self.opened += 1
        return await super().open(dimensions)

    async def search(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        self._check(self.away or self.broken)
        return await super().search(vector, audience, limit)

    async def replace(self, document_id: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        self._check(self.away)
        self.documents.append(document_id)
        await super().replace(document_id, chunks, vectors)

    async def reset(self) -> None:
        self.resets += 1
        self.broken = ""
        await super().reset()


@dataclass
class Desk:
    library: Library
    index: Index
    vectors: Fragile
    backend: WordVectors
    alarms: list[float]

    async def words(self, text: str, audience: Audience = "customer") -> list[str]:
        return [hit.chunk_id.split(":")[0] for hit in await self.index.search_words(text, audience, 10)]

    async def near(self, text: str, audience: Audience = "customer") -> list[str]:
        hits = await self.index.search_vectors(self.backend.vector(text), audience, 10)
        return [hit.chunk_id.split(":")[0] for hit in hits if hit.score > 0.3]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", (0.01,))
    monkeypatch.setattr(module, "VERIFY_S", 0.05)
    monkeypatch.setattr("server.shifts.POLL_S", 0.05)


@asynccontextmanager
async def desk(url: str, vectors: Fragile | None = None) -> AsyncIterator[Desk]:
    backend, alarms = WordVectors(), list[float]()
    vectors = vectors or Fragile()
    async with open_library(url) as library, indexing(library, backend):
        index = Index(library.store, library.tenant, embeddings(backend), vectors, alarms.append)
        async with index.running():
            yield Desk(library, index, vectors, backend, alarms)


async def test_what_is_stored_can_be_found_by_both_halves(store_url: str):
    async with desk(store_url) as running:
        document = await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        assert await running.words("dimmers?") == await running.near("dimmer lamp") == [document]
        assert not running.index.empty
        assert await running.index.note() == "ready"


async def test_edits_and_deletions_follow(store_url: str):
    async with desk(store_url) as running:
        document = await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        await running.library.put("lamps", "Only candles now")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        assert (await running.words("dimmer"), await running.words("candle")) == ([], [document])
        assert await running.near("dimmer lamp") == []
        await running.library.delete(document)
        await running.index.caught_up(await running.library.revision(), vectors=True)
        assert (await running.words("candle"), await running.near("only candles now")) == ([], [])
        assert running.index.empty
        assert await running.vectors.count() == 0


async def test_nothing_is_opened_before_there_is_a_document(store_url: str):
    async with desk(store_url) as running:
        await running.index.loaded.wait()
        assert running.index.empty
        assert await running.words("anything") == []
        assert running.vectors.opened == 0


async def test_lost_vectors_raise_an_alarm_and_come_back_by_themselves(store_url: str):
    async with desk(store_url) as running:
        document = await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        running.vectors.away = "gone"
        with pytest.raises(IndexUnavailable, match="gone"):
            await running.near("dimmer")
        assert running.alarms == [1]
        assert await running.index.note() == "answers by words alone: gone"
        assert await running.words("dimmer") == [document]
        await running.vectors.reset()  # whatever was lost meanwhile
        running.vectors.away = ""
        await until(lambda: not running.index.reason)
        assert await running.near("lamp dimmer") == [document]
        assert running.alarms == [1, 0]


async def test_a_step_under_way_does_not_undo_a_loss_that_a_search_saw(store_url: str, monkeypatch: pytest.MonkeyPatch):
    """The step asked nothing of the index, so it must not say that the index is well."""
    async with desk(store_url) as running:
        await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        reached, go = asyncio.Event(), asyncio.Event()

        async def slow() -> bool:
            reached.set()
            await go.wait()
            return True

        monkeypatch.setattr(running.vectors, "may_write", slow)
        monkeypatch.setattr(module, "PAUSE_S", (60.0,))
        await reached.wait()
        running.vectors.away = "killed"
        with pytest.raises(IndexUnavailable):
            await running.near("lamp dimmer")
        go.set()
        running.index._wake()
        await asyncio.sleep(0.2)  # several steps of 0.05 s
        assert (running.alarms, running.index.reason) == ([1], "killed")


async def test_an_index_that_is_there_but_broken_is_filled_anew(store_url: str):
    async with desk(store_url) as running:
        document = await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        running.vectors.broken = "wrong dimension"
        with pytest.raises(IndexUnavailable):
            await running.near("dimmer")
        await until(lambda: running.vectors.resets == 1 and not running.index.reason)
        assert await running.near("lamp dimmer") == [document]


async def test_a_count_that_differs_is_noticed_and_mended(store_url: str):
    async with desk(store_url) as running:
        document = await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        await running.vectors.replace(document, (), running.backend.vector("x")[None, :][:0])
        await until(lambda: running.vectors.resets == 1)
        await until(lambda: len(running.vectors._ids) == 1)
        assert await running.near("lamp dimmer") == [document]
        assert running.alarms == []


async def test_vectors_of_another_database_are_thrown_away(store_url: str):
    vectors = Fragile()
    await vectors.open(64)
    await vectors.extend([Chunk("old:0", "old", "", "", "", "", "customer")], WordVectors().vector("old")[None, :])
    await vectors.mark(900)
    async with desk(store_url, vectors) as running:
        document = await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        assert vectors.resets == 1
        assert await running.near("lamp dimmer") == [document]
        assert await running.near("old") == []


async def test_an_index_that_somebody_else_fills_is_only_asked(store_url: str):
    async with desk(store_url, Fragile(mine=False)) as running:
        await running.library.put("lamps", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled())
        await until(lambda: running.vectors.opened)
        await until(lambda: running.index._vector_follower is not None)
        assert await running.near("lamp dimmer") == []
        assert running.vectors.documents == []
        running.vectors.mine = True  # the other process has ended
        await until(lambda: running.vectors.documents)


async def test_a_restart_reads_only_what_is_newer(store_url: str):
    vectors = Fragile()
    async with desk(store_url, vectors) as running:
        first = await running.library.put("first", "The lamp has a dimmer")
        await running.index.caught_up(await running.library.settled(), vectors=True)
        assert vectors.documents == [first]
        backend = WordVectors()
        again = Index(running.library.store, running.library.tenant, embeddings(backend), vectors)
        async with again.running():
            await again.caught_up(1, vectors=True)
        assert vectors.documents == [first]
