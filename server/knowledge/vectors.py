"""Nearest neighbours: the surface a vector index offers its follower, exact search in memory, and the embedder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from config.knowledge import Knowledge
from models.embedding import EmbeddingError, MiniLM
from models.embedding_endpoint import EmbeddingEndpoint
from server.knowledge.contract import Audience, Chunk, Hit, IndexUnavailable, VectorIndex, Vectors

FIRST_ROWS = 1_024


class FollowingVectors(VectorIndex, Protocol):
    """A vector index that knows how far it followed the database; every method raises IndexUnavailable."""

    async def may_write(self) -> bool:
        """Whether this process fills it; another one may. Raises StoreError."""
        ...

    async def open(self, dimensions: int) -> int:
        """Connect; returns the revision it holds (0 = nothing)."""
        ...

    async def extend(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add more chunks of documents that were replaced just before."""
        ...

    async def mark(self, revision: int) -> None:
        """Note that everything up to this revision is in."""
        ...

    async def count(self) -> int:
        """How many chunks it holds."""
        ...

    async def reset(self) -> None:
        """Forget everything, revision included."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...


class ExactVectors:
    """Exact search over a matrix in memory: what the approximate index is compared with, and enough for small shops."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._forget(0)

    def _forget(self, dimensions: int) -> None:
        self._matrix = np.zeros((FIRST_ROWS, dimensions), np.float32)
        self._staff = np.zeros(FIRST_ROWS, bool)
        self._ids: list[str] = []
        self._documents: list[str] = []
        self._revision = 0

    async def may_write(self) -> bool:
        """It is this process's own."""
        return True

    async def open(self, dimensions: int) -> int:
        """The revision it holds; another number of dimensions empties it."""
        if self._matrix.shape[1] != dimensions:
            self._forget(dimensions)
        return self._revision

    async def replace(self, document_id: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Put a document's chunks in place of its former ones."""
        with self._guard:
            for row in reversed([at for at, name in enumerate(self._documents) if name == document_id]):
                self._drop(row)
        await self.extend(chunks, vectors)

    async def extend(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add chunks; raises IndexUnavailable for vectors of another length."""
        if len(chunks) and vectors.shape[1] != self._matrix.shape[1]:
            raise IndexUnavailable(f"vectors of {vectors.shape[1]} dimensions, {self._matrix.shape[1]} are held")
        with self._guard:
            for chunk, vector in zip(chunks, vectors, strict=True):
                row = len(self._ids)
                if row == len(self._matrix):
                    self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
                    self._staff = np.concatenate([self._staff, np.zeros_like(self._staff)])
                self._matrix[row], self._staff[row] = vector, chunk.audience == "staff"
                self._ids.append(chunk.id)
                self._documents.append(chunk.document_id)

    def _drop(self, row: int) -> None:
        """Put the last row in place of this one."""
        last = len(self._ids) - 1
        self._matrix[row], self._staff[row] = self._matrix[last], self._staff[last]
        self._ids[row], self._documents[row] = self._ids[last], self._documents[last]
        self._ids.pop()
        self._documents.pop()

    async def search(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        """Best first, in a thread: a hundred thousand rows take some ten milliseconds."""
        return await asyncio.to_thread(self._search, vector, audience, limit)

    def _search(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        with self._guard:
            size = len(self._ids)
            if not size:
                return []
            similarity = self._matrix[:size] @ vector
            if audience == "customer":
                similarity[self._staff[:size]] = -np.inf
            wanted = min(limit, size)
            best = np.argpartition(-similarity, wanted - 1)[:wanted]
            best = best[np.argsort(-similarity[best], kind="stable")]
            found = [(self._ids[row], float(similarity[row])) for row in best if np.isfinite(similarity[row])]
        return [Hit(name, score, rank) for rank, (name, score) in enumerate(found, 1)]

    async def mark(self, revision: int) -> None:
        """Note that everything up to this revision is in."""
        self._revision = revision

    async def count(self) -> int:
        """How many chunks it holds."""
        return len(self._ids)

    async def reset(self) -> None:
        """Forget everything."""
        with self._guard:
            self._forget(self._matrix.shape[1])

    async def close(self) -> None:
        """Nothing is held open."""


class Embeddings:
    """The configured embedding model for everyone here: IndexUnavailable is what it raises."""

    def __init__(self, backend: MiniLM | EmbeddingEndpoint) -> None:
        self._backend = backend
        self.model = backend.model
        self.dimensions = backend.dimensions  # 0 as long as an endpoint was never asked

    @property
    def tokenizer(self) -> Tokenizer | None:
        """What chunks are measured with; None where the model's own is not at hand."""
        return self._backend.tokenizer

    @property
    def local(self) -> bool:
        """Whether the model is in this process, where a text costs time alone."""
        return isinstance(self._backend, MiniLM)

    async def prepare(self) -> None:
        """Load libraries that would hold up everybody if they were loaded while people are served."""
        if isinstance(self._backend, MiniLM):
            await self._backend.prepare()

    async def warm(self) -> None:
        """Make the model ready; raises IndexUnavailable."""
        try:
            await self._backend.warm()
        except EmbeddingError as error:
            raise IndexUnavailable(str(error)) from error
        self.dimensions = self._backend.dimensions

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One row of length 1 per text; ``query`` work overtakes ingestion. Raises IndexUnavailable."""
        try:
            return await self._backend.embed(texts, query=query)
        except EmbeddingError as error:
            raise IndexUnavailable(str(error)) from error

    async def close(self) -> None:
        """End threads or connections."""
        await self._backend.close()


def open_embeddings(settings: Knowledge) -> Embeddings:
    """The embedder that the settings name; nothing is loaded before its first use."""
    if settings.embedding_url:
        key = settings.embedding_key.get_secret_value()
        return Embeddings(EmbeddingEndpoint(settings.embedding_url, settings.embedding_model, key))
    return Embeddings(MiniLM())
