from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from models import embedding_endpoint as module
from models.embedding import EmbeddingError
from models.embedding_endpoint import EmbeddingEndpoint


class Service:
    """Answers with one vector per text, unless it is told to answer something else."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: Any = None
        self.width = 3
        self.asked: list[list[str]] = []
        self.keys: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body["input"])
        self.keys.append(request.headers.get("Authorization", ""))
        rows = [{"index": at, "embedding": [float(at + 1)] * self.width} for at in range(len(body["input"]))]
        return web.json_response(self.answer or {"data": rows[::-1]}, status=self.status)


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def endpoint(service: Service) -> AsyncIterator[EmbeddingEndpoint]:
    app = web.Application()
    app.router.add_post("/v1/embeddings", service.handle)
    async with TestServer(app) as server:
        opened = EmbeddingEndpoint(str(server.make_url("/v1")), "m", "key")
        yield opened
        await opened.close()


async def test_vectors_come_in_the_order_of_the_texts_and_of_length_one(endpoint: EmbeddingEndpoint, service: Service):
    texts = [f"t{at}" for at in range(10)]
    vectors = await endpoint.embed(texts)
    assert vectors.shape == (10, 3)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert [len(batch) for batch in service.asked] == [8, 2]
    assert set(service.keys) == {"Bearer key"}
    assert endpoint.dimensions == 3


async def test_warm_learns_the_width_once(endpoint: EmbeddingEndpoint, service: Service):
    await endpoint.warm()
    await endpoint.warm()
    assert (endpoint.dimensions, len(service.asked)) == (3, 1)


async def test_another_width_is_refused(endpoint: EmbeddingEndpoint, service: Service):
    await endpoint.warm()
    service.width = 4
    with pytest.raises(EmbeddingError, match="from 3 to 4 dimensions"):
        await endpoint.embed(["x"])


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"error": "x"},
        [1],
        {"data": [{"index": 0, "embedding": []}] * 2},
        {"data": [{"index": 0, "embedding": [None]}]},
        {"data": [{"index": "?", "embedding": [1.0]}]},
    ],
)
async def test_answers_without_the_vectors_are_refused(endpoint: EmbeddingEndpoint, service: Service, answer: Any):
    service.answer = answer
    with pytest.raises(EmbeddingError, match="embedding endpoint's answer"):
        await endpoint.embed(["x"])


async def test_errors_and_silence_say_what_to_check(
    endpoint: EmbeddingEndpoint, service: Service, monkeypatch: pytest.MonkeyPatch
):
    service.status = 401
    with pytest.raises(EmbeddingError, match=r"answers 401; check knowledge\.embedding_url"):
        await endpoint.embed(["x"])
    monkeypatch.setattr(module, "QUERY_S", 0.0)
    with pytest.raises(EmbeddingError, match="TimeoutError"):
        await endpoint.embed(["x"], query=True)
    nobody = EmbeddingEndpoint("http://127.0.0.1:9/v1", "m")
    with pytest.raises(EmbeddingError, match="does not answer"):
        await nobody.embed(["x"])
    await nobody.close()
