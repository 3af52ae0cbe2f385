"""The terminal's customer against the real server and against servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.load import load
from server import app as server_app
from server.commands.client import Customer, Frame, parse
from server.commands.failure import Failure
from tests.model_double import ModelDouble, Pace


@asynccontextmanager
async def desk(folder: Path, model_url: str = "") -> AsyncIterator[str]:
    """The real server over a model double (or the one at ``model_url``)."""
    async with ModelDouble(Pace(tokens_per_s=40)) as double:
        url = model_url or double.base_url
        settings = load({"FRONTDESK_DATA_DIR": str(folder), "FRONTDESK_MODEL__BASE_URL": url})
        async with TestServer(server_app.build(settings), host="127.0.0.1") as server:
            yield str(server.make_url("/")).rstrip("/")


@asynccontextmanager
async def answering(status: int, body: object, headers: dict[str, str] | None = None) -> AsyncIterator[str]:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/"))


async def test_a_question_is_answered_over_the_public_api(tmp_path: Path) -> None:
    async with desk(tmp_path) as url, Customer.visiting(url) as customer, asyncio.timeout(20):
        assert customer.conversation_id
        while await customer.model_state() != "ready":
            await asyncio.sleep(0.02)
        assert await customer.say("Where is my parcel?") >= 1
        kinds = []
        async for frame in customer.frames():
            kinds.append(frame.event)
            if frame.event == "message" and frame.data["role"] == "assistant":
                assert frame.id
                break
        assert {"draft_started", "draft"} <= set(kinds)
        await customer.stop()


async def test_no_server_is_one_cause_and_one_repair() -> None:
    with pytest.raises(Failure) as caught:
        async with Customer.visiting("http://127.0.0.1:9"):
            pass
    assert "no server answers" in caught.value.cause
    assert caught.value.repair == "start one with: frontdesk serve"


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (429, {"Retry-After": "7"}, "wait 7 s: slow down"),
        (503, {}, "wait a few s"),
        (404, {}, "answered 404: slow down"),
    ],
)
async def test_refusals_are_repeated_in_the_servers_words(status: int, headers: dict[str, str], words: str) -> None:
    async with answering(status, {"detail": "slow down"}, headers) as url:
        with pytest.raises(Failure) as caught:
            async with Customer.visiting(url):
                pass
    assert words in caught.value.cause


async def test_a_session_that_ended_is_said() -> None:
    async with answering(401, ["not a mapping"]) as url, aiohttp.ClientSession() as http:
        customer = Customer(http, url.rstrip("/"))
        with pytest.raises(Failure, match="the session ended"):
            await anext(customer.frames())


async def test_the_stream_is_parsed_as_browsers_do() -> None:
    stream = aiohttp.StreamReader(Quiet(), limit=2**16)
    stream.feed_data(
        b': ping\n\nevent: message\r\nid: 7\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: broken\n\nevent: x\n\n'
    )
    stream.feed_eof()
    assert [frame async for frame in parse(stream)] == [Frame("message", {"a": 1}, "7"), Frame("message", {}, "")]


class Quiet(aiohttp.base_protocol.BaseProtocol):
    """A protocol that no bytes come from."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
