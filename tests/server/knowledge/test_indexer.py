from __future__ import annotations

import asyncio
import time

import pytest

from config.settings import StoreSettings
from server.knowledge import indexer as module
from server.knowledge.indexer import Indexer
from server.store.open import open_store
from tests.server.knowledge.library import WordVectors, embeddings, indexing, open_library, until

TEXT = "# Shipping\n\nParcels leave within two days.\n\n# Returns\n\nThirty days, the goods unused and in their box.\n"


async def test_a_queued_document_gets_chunks_vectors_and_a_revision_in_one_commit(store_url: str):
    backend = WordVectors()
    async with open_library(store_url) as library, indexing(library, backend):
        document = await library.put("policy", TEXT, title="Policy")
        revision = await library.settled()
        row = await library.document(document)
        assert (row["state"], row["reason"], row["urgent"]) == ("indexed", None, 0)
        assert row["indexed_digest"] == row["digest"]
        assert row["revision"] == revision == 1
        chunks = await library.chunks(document)
        assert "Parcels leave within two days." in chunks[0]
        size = await library.store.row("index.size", tenant=library.tenant, model="words")
        assert size is not None
        assert dict(size) == {"chunks": len(chunks), "vectors": len(chunks), "revision": 1}
        assert all(text.startswith("Policy") for text in backend.asked)


async def test_an_unchanged_section_is_not_embedded_again(store_url: str):
    backend = WordVectors()
    async with open_library(store_url) as library, indexing(library, backend):
        long = TEXT.replace("two days", "two days " + "and so on " * 12)
        await library.put("policy", long)
        await library.settled()
        asked = len(backend.asked)
        document = await library.put("policy", long.replace("Thirty", "Forty"))
        await library.settled()
        assert len(backend.asked) == asked + 1
        assert "Forty days" in (await library.chunks(document))[-1]
        await library.put("copy", long, title="policy")
        await library.settled()
        assert [text for text in backend.asked[asked + 1 :] if text.startswith("copy")] == []


async def test_an_urgent_document_does_not_wait_for_a_long_one(store_url: str):
    backend = WordVectors(pause_s=0.05)
    async with open_library(store_url) as library, indexing(library, backend):
        pages = "\n\n".join(f"# Part {at}\n\n" + f"word{at} " * 30 for at in range(400))
        long = await library.put("long", pages)
        await until(lambda: len(backend.asked) > 8)
        started = time.monotonic()
        await library.put("edit", "The new price is 19 euro.", urgent=True)
        await library.settled(least=1)
        assert time.monotonic() - started < 2
        assert (await library.document(long))["state"] == "queued"


async def test_a_change_during_the_work_wins(store_url: str):
    backend = WordVectors(pause_s=0.2)
    async with open_library(store_url) as library, indexing(library, backend):
        document = await library.put("policy", "First text.")
        await until(lambda: backend.asked)
        await library.put("policy", "Second text.")
        await library.settled()
        assert await library.chunks(document) == ["Second text."]


async def test_two_processes_share_one_shop(store_url: str):
    async with open_library(store_url) as library, indexing(library, WordVectors()):
        other_store = open_store(store_url, StoreSettings())
        async with other_store.running(), Indexer(other_store, library.tenant, embeddings(WordVectors()), 40).running():
            documents = [await library.put(f"d{at}", f"Text number {at}.") for at in range(8)]
            await library.settled()
            assert [await library.chunks(each) for each in documents] == [[f"Text number {at}."] for at in range(8)]


async def test_without_a_model_documents_are_found_by_words_and_embedded_later(
    store_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    backend = WordVectors(away="no model here")
    async with open_library(store_url) as library, indexing(library, backend):
        document = await library.put("policy", TEXT)
        await library.settled()
        row = await library.document(document)
        assert (row["state"], row["reason"]) == ("indexed", "found by its words only so far: no model here")
        backend.away = ""
        async with asyncio.timeout(15):
            while (await library.document(document))["reason"]:
                await asyncio.sleep(0.02)
        size = await library.store.row("index.size", tenant=library.tenant, model="words")
        assert size is not None
        assert size["vectors"] == size["chunks"] > 0


async def test_another_size_of_chunks_cuts_everything_anew(store_url: str):
    async with open_library(store_url) as library:
        async with indexing(library, WordVectors(), tokens=200):
            document = await library.put("policy", TEXT + "More text here. " * 40)
            await library.settled()
            before = len(await library.chunks(document))
        async with indexing(library, WordVectors(), tokens=40):
            await library.put("other", "A new one.")
            async with asyncio.timeout(15):
                while len(await library.chunks(document)) <= before:
                    await asyncio.sleep(0.02)


async def test_a_document_of_too_many_passages_is_refused_with_a_reason(
    store_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MOST_CHUNKS", 3)
    async with open_library(store_url) as library, indexing(library, WordVectors()):
        document = await library.put("huge", "\n\n".join("word " * 60 for _ in range(20)))
        await library.settled()
        row = await library.document(document)
        assert row["state"] == "failed"
        assert "3 are allowed; split it" in str(row["reason"])


async def test_nothing_is_loaded_while_there_are_no_documents(store_url: str):
    backend = WordVectors(away="must not be asked")
    async with open_library(store_url) as library, indexing(library, backend) as indexer:
        await asyncio.sleep(0.05)
        assert not indexer._holding.mine
