"""The vocabulary of retrieval: chunks in the index, hits of its halves, passages for a prompt.

Errors::

    KnowledgeError
    ├── SourceRefused      a source or file is refused; the reason is shown to staff
    └── IndexUnavailable   one half of the index cannot answer; the other half goes on
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
else:
    Vectors = Any  # numpy is loaded by whoever computes with it

Audience = Literal["customer", "staff"]


class KnowledgeError(Exception):
    """Root of everything knowledge raises on purpose."""


class SourceRefused(KnowledgeError):
    """A source, address or file cannot be taken; the message says why and what to do."""


class IndexUnavailable(KnowledgeError):
    """One half of the index cannot answer now."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document as it is indexed; ``heading`` is its place ("Shipping > Abroad").

    ``url`` is where customers may read it, empty when nowhere; ``digest`` is of the embedded text.
    """

    id: str
    document_id: str
    title: str
    heading: str
    text: str
    url: str
    audience: Audience
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by one half: BM25 score or cosine similarity; rank counts from 1."""

    chunk_id: str
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk chosen for a question; ranks are None for the half that did not find it, ``similarity`` is a cosine.

    ``nearest`` is the one sentence or table row of it that is nearest to the question, ``nearness`` its cosine.
    """

    chunk: Chunk
    score: float
    lexical_rank: int | None = None
    vector_rank: int | None = None
    similarity: float | None = None
    lexical_score: float | None = None
    nearest: str = ""
    nearness: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found for a question, best first.

    ``confidence`` (0 to 1) is how likely the passages answer it; ``empty`` says that there are no documents at all (the
    assistant then answers as one without knowledge); ``degraded`` names what was missing (vectors, lexical, late).
    """

    passages: tuple[Passage, ...] = ()
    confidence: float = 0.0
    empty: bool = False
    degraded: str = ""
    took_ms: Mapping[str, float] = field(default_factory=dict)


NOTHING = Retrieved(empty=True)


class Retriever(Protocol):
    """Finds passages; never raises for a broken index, it degrades."""

    async def retrieve(self, question: str, *, audience: Audience = "customer", limit: int | None = None) -> Retrieved:
        """The best passages that this audience may see."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1, off the event loop."""

    model: str  # part of the embedding cache's key
    dimensions: int

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One row per text; ``query`` work overtakes ingestion. Raises IndexUnavailable."""
        ...


class LexicalIndex(Protocol):
    """Any-term search over words."""

    def replace(self, document_id: str, chunks: Sequence[Chunk]) -> None:
        """Put a document's chunks in place of its former ones; an empty sequence removes it."""
        ...

    def commit(self) -> None:
        """Make what was replaced findable."""
        ...

    def search(self, text: str, audience: Audience, limit: int) -> list[Hit]:
        """Best first."""
        ...


class VectorIndex(Protocol):
    """Nearest neighbours by cosine; raises IndexUnavailable."""

    async def replace(self, document_id: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Put a document's chunks in place of its former ones; none removes it."""
        ...

    async def search(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        """Best first; ``vector`` has shape (dimensions,)."""
        ...
