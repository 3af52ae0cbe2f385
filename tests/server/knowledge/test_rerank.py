from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from config.knowledge import Knowledge
from server.knowledge.rerank import Reranker, RerankFailed, open_reranker, read_order


class Endpoint:
    """Answers what it is told to and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: Any = {}
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def reranker(endpoint: Endpoint) -> AsyncIterator[Reranker]:
    app = web.Application()
    app.router.add_post("/v1/rerank", endpoint.handle)
    async with TestServer(app) as server:
        opened = open_reranker(
            Knowledge(reranker_url=str(server.make_url("/v1")), reranker_key=SecretStr("k"), reranker_model="m")
        )
        assert opened is not None
        yield opened
        await opened.close()


async def test_the_order_is_by_relevance(endpoint: Endpoint, reranker: Reranker):
    endpoint.answer = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
    assert await reranker.order("q", ["a", "b"], 5) == [1, 0]
    assert endpoint.asked == [{"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 2}]
    assert endpoint.keys == ["Bearer k"]


async def test_errors_and_silence_are_one_failure(endpoint: Endpoint, reranker: Reranker):
    endpoint.status = 503
    with pytest.raises(RerankFailed, match="answers 503"):
        await reranker.order("q", ["a", "b"], 5)
    with pytest.raises(RerankFailed, match="TimeoutError"):
        await reranker.order("q", ["a", "b"], 0)
    nobody = Reranker("http://127.0.0.1:9", "m")
    with pytest.raises(RerankFailed, match="does not answer"):
        await nobody.order("q", ["a"], 5)
    await nobody.close()


@pytest.mark.parametrize(
    "answer", [{}, [], {"results": []}, {"results": [{"index": 5, "relevance_score": 1}]}, {"results": [{"x": 1}]}]
)
def test_odd_answers_are_refused(answer: Any):
    with pytest.raises(RerankFailed):
        read_order(answer, 2)


def test_what_an_answer_leaves_out_comes_last():
    assert read_order({"results": [{"index": 2, "relevance_score": 0.3}]}, 3) == [2, 0, 1]


def test_it_is_off_by_default():
    assert open_reranker(Knowledge()) is None
