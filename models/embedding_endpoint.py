"""Sentence vectors from an OpenAI-compatible ``/v1/embeddings`` endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import numpy as np
from tokenizers import Tokenizer

from models.embedding import BATCH, EmbeddingError, Vectors, scaled

QUERY_S = 5.0  # a customer waits
DOCUMENTS_S = 60.0
CONNECT_S = 5.0


class EmbeddingEndpoint:
    """One model behind ``base_url`` (ending in /v1); the length of its vectors is learned from the first answer."""

    tokenizer: Tokenizer | None = None  # chunks are then measured by an estimate

    def __init__(self, base_url: str, model: str, api_key: str = "") -> None:
        self.model = model
        self.dimensions = 0
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    async def warm(self) -> None:
        """Ask for one vector, so that ``dimensions`` is known; raises EmbeddingError."""
        if not self.dimensions:
            await self.embed(["frontdesk"], query=True)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One row of length 1 per text, shape (texts, dimensions). Raises EmbeddingError."""
        limit_s = QUERY_S if query else DOCUMENTS_S
        parts = [await self._ask(list(texts[at : at + BATCH]), limit_s) for at in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, texts: list[str], limit_s: float) -> Vectors:
        body = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.post(self._url, json=body, allow_redirects=False) as answer,
            ):
                if answer.status != 200:  # noqa: PLR2004 - HTTP
                    raise EmbeddingError(
                        f"{self._url} answers {answer.status}; check knowledge.embedding_url and its key"
                    )
                vectors = _read(await answer.json(content_type=None), len(texts))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: TimeoutError too
            raise EmbeddingError(f"{self._url} does not answer ({type(error).__name__}); check the endpoint") from error
        if self.dimensions and vectors.shape[1] != self.dimensions:
            raise EmbeddingError(
                f"{self._url} changed from {self.dimensions} to {vectors.shape[1]} dimensions; restart"
            )
        self.dimensions = int(vectors.shape[1])
        return scaled(vectors)


def _read(answer: Any, wanted: int) -> Vectors:
    """The vectors in the order of the texts; raises EmbeddingError for any other shape of answer."""
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    try:
        ordered = sorted(rows or [], key=lambda row: int(row["index"]))
        vectors = np.array([row["embedding"] for row in ordered], dtype=np.float32)
    except (TypeError, KeyError, ValueError) as error:
        raise EmbeddingError("the embedding endpoint's answer holds no vectors; check its address") from error
    if vectors.ndim != 2 or vectors.shape[0] != wanted or not np.isfinite(vectors).all():  # noqa: PLR2004 - a table
        raise EmbeddingError("the embedding endpoint's answer holds other vectors than asked for; check its model")
    return vectors
