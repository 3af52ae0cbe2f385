from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import ClientPayloadError, ClientSession, web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel

from server.headers import DATA_POLICY, PAGE_POLICY
from server.problems import Handler, Problem, too_many
from server.routes import Principal, Role, Route, install, read_body, read_query
from server.store.contract import Conflict, StoreUnavailable


class NobodyComes:
    """A gate that knows nobody."""

    async def who(self, _request: web.Request) -> Principal | None:
        return None

    def check_forgery(self, _request: web.Request, _principal: Principal) -> None:
        raise AssertionError

    async def record(self, _request: web.Request, _principal: Principal, _action: str) -> None:
        raise AssertionError


class Order(BaseModel):
    number: int
    password: str = ""


def raising(error: Exception) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        raise error

    return handle


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise ValueError("in the middle")


async def order(request: web.Request) -> web.Response:
    return web.json_response({"number": (await read_body(request, Order)).number})


async def query(request: web.Request) -> web.Response:
    return web.json_response({"number": read_query(request, Order).number})


async def page(_request: web.Request) -> web.Response:
    return web.Response(text="<p>hi", content_type="text/html")


async def frame(_request: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": "frame-ancestors https://shop.test"}
    return web.Response(text="<p>hi", content_type="text/html", headers=headers)


async def unchanged(_request: web.Request) -> web.Response:
    return web.Response(status=304)


TABLE = [
    Route("GET", "/away", raising(StoreUnavailable("away")), Role.PUBLIC, "x"),
    Route("GET", "/taken", raising(Conflict("twice")), Role.PUBLIC, "x"),
    Route("GET", "/bug", raising(ValueError("secret detail")), Role.PUBLIC, "x"),
    Route("GET", "/moved", raising(web.HTTPFound("/page")), Role.PUBLIC, "x"),
    Route("GET", "/slow", raising(too_many(0.2, "Wait.")), Role.PUBLIC, "x"),
    Route("GET", "/teapot", raising(Problem(418, "Teapot", "Use a cup.", "https://x/tea")), Role.PUBLIC, "x"),
    Route("GET", "/half", half, Role.PUBLIC, "x"),
    Route("GET", "/query", query, Role.PUBLIC, "x"),
    Route("POST", "/order", order, Role.PUBLIC, "x"),
    Route("GET", "/page", page, Role.PUBLIC, "x"),
    Route("GET", "/frame", frame, Role.PUBLIC, "x"),
    Route("GET", "/unchanged", unchanged, Role.PUBLIC, "x"),
]


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[TestServer, ClientSession]]:
    app = web.Application(client_max_size=1_000)
    install(app, TABLE, NobodyComes())
    async with TestServer(app, host="127.0.0.1") as server, ClientSession() as client:
        yield server, client


async def test_expected_errors_become_problem_documents():
    async with serving() as (server, client):
        for path, status in (("/away", 503), ("/taken", 409), ("/slow", 429), ("/teapot", 418), ("/none", 404)):
            answer = await client.get(server.make_url(path))
            body = await answer.json()
            assert answer.status == status
            assert answer.content_type == "application/problem+json"
            assert body["status"] == status
            assert {"type", "title", "detail"} <= body.keys()
        assert (await client.get(server.make_url("/away"))).headers["Retry-After"] == "2"
        assert (await client.get(server.make_url("/slow"))).headers["Retry-After"] == "1"
        assert (await (await client.get(server.make_url("/teapot"))).json())["type"] == "https://x/tea"


async def test_wrong_method_names_the_allowed_ones():
    async with serving() as (server, client):
        answer = await client.post(server.make_url("/page"))
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_redirects_stay_redirects():
    async with serving() as (server, client):
        answer = await client.get(server.make_url("/moved"), allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (302, "/page")


async def test_an_unexpected_error_is_logged_once_under_the_id_that_is_answered():
    with structlog.testing.capture_logs() as logs:
        async with serving() as (server, client):
            answer = await client.get(server.make_url("/bug"))
            body = await answer.json()
    assert answer.status == 500
    assert "secret detail" not in str(body)
    failures = [entry for entry in logs if entry["event"] == "request_failed"]
    assert [entry["error_id"] for entry in failures] == [body["error_id"]]
    assert failures[0]["route"] == "/bug"


async def test_an_error_in_mid_stream_cuts_the_connection_instead_of_appending_a_second_answer():
    with structlog.testing.capture_logs() as logs:
        async with serving() as (server, client):
            answer = await client.get(server.make_url("/half"))
            try:
                text = await answer.read()
            except ClientPayloadError:
                text = b"half"
    assert text == b"half"
    assert [entry["event"] for entry in logs] == ["request_failed"]


async def test_bodies_are_checked_by_type_size_syntax_and_schema():
    async with serving() as (server, client):
        url = server.make_url("/order")
        cases = [
            ({"json": {"number": 1}}, 200),
            ({"data": b"number=1"}, 415),
            ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
            ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400),
            ({"json": {"number": "x" * 2_000}}, 413),
            ({"json": {"password": "hunter2-hunter2"}}, 422),
        ]
        for sent, status in cases:
            answer = await client.post(url, **sent)
            assert answer.status == status, sent
        body = await answer.json()
        assert [item["field"] for item in body["errors"]] == ["number"]
        assert "hunter2" not in str(body)


async def test_compressed_bodies_are_refused():
    async with serving() as (server, client):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = await client.post(server.make_url("/order"), data=b"\x1f\x8b", headers=headers)
        assert answer.status == 415


async def test_a_query_parameter_counts_once():
    async with serving() as (server, client):
        assert (await client.get(server.make_url("/query?number=4"))).status == 200
        assert (await client.get(server.make_url("/query?number=4&number=5"))).status == 422
        assert (await client.get(server.make_url("/query?number=x"))).status == 422


async def test_every_answer_carries_the_security_headers():
    async with serving() as (server, client):
        for path in ("/page", "/none", "/bug", "/away"):
            headers = (await client.get(server.make_url(path))).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Server"] == "frontdesk"
            assert headers["Content-Security-Policy"] == (PAGE_POLICY if path == "/page" else DATA_POLICY)
        assert "unsafe" not in PAGE_POLICY


async def test_a_route_with_its_own_policy_decides_who_may_frame_it():
    async with serving() as (server, client):
        headers = (await client.get(server.make_url("/frame"))).headers
        assert headers["Content-Security-Policy"] == "frame-ancestors https://shop.test"
        assert "X-Frame-Options" not in headers


async def test_a_304_never_replaces_the_policy_of_the_kept_page():
    async with serving() as (server, client):
        assert "Content-Security-Policy" not in (await client.get(server.make_url("/unchanged"))).headers
