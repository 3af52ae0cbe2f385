"""A store with documents that wait for the index, and an embedder that needs no model."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from tokenizers import Tokenizer

from config.settings import StoreSettings
from server.knowledge.contract import IndexUnavailable, Vectors
from server.knowledge.indexer import Indexer
from server.knowledge.vectors import Embeddings
from server.store.contract import Store, Tx
from server.store.open import open_store
from server.store.statements import load, parse

QUERIES = """
-- name: delete
-- A document is gone.
update document set deleted_at = 1, revision = cast(:revision as bigint), indexed_digest = '' where id = :id;
-- name: delete_all
-- All documents are gone at once.
update document set deleted_at = 1, revision = cast(:revision as bigint), indexed_digest = '' where tenant = :tenant;
-- name: hide
-- A document is for staff from now on; the index does not know yet.
update document set audience = 'staff' where id = :id;
-- name: forget_source
-- A source is gone; its documents are not yet.
update source set deleted_at = 1 where id = :id;
"""
for _dialect in ("sqlite", "postgresql"):
    load(_dialect).update(parse("library", QUERIES, _dialect))

TENANT = "shop"
WIDTH = 64


@dataclass
class WordVectors:
    """Vectors that count words: texts that share words are near; asked texts are kept."""

    model: str = "words"
    dimensions: int = WIDTH
    tokenizer: Tokenizer | None = None
    away: str = ""
    asked: list[str] = field(default_factory=list)
    pause_s: float = 0.0

    async def warm(self) -> None:
        if self.away:
            raise IndexUnavailable(self.away)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        await self.warm()
        await asyncio.sleep(self.pause_s)
        if not query:
            self.asked += texts
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> Vectors:
        row = np.zeros(self.dimensions, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimensions] += 1.0
        return np.asarray(row / max(float(np.linalg.norm(row)), 1e-9), np.float32)

    async def close(self) -> None:
        """Nothing is held."""


def embeddings(backend: WordVectors) -> Embeddings:
    return Embeddings(backend)  # type: ignore[arg-type]


@dataclass
class Library:
    """One tenant's sources and documents in a store."""

    store: Store
    tenant: str = TENANT

    async def source(self, name: str = "s", audience: str = "customer") -> str:
        async def add(tx: Tx) -> None:
            await tx.run(
                "knowledge.add_source",
                id=f"{self.tenant}-{name}",
                tenant=self.tenant,
                name=name,
                kind="files",
                config="{}",
                audience=audience,
                cron=None,
                next_at=None,
                state="indexed",
                now=tx.now_s,
            )

        await self.store.write(add)
        return f"{self.tenant}-{name}"

    async def put(
        self,
        name: str,
        text: str,
        *,
        source: str = "s",
        title: str = "",
        audience: str = "customer",
        urgent: bool = False,
    ) -> str:
        """Store a document or change it; it waits for the index."""
        document = f"{self.tenant}-{name}"
        changed = {
            "id": document,
            "url": f"https://shop.example/{name}",
            "title": title or name,
            "audience": audience,
            "mime": "text/markdown",
            "text": text,
            "digest": hashlib.sha256(f"{audience}{title}{text}".encode()).hexdigest(),
            "raw_digest": "",
            "etag": None,
            "last_modified": None,
            "version": 1,
            "urgent": int(urgent),
        }

        async def save(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self.tenant)
            now = tx.now_s
            if await tx.row("knowledge.document", tenant=self.tenant, id=document):
                await tx.run("knowledge.change_document", **changed, fetched_at=now, now=now)
            else:
                more = {"tenant": self.tenant, "source_id": f"{self.tenant}-{source}", "uri": name, "reason": None}
                await tx.run("knowledge.add_document", **changed, **more, state="queued", fetched_at=now, now=now)
            tx.notify("documents", document)

        await self.store.write(save)
        return document

    async def delete(self, document: str) -> None:
        async def delete(tx: Tx) -> None:
            row = await tx.row("knowledge.raise_revision", tenant=self.tenant)
            assert row is not None
            await tx.run("library.delete", id=document, revision=row["revision"])
            await tx.run("index.drop_chunks", document_id=document)
            tx.notify("knowledge")

        await self.store.write(delete)

    async def settled(self, *, least: int = 0) -> int:
        """Wait until nothing is queued; the last revision."""
        async with asyncio.timeout(15):
            while await self.store.row("index.queued", tenant=self.tenant, least=least):
                await asyncio.sleep(0.01)
        return await self.revision()

    async def revision(self) -> int:
        row = await self.store.row("index.state", tenant=self.tenant, name="revision")
        return int(row["value"]) if row else 0

    async def document(self, document: str) -> dict[str, object]:
        row = await self.store.row("knowledge.document", tenant=self.tenant, id=document)
        assert row is not None
        return dict(row)

    async def chunks(self, document: str) -> list[str]:
        rows = await self.store.rows("index.chunks", document_id=document, after=-1, limit=1_000)
        return [str(row["text"]) for row in rows]


@asynccontextmanager
async def open_library(url: str) -> AsyncIterator[Library]:
    store = open_store(url, StoreSettings())
    async with store.running():
        library = Library(store)
        await library.source()
        yield library


@asynccontextmanager
async def indexing(library: Library, backend: WordVectors, tokens: int = 40) -> AsyncIterator[Indexer]:
    """An indexer at work in this process."""
    indexer = Indexer(library.store, library.tenant, embeddings(backend), tokens)
    async with indexer.running():
        yield indexer


async def until(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)
