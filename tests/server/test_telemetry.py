"""Logs of ours and of libraries go through one chain; figures are counted by route pattern."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Log
from server.telemetry import TALKATIVE, Metrics, http_middleware, setup_logging
from tests.plain_logs import plain_logs

CANARY = "canary-4b1d-secret-value"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in TALKATIVE}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    plain_logs()


def json_logs(level: str = "debug", secrets: tuple[str, ...] = (CANARY,)) -> io.StringIO:
    stream = io.StringIO()
    setup_logging(Log.model_validate({"level": level, "format": "json"}), secrets=secrets, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def stumble(event: str, words: str, **more: object) -> None:
    try:
        int(words)
    except ValueError:
        structlog.get_logger().exception(event, **more)


def test_events_are_json_with_level_and_time() -> None:
    stream = json_logs()
    structlog.get_logger().info("lane_parked", lane="abc", errors=3)
    (event,) = lines(stream)
    assert event["event"] == "lane_parked"
    assert (event["lane"], event["errors"], event["level"]) == ("abc", 3, "info")
    assert event["timestamp"].endswith("Z")


def test_library_messages_and_tracebacks_pass_the_same_redaction() -> None:
    stream = json_logs()
    logging.getLogger("some.library").warning("GET https://api.example/bot123:%s?token=%s", "abc-def", CANARY)
    stumble("failed", f"bad value {CANARY}")
    text = stream.getvalue()
    assert CANARY not in text
    assert "abc-def" not in text
    assert "ValueError: invalid literal" in text
    assert lines(stream)[0]["logger"] == "some.library"


def test_levels_hold_and_talkative_libraries_are_tamed() -> None:
    stream = json_logs("info")
    structlog.get_logger().debug("hidden")
    for name in TALKATIVE:
        logging.getLogger(name).info("a body %s", CANARY)
    assert stream.getvalue() == ""


def test_auto_means_json_outside_a_terminal_and_console_is_readable() -> None:
    stream = io.StringIO()
    setup_logging(Log(), stream=stream)
    structlog.get_logger().info("event")
    json.loads(stream.getvalue())
    console = io.StringIO()
    setup_logging(Log(format="console"), secrets=[CANARY], stream=console)
    stumble("failed", CANARY, count=2)
    assert "failed" in console.getvalue()
    assert "count=2" in console.getvalue()
    assert CANARY not in console.getvalue()


def test_context_of_a_task_is_in_its_events() -> None:
    stream = json_logs()
    with structlog.contextvars.bound_contextvars(conversation="c1"):
        structlog.get_logger().info("inside")
    assert lines(stream)[0]["conversation"] == "c1"


def test_two_servers_in_one_process_have_figures_of_their_own() -> None:
    first, second = Metrics(), Metrics()
    first.items_parked.inc()
    assert first.registry.get_sample_value("frontdesk_items_parked_total") == 1
    assert second.registry.get_sample_value("frontdesk_items_parked_total") == 0


def test_the_exposition_has_every_name() -> None:
    body, content_type = Metrics().render()
    assert content_type.startswith("text/plain")
    assert b"# TYPE frontdesk_turns_total counter" in body
    assert b"process_resident_memory_bytes" in body


async def _app(metrics: Metrics) -> TestClient[web.Request, web.Application]:
    async def fine(_: web.Request) -> web.Response:
        return web.Response(text="fine")

    async def refused(_: web.Request) -> web.Response:
        raise web.HTTPForbidden

    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        return response

    app = web.Application(middlewares=[http_middleware(metrics)])
    app.router.add_get("/items/{id}", fine)
    app.router.add_get("/refused", refused)
    app.router.add_get("/broken", broken)
    app.router.add_get("/stream", stream)
    return TestClient(TestServer(app))


async def test_requests_are_counted_by_route_method_and_status(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    async with await _app(metrics) as client:
        for path in ("/items/1", "/items/2", "/refused", "/broken", "/nowhere", "/stream"):
            await client.get(path)
        await client.request("PROPFIND", "/items/1")
        await asyncio.sleep(0)

    def counted(route: str, status: str, method: str = "GET") -> float | None:
        labels = {"route": route, "method": method, "status": status}
        return metrics.registry.get_sample_value("frontdesk_http_requests_total", labels)

    assert counted("/items/{id}", "200") == 2
    assert counted("/refused", "403") == 1
    assert counted("/broken", "500") == 1
    assert counted("unmatched", "404") == 1
    assert counted("unmatched", "405", "other") == 1
    timed = metrics.registry.get_sample_value("frontdesk_http_request_seconds_count", {"route": "/stream"})
    assert timed is None, "streams last as long as the visitor stays; they would spoil the histogram"
    assert "RuntimeError" in caplog.text
