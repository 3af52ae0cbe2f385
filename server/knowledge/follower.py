"""Reads what changed in the database's knowledge, in slices, and hands it to one half of the index."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from server.knowledge.contract import Audience, Chunk, Vectors
from server.store.contract import Row, Store

DOCUMENTS = 50  # in a page
CHUNKS = 100  # in a page: some milliseconds of work at most between two looks at everybody else


class Follower:
    """A position in the order of changes; ``take`` gets each changed document, ``paged`` is awaited after each page."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        take: Callable[[Row], Awaitable[None]],
        paged: Callable[[int], Awaitable[None]],
        revision: int = 0,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._take = take
        self._paged = paged
        self.revision = revision
        self._after_id = "~" if revision else ""  # behind every document of that revision

    def rewind(self) -> None:
        """Begin anew with the first change."""
        self.revision, self._after_id = 0, ""

    async def catch_up(self) -> bool:
        """Read on to the end; whether there was anything."""
        found = False
        while True:
            rows = await self._store.rows(
                "index.changed", tenant=self._tenant, after=self.revision, after_id=self._after_id, limit=DOCUMENTS
            )
            for row in rows:
                await self._take(row)
                self.revision, self._after_id = int(row["revision"]), str(row["id"])
            if rows:
                found = True
                whole = len(rows) < DOCUMENTS
                await self._paged(self.revision if whole else self.revision - 1)
            if len(rows) < DOCUMENTS:
                return found


async def read_chunks(store: Store, document: Row, take: Callable[[Sequence[Chunk]], Awaitable[None]]) -> None:
    """Hand over a document's chunks page by page; a deleted document has none."""
    after, rows = -1, [document]
    while rows and document["deleted_at"] is None:
        rows = list(await store.rows("index.chunks", document_id=document["id"], after=after, limit=CHUNKS))
        if rows:
            after = int(rows[-1]["number"])
            await take([chunk_of(row, document) for row in rows])


async def read_vectors(
    store: Store, document: Row, model: str, take: Callable[[Sequence[Chunk], Vectors], Awaitable[None]]
) -> None:
    """The same with vectors instead of texts; chunks that were not embedded are left out."""
    after, rows = -1, [document]
    while rows and document["deleted_at"] is None:
        rows = list(
            await store.rows("index.vectors", document_id=document["id"], model=model, after=after, limit=CHUNKS)
        )
        held = [row for row in rows if row["vector"] is not None]
        if held:
            vectors = np.stack([unpack(row["vector"]) for row in held])
            await take([bare_chunk(row, str(document["id"])) for row in held], vectors)
        after = int(rows[-1]["number"]) if rows else after


def chunk_of(row: Row, document: Row) -> Chunk:
    """A stored chunk with what its document says."""
    return Chunk(
        str(row["id"]),
        str(document["id"]),
        str(document["title"]),
        str(row["heading"]),
        str(row["text"]),
        str(document["url"]),
        audience_of(row),
        str(row["digest"]),
    )


def bare_chunk(row: Row, document_id: str) -> Chunk:
    """A chunk for the vector index, which holds no texts."""
    return Chunk(str(row["id"]), document_id, "", "", "", "", audience_of(row))


def audience_of(row: Row) -> Audience:
    """Who may see a chunk; anything unknown is for staff."""
    return "customer" if row["audience"] == "customer" else "staff"


def pack(vector: Vectors) -> str:
    """A vector as it is stored: base64 of little-endian 32-bit floats."""
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")


def unpack(text: str) -> Vectors:
    """The vector of :func:`pack`."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32, copy=False)
