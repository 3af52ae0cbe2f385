"""Chroma as the vector index: our own embeddings only, a collection per tenant, model and audience."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from config.knowledge import Knowledge
from server.knowledge.chroma_http import ChromaHttp
from server.knowledge.chroma_server import ChromaServer
from server.knowledge.contract import Audience, Chunk, Hit, IndexUnavailable, Vectors
from server.knowledge.holding import Holding
from server.store.contract import Store, StoreError

UPSERT = 100  # chunks in one call, 0.2 MB
AUDIENCES: tuple[Audience, Audience] = ("customer", "staff")


class Place(Protocol):
    """Where a Chroma server is."""

    async def address(self) -> str:
        """Its URL; starts it where that is ours to do. Raises IndexUnavailable."""
        ...

    async def may_write(self) -> bool:
        """Whether this process is the one that fills it. Raises StoreError."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class RemoteChroma:
    """A server somebody else runs; of the processes that share it one at a time fills it."""

    def __init__(self, url: str, store: Store, tenant: str) -> None:
        self._url = url
        self._holding = Holding(store, tenant, "chroma")

    async def address(self) -> str:
        """What the settings say."""
        return self._url

    async def may_write(self) -> bool:
        """Whether this process holds the right to fill it."""
        return await self._holding.held()

    async def close(self) -> None:
        """Let another process fill it."""
        with contextlib.suppress(StoreError):
            await self._holding.release()


class ChromaVectors:
    """One tenant's vectors of one model on a Chroma server; ``place`` says where that is and who fills it."""

    def __init__(self, place: Place, tenant: str, model: str) -> None:
        self._place = place
        self._tenant = tenant
        self._model = model
        self._dimensions = 0
        self._http: ChromaHttp | None = None
        self._collections: dict[str, str] = {}  # ids by audience

    async def may_write(self) -> bool:
        """Whether this process fills the index; another one may. Raises StoreError."""
        return await self._place.may_write()

    async def open(self, dimensions: int) -> int:
        """Connect and make the collections; returns the revision they hold. Raises IndexUnavailable."""
        self._dimensions = dimensions
        url = await self._place.address()
        await self._disconnect()
        self._http = ChromaHttp(url)
        return await self._make()

    async def replace(self, document_id: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Put a document's chunks in place of its former ones, in both collections."""
        for name in AUDIENCES:
            await self._live().drop_document(self._collections[name], document_id)
        await self.extend(chunks, vectors)

    async def extend(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add chunks to the collections of their audiences."""
        for name in AUDIENCES:
            rows = [row for row, chunk in enumerate(chunks) if chunk.audience == name]
            for start in range(0, len(rows), UPSERT):
                part = rows[start : start + UPSERT]
                await self._live().upsert(self._collections[name], [chunks[row] for row in part], vectors[part])

    async def search(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        """Best first by cosine similarity; customers are never shown what the staff's collection holds."""
        found: list[tuple[float, str]] = []
        for name in AUDIENCES if audience == "staff" else AUDIENCES[:1]:
            found += await self._live().query(self._collections[name], vector, limit)
        found.sort(key=lambda pair: (-pair[0], pair[1]))
        return [Hit(id_, near, rank) for rank, (near, id_) in enumerate(found[:limit], 1)]

    async def mark(self, revision: int) -> None:
        """Note in the collections themselves that everything up to this revision is in: the mark travels with them."""
        for name in AUDIENCES:
            await self._live().mark(self._collections[name], revision)

    async def count(self) -> int:
        """How many chunks both collections hold."""
        return sum([await self._live().count(self._collections[name]) for name in AUDIENCES])

    async def reset(self) -> None:
        """Delete both collections and make them anew."""
        http = self._live()
        for audience in AUDIENCES:
            await http.drop_collection(self._name(audience))
        await self._make()

    async def close(self) -> None:
        """Close the connections and let go of the server."""
        await self._disconnect()
        await self._place.close()

    async def _make(self) -> int:
        """Both collections; returns up to which revision each of them is filled."""
        http = self._http
        assert http is not None
        made = {audience: await http.collection(self._name(audience)) for audience in AUDIENCES}
        self._collections = {audience: collection.id for audience, collection in made.items()}
        return min(collection.revision for collection in made.values())

    async def _disconnect(self) -> None:
        http, self._http = self._http, None
        self._collections = {}
        if http is not None:
            await http.close()

    def _name(self, audience: str) -> str:
        key = "\n".join((self._tenant, self._model, str(self._dimensions), audience))
        return f"frontdesk-{hashlib.sha256(key.encode()).hexdigest()[:24]}"

    def _live(self) -> ChromaHttp:
        if self._http is None or not self._collections:
            raise IndexUnavailable("Chroma is not connected yet")
        return self._http


def open_vectors(settings: Knowledge, store: Store, tenant: str, model: str, data_dir: Path) -> ChromaVectors:
    """The vector index that the settings name; nothing is started or connected before its first use."""
    if settings.chroma_url:
        return ChromaVectors(RemoteChroma(settings.chroma_url, store, tenant), tenant, model)
    return ChromaVectors(ChromaServer(data_dir / "chroma", data_dir / "chroma.log"), tenant, model)
