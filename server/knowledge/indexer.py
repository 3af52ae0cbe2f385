"""Cuts and embeds documents that wait for it, and commits each with its chunks in one piece.

What a person waits for goes first and beside the rest: two loops share one embedding thread that works in small
batches. One process of a tenant does this at a time; if two ever did, the second commit would change nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog

from server.knowledge.chunking import Chunker, embedded_text
from server.knowledge.contract import Chunk, IndexUnavailable
from server.knowledge.documents import DOCUMENTS, KNOWLEDGE, ORDER
from server.knowledge.follower import audience_of, pack
from server.knowledge.holding import Holding
from server.knowledge.vectors import Embeddings
from server.shifts import end, repeat, rested
from server.store.contract import Fenced, Row, Store, StoreError, Tx

log = structlog.get_logger()

BATCH = 8  # texts embedded between two looks at what is urgent
ROWS = 200  # chunks in one statement
DIGESTS = 500  # in one question
MOST_CHUNKS = 20_000  # of one document
RETRY_S = 30.0  # between attempts to embed what could not be embedded
PRUNE_S = 3_600.0
KEEP_EMBEDDINGS_S = 30 * 86_400.0
NOT_EMBEDDED = "found by its words only so far: "


class Indexer:
    """Works through one tenant's queued documents; ``chunk_tokens`` is the size of a chunk."""

    def __init__(self, store: Store, tenant: str, embeddings: Embeddings, chunk_tokens: int) -> None:
        self._store = store
        self._tenant = tenant
        self._embeddings = embeddings
        self._tokens = chunk_tokens
        self._chunker: Chunker | None = None
        self._holding = Holding(store, tenant, "indexer")
        self._wakes = {"urgent": asyncio.Event(), "all": asyncio.Event()}
        self._busy: set[str] = set()
        self._checked = False
        self._missing = True  # chunks without vectors may be there from an earlier run
        self._retry_at = 0.0
        self._prune_at = time.monotonic() + PRUNE_S

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Index what waits until the end of the block."""
        leaves = [self._store.listen(topic, lambda *_: self._wake()) for topic in (KNOWLEDGE, DOCUMENTS)]
        steps = {"urgent": self._urgent, "all": self._everything}
        loops = [
            asyncio.create_task(
                repeat(f"indexer {name}", step, partial(rested, self._wakes[name])), name=f"indexer {name}"
            )
            for name, step in steps.items()
        ]
        try:
            yield
        finally:
            for leave in leaves:
                leave()
            await end(loops)
            with suppress(StoreError):
                await self._holding.release()

    def _wake(self) -> None:
        for event in self._wakes.values():
            event.set()

    async def _urgent(self) -> None:
        while await self._next(1):
            pass

    async def _everything(self) -> None:
        while await self._next(0):
            pass
        if await self._anything() and await self._holding.held():
            await self._embed_missing()
            await self._prune()

    async def _next(self, least: int) -> bool:
        """Index the next document; False when there is none for this loop."""
        row = await self._store.row("index.queued", tenant=self._tenant, least=least)
        if row is None or row["id"] in self._busy or not await self._holding.held():
            return False
        self._busy.add(row["id"])
        try:
            await self._index(row)
        finally:
            self._busy.discard(row["id"])
        return True

    async def _anything(self) -> bool:
        return await self._store.row("index.any_document", tenant=self._tenant) is not None

    async def _index(self, document: Row) -> None:
        reason = await self._ready()
        chunker = self._chunker or Chunker(self._tokens)
        chunks = await asyncio.to_thread(_cut, chunker, document)
        if len(chunks) > MOST_CHUNKS:
            await self._refuse(document, f"gives {len(chunks):,} passages, {MOST_CHUNKS:,} are allowed; split it")
            return
        if not reason:
            try:
                await self._embed(chunks)
            except IndexUnavailable as error:
                reason = str(error)
        if reason:
            self._missing, self._retry_at = True, time.monotonic() + RETRY_S
            log.warning("document_not_embedded", document=document["id"], reason=reason)
        with suppress(Fenced):  # changed, deleted or indexed by somebody else meanwhile
            await self._commit(document, chunks, f"{NOT_EMBEDDED}{reason}" if reason else None)
            log.info("document_indexed", document=document["id"], chunks=len(chunks))

    async def _ready(self) -> str:
        """Make the model ready; why that is impossible, else nothing. A changed recipe queues every document."""
        try:
            await self._embeddings.warm()
        except IndexUnavailable as error:
            return str(error)
        if self._chunker is None:
            self._chunker = Chunker(self._tokens, self._embeddings.tokenizer)
        if not self._checked:
            await self._check_recipe(f"{self._embeddings.model} {self._chunker.recipe}")
            self._checked = True
        return ""

    async def _check_recipe(self, recipe: str) -> None:
        async def compare(tx: Tx) -> int:
            row = await tx.row("index.lock_state", tenant=self._tenant, name="recipe")
            if row is not None and row["value"] == recipe:
                return 0
            await tx.run("index.set_state", tenant=self._tenant, name="recipe", value=recipe)
            return await tx.run("index.requeue", tenant=self._tenant) if row is not None else 0

        if queued := await self._store.write(compare, order=ORDER):
            log.info("knowledge_requeued", documents=queued, recipe=recipe)

    async def _embed(self, chunks: Sequence[Chunk]) -> None:
        """Embed the texts that never were; each batch is kept at once, so that a killed run goes on where it was."""
        missing = await self._unknown(chunks)
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            vectors = await self._embeddings.embed([embedded_text(chunk) for chunk in batch])
            rows = [
                {"digest": chunk.digest, "vector": pack(vector)} for chunk, vector in zip(batch, vectors, strict=True)
            ]
            await self._keep(rows)
            await self._holding.held()

    async def _unknown(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        by_digest = {chunk.digest: chunk for chunk in chunks}
        digests = list(by_digest)
        for start in range(0, len(digests), DIGESTS):
            part = _json(digests[start : start + DIGESTS])
            known = await self._store.rows(
                "index.known_digests", tenant=self._tenant, model=self._embeddings.model, digests=part
            )
            for row in known:
                del by_digest[row["digest"]]
        return list(by_digest.values())

    async def _keep(self, rows: Sequence[Mapping[str, str]]) -> None:
        async def add(tx: Tx) -> None:
            await tx.run(
                "index.add_embeddings",
                tenant=self._tenant,
                model=self._embeddings.model,
                embeddings=_json(rows),
                now=tx.now_s,
            )

        await self._store.write(add, order=ORDER)

    async def _commit(self, document: Row, chunks: Sequence[Chunk], reason: str | None) -> None:
        pages = await asyncio.to_thread(_written, chunks)

        async def store(tx: Tx) -> None:
            revision = await _raise_revision(tx, self._tenant)
            changed = await tx.run(
                "index.indexed",
                id=document["id"],
                tenant=self._tenant,
                digest=document["digest"],
                reason=reason,
                revision=revision,
                now=tx.now_s,
            )
            if not changed:
                raise Fenced("the document changed meanwhile")
            await tx.run("index.drop_chunks", document_id=document["id"])
            for page in pages:
                await tx.run(
                    "index.add_chunks",
                    tenant=self._tenant,
                    document_id=document["id"],
                    audience=document["audience"],
                    chunks=page,
                )
            tx.notify(KNOWLEDGE)

        await self._store.write(store, order=ORDER)

    async def _refuse(self, document: Row, reason: str) -> None:
        async def refuse(tx: Tx) -> None:
            await tx.run(
                "index.failed",
                id=document["id"],
                tenant=self._tenant,
                digest=document["digest"],
                reason=reason,
                now=tx.now_s,
            )

        await self._store.write(refuse, order=ORDER)

    async def _embed_missing(self) -> None:
        """Queue documents again whose chunks were committed without vectors, once vectors can be had."""
        if not self._missing or time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + RETRY_S
        rows = await self._store.rows("index.unembedded", tenant=self._tenant, model=self._embeddings.model, limit=ROWS)
        if rows and (await self._ready() or not await self._works()):
            return
        self._missing = len(rows) == ROWS
        ids = _json([row["document_id"] for row in rows])

        async def queue(tx: Tx) -> None:
            await tx.run("index.requeue_some", tenant=self._tenant, ids=ids)
            tx.notify(DOCUMENTS)

        if rows:
            await self._store.write(queue, order=ORDER)

    async def _works(self) -> bool:
        try:
            await self._embeddings.embed(["frontdesk"])
        except IndexUnavailable:
            return False
        return True

    async def _prune(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_S

        async def prune(tx: Tx) -> int:
            return await tx.run("index.prune_embeddings", tenant=self._tenant, before=tx.now_s - KEEP_EMBEDDINGS_S)

        await self._store.write(prune, order=ORDER)


async def _raise_revision(tx: Tx, tenant: str) -> int:
    row = await tx.row("knowledge.raise_revision", tenant=tenant)
    assert row is not None
    return int(row["revision"])


def _cut(chunker: Chunker, document: Row) -> list[Chunk]:
    audience = audience_of(document)
    return chunker.cut(document["id"], document["title"], document["url"], audience, document["text"])


def _written(chunks: Sequence[Chunk]) -> list[str]:
    """Pages as the statement takes them, made in a thread: the largest document has a hundred."""
    return [_json([_row(at, chunks[at]) for at in page]) for page in _pages(len(chunks))]


def _pages(size: int) -> list[range]:
    return [range(start, min(start + ROWS, size)) for start in range(0, size, ROWS)]


def _row(number: int, chunk: Chunk) -> dict[str, str | int]:
    return {"id": chunk.id, "number": number, "heading": chunk.heading, "text": chunk.text, "digest": chunk.digest}


def _json(rows: Sequence[Any]) -> str:
    return json.dumps(rows, ensure_ascii=False)
