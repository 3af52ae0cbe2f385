"""A second look at the best candidates by a ``/rerank`` endpoint, as vLLM and others serve it; off by default."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from config.knowledge import Knowledge

CANDIDATES = 20  # texts that are sent
CONNECT_S = 1.0


class RerankFailed(Exception):
    """No second opinion this time; the order stays as it was."""


class Reranker:
    """One reranking model behind ``base_url``."""

    def __init__(self, base_url: str, model: str, api_key: str = "") -> None:
        self._url = f"{base_url.rstrip('/')}/rerank"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    async def order(self, question: str, texts: Sequence[str], limit_s: float) -> list[int]:
        """Positions of the texts, the most relevant first. Raises RerankFailed."""
        body = {"model": self._model, "query": question, "documents": list(texts), "top_n": len(texts)}
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.post(self._url, json=body, allow_redirects=False) as answer,
            ):
                if answer.status != 200:  # noqa: PLR2004 - HTTP
                    raise RerankFailed(f"{self._url} answers {answer.status}")
                return read_order(await answer.json(content_type=None), len(texts))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: TimeoutError too
            raise RerankFailed(f"{self._url} does not answer ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def read_order(answer: Any, wanted: int) -> list[int]:
    """Positions from an answer, best first; what it leaves out comes last. Raises RerankFailed."""
    rows = answer.get("results") if isinstance(answer, Mapping) else None
    try:
        scores = {int(row["index"]): float(row["relevance_score"]) for row in rows or []}
    except (TypeError, KeyError, ValueError) as error:
        raise RerankFailed("the reranker's answer holds no scores") from error
    if not scores or not set(scores) <= set(range(wanted)):
        raise RerankFailed("the reranker's answer names other texts than it was given")
    return sorted(range(wanted), key=lambda at: (-scores.get(at, float("-inf")), at))


def open_reranker(settings: Knowledge) -> Reranker | None:
    """The reranker that the settings name, if any."""
    if not settings.reranker_url:
        return None
    return Reranker(settings.reranker_url, settings.reranker_model, settings.reranker_key.get_secret_value())
