"""The headers that every answer carries, seen over the wire."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.headers import set_headers


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<p>hi</p>", content_type="text/html")


async def _data(_: web.Request) -> web.Response:
    return web.json_response({})


async def _framed(_: web.Request) -> web.Response:
    return web.Response(text="", content_type="text/html", headers={"Content-Security-Policy": "frame-ancestors x"})


async def _unchanged(_: web.Request) -> web.Response:
    return web.Response(status=304)


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b": hi\n\n")
    return response


async def _headers(path: str) -> dict[str, str]:
    app = web.Application()
    app.on_response_prepare.append(set_headers)
    for route, handler in {
        "/page": _page, "/data": _data, "/framed": _framed, "/unchanged": _unchanged, "/stream": _stream,
        "/api/things": _data, "/console/": _page,
    }.items():  # fmt: skip
        app.router.add_get(route, handler)
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path)
        await response.read()
        return dict(response.headers)


@pytest.mark.parametrize("path", ["/page", "/data", "/framed", "/unchanged", "/stream", "/api/things", "/console/"])
async def test_every_answer_is_sniff_proof_uncached_and_quiet(path: str) -> None:
    headers = await _headers(path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "frontdesk"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == ("same-origin" if path.startswith("/console") else "no-referrer")


async def test_pages_run_only_our_scripts_and_nobody_frames_them() -> None:
    headers = await _headers("/page")
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert "script-src" not in (await _headers("/data"))["Content-Security-Policy"]


async def test_a_route_with_its_own_policy_decides_who_frames_it() -> None:
    headers = await _headers("/framed")
    assert headers["Content-Security-Policy"] == "frame-ancestors x"
    assert "X-Frame-Options" not in headers


async def test_a_304_does_not_replace_the_policy_of_the_cached_page() -> None:
    assert "Content-Security-Policy" not in await _headers("/unchanged")


async def test_the_api_is_no_resource_for_other_sites() -> None:
    assert (await _headers("/api/things"))["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Cross-Origin-Resource-Policy" not in await _headers("/data")
