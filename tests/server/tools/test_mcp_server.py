"""The official client, unmodified, uses the desk's own tools over streamable HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp import Client, MCPError

from config.tools import Tools
from server.telemetry import Metrics
from server.tools.contract import ToolRefused
from server.tools.limits import Limits
from server.tools.mcp_server import MAX_BYTES, McpServer
from server.tools.mcp_tools import McpSource
from server.tools.runner import ToolBox
from server.tools.wire import GuardedHttp
from tests.places import Place, until
from tests.server.tools.bench import FunctionTool, caller, definition
from tests.server.tools.test_mcp_tools import START_S, connected
from tests.server.tools.test_runner import fine

ORDER = {"order": {"type": "string"}}


async def declines(*_about: Any) -> Any:
    raise ToolRefused("no such order")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[McpServer]:
    async with Place("sqlite", f"sqlite:///{tmp_path / 'desk.db'}").open() as store:
        tools = [
            FunctionTool(fine, ORDER, "stock"),
            FunctionTool(declines, {}, "declines"),
            FunctionTool(fine, ORDER, "order_status", personal=True),
            FunctionTool(fine, ORDER, "refund", effect="write"),
        ]
        box = ToolBox(tools, Tools(), Limits(store, 100.0), Metrics())
        yield McpServer(box, caller(conversation_id="mcp"), "1.2.3")


@pytest.fixture
async def url(server: McpServer) -> AsyncIterator[str]:
    async def post(request: web.Request) -> web.Response:
        answer = await server.answer(await request.read())
        if answer is None:
            return web.Response(status=202)
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/mcp", post)
    async with TestServer(app, host="127.0.0.1") as running:
        yield str(running.make_url("/mcp"))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_and_calls(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.version) == ("frontdesk", "1.2.3")
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["declines", "stock"]
        answer = await client.call_tool("stock", {"order": "1042"})
        assert answer.structured_content["got"] == {"order": "1042"}
        refused = await client.call_tool("stock", {"other": 1})
        assert refused.is_error
        assert refused.content[0].text == "other is not an argument of this tool"  # type: ignore[union-attr]
        assert (await client.call_tool("declines", {})).is_error
        for name in ("order_status", "refund", "ghost"):
            with pytest.raises(MCPError):
                await client.call_tool(name, {"order": "1042"})


async def test_one_desk_can_use_the_tools_of_another(url: str, http: GuardedHttp) -> None:
    host = url.removeprefix("http://").partition("/")[0]
    entry = definition("desk", mcp_url=url, allow_hosts=(host,), effect="read", timeout_s=5.0)
    async with connected(McpSource(entry, "", http)) as source:
        await until(source.tools, START_S)
        result = await source.tools()["desk_stock"].run({"order": "7"}, caller(), "k")
        assert result.data["got"] == {"order": "7"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "resources/list"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', -32602),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "nothing"}', -32601),
        (b" " * (MAX_BYTES + 1), -32600),
    ],
)
async def test_messages_that_make_no_sense_get_an_error(server: McpServer, body: bytes, code: int) -> None:
    answer = await server.answer(body)
    assert answer is not None
    assert json.loads(answer)["error"]["code"] == code


async def test_notifications_get_no_answer(server: McpServer) -> None:
    assert await server.answer(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}') is None
    pong = await server.answer(b'{"jsonrpc": "2.0", "id": "a", "method": "ping"}')
    assert pong == b'{"jsonrpc":"2.0","id":"a","result":{}}'
