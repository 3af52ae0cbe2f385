"""The official MCP client, unmodified, at the desk's own address with an API key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from config.tools import Tools
from server.api.mcp import McpApi
from server.routes import Principal, Role, install
from server.telemetry import Metrics
from server.tools.limits import Limits
from server.tools.runner import ToolBox
from tests.places import Place
from tests.server.tools.bench import FunctionTool
from tests.server.tools.test_runner import fine

KEY = "fd_staff"
ORDER = {"order": {"type": "string"}}


class KeyGate:
    """Knows one key; remembers what was audited."""

    def __init__(self) -> None:
        self.audited: list[str] = []

    async def who(self, request: web.Request) -> Principal | None:
        known = request.headers.get("Authorization") == f"Bearer {KEY}"
        return Principal("shop", "api_key", "k1", Role.STAFF) if known else None

    def check_forgery(self, request: web.Request, principal: Principal) -> None:
        """A key is no cookie."""

    async def record(self, _request: web.Request, _principal: Principal, action: str) -> None:
        self.audited.append(action)


@pytest.fixture
async def gate() -> KeyGate:
    return KeyGate()


@pytest.fixture
async def url(tmp_path: Path, gate: KeyGate) -> AsyncIterator[str]:
    async with Place("sqlite", f"sqlite:///{tmp_path / 'desk.db'}").open() as store:
        tools = [FunctionTool(fine, ORDER, "stock"), FunctionTool(fine, ORDER, "order_status", personal=True)]
        box = ToolBox(tools, Tools(), Limits(store, 100.0), Metrics())
        app = web.Application()
        install(app, McpApi(box, "shop").routes(), gate)
        async with TestServer(app, host="127.0.0.1") as running:
            yield str(running.make_url("/mcp"))


async def test_a_key_opens_the_tools_that_are_about_nobody_and_only_calls_are_audited(url: str, gate: KeyGate):
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["stock"]
        assert gate.audited == []
        answer: Any = await client.call_tool("stock", {"order": "1042"})
        assert answer.structured_content["got"] == {"order": "1042"}
    assert gate.audited == ["mcp.call"]


async def test_without_a_key_nothing_is_told(url: str):
    async with httpx2.AsyncClient(trust_env=False) as http:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        refused = await http.post(url, json=body)
        assert refused.status_code == 401
        assert "stock" not in refused.text
        assert (await http.get(url)).status_code == 405
