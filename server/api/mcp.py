"""The shop's tools for MCP clients (``POST /mcp``, streamable HTTP without sessions), behind an API key."""

from __future__ import annotations

from aiohttp import web

from server.install import version
from server.routes import AUDITED, Role, Route, read_raw
from server.tools.contract import Caller
from server.tools.mcp_server import MAX_BYTES, Box, McpServer

NOBODY = "mcp"  # the conversation that calls are counted under: there is no customer here


class McpApi:
    """The address ``/mcp``; it offers tools that read and are about nobody in particular."""

    def __init__(self, box: Box, tenant: str) -> None:
        self._server = McpServer(box, Caller(tenant, NOBODY, "api", "default", NOBODY), version())

    def routes(self) -> list[Route]:
        """The table of this resource; GET is answered 405, as the protocol has it for servers without streams."""
        return [Route("POST", "/mcp", self.answer, Role.STAFF, "Tools for MCP clients (JSON-RPC)", "mcp.call")]

    async def answer(self, request: web.Request) -> web.Response:
        """One JSON-RPC message: 200 with the answer, 202 for a notification. Only calls are audited."""
        body = await read_raw(request, MAX_BYTES)
        if b'"tools/call"' not in body:
            request[AUDITED] = True
        answer = await self._server.answer(body)
        if answer is None:
            return web.Response(status=202)
        return web.Response(body=answer, content_type="application/json")
