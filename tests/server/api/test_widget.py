"""The widget's files as a browser asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from channels.web import WebChannel
from config.settings import WebAccount
from server.api.widget import FOLDER, TYPES, WidgetFiles
from server.problems import problems
from server.routes import Role

SHOP = "https://shop.example"


def files() -> WidgetFiles:
    accounts = {
        "default": WebAccount(allowed_origins=(SHOP,)),
        "open": WebAccount(),
        "off": WebAccount(enabled=False),
    }
    return WidgetFiles({name: WebChannel(name, account, lambda: b"k", "") for name, account in accounts.items()})


@pytest.fixture
async def site() -> AsyncIterator[TestServer]:
    app = web.Application(middlewares=[problems])
    app.add_routes([web.get(route.path, route.handler) for route in files().routes()])
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


async def get(site: TestServer, path: str, **headers: str) -> tuple[ClientResponse, bytes]:
    async with ClientSession() as http, http.get(site.make_url(path), headers=headers) as response:
        return response, await response.read()


def test_every_file_of_the_folder_has_one_public_address():
    routes = files().routes()
    assert len(routes) == len([path for path in FOLDER.iterdir() if path.suffix in TYPES])
    assert {route.role for route in routes} == {Role.PUBLIC}
    assert {"/widget.js", "/web/frame", "/web/demo"} <= {route.path for route in routes}


async def test_files_are_whole_typed_and_revalidated(site: TestServer):
    for route in files().routes():
        response, body = await get(site, route.path)
        assert response.status == 200
        assert response.content_type in TYPES.values()
        assert response.charset == "utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
        assert body in {path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}
        again, empty = await get(site, route.path, **{"If-None-Match": response.headers["ETag"]})
        assert (again.status, empty, again.headers["ETag"]) == (304, b"", response.headers["ETag"])
        other, _ = await get(site, route.path, **{"If-None-Match": '"another"'})
        assert other.status == 200


async def test_scripts_may_be_loaded_from_everywhere_but_pages_not_embedded(site: TestServer):
    script, _ = await get(site, "/widget.js")
    assert script.headers["Access-Control-Allow-Origin"] == "*"
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    demo, _ = await get(site, "/web/demo")
    assert "frame-ancestors 'none'" in demo.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in demo.headers


@pytest.mark.parametrize(
    ("query", "ancestors"),
    [("", f"'self' {SHOP}"), ("?account=default", f"'self' {SHOP}"), ("?account=open", "'self'")],
)
async def test_the_frame_names_who_may_embed_it(site: TestServer, query: str, ancestors: str):
    frame, _ = await get(site, f"/web/frame{query}")
    policy = dict(part.split(" ", 1) for part in frame.headers["Content-Security-Policy"].split("; "))
    assert policy["frame-ancestors"] == ancestors
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


@pytest.mark.parametrize("account", ["off", "unknown", ""])
async def test_no_frame_for_accounts_that_are_none(site: TestServer, account: str):
    response, body = await get(site, f"/web/frame?account={account}")
    assert response.status == 404
    assert b"data-account" in body


@pytest.mark.parametrize("path", ["/web/../app.py", "/web/%2e%2e/web.py", "/web/", "/web/widget.js", "/web/nothing.js"])
async def test_nothing_else_of_the_disk_can_be_asked_for(site: TestServer, path: str):
    response, body = await get(site, path)
    assert response.status == 404
    assert b"import" not in body
