"""The desk's own tools for any MCP client: one JSON-RPC message in, at most one out, nothing kept between them.

Made for streamable HTTP without sessions: whoever serves it answers each POST with what :meth:`McpServer.answer` gives
back (202 without a body for None) and lets in only who may use tools. Offered are tools that read and are about nobody
in particular: there is no conversation here, so nobody is verified and nobody could say yes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from server.ids import new_id
from server.store.text import dump
from server.tools.contract import Caller, Result, Tool, ToolError, ToolRefused

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")  # of the protocol, the newest first
MAX_BYTES = 100_000  # of a message
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602

Params = Mapping[str, Any]


class Box(Protocol):
    """What it needs of the tool box."""

    def listed(self) -> Sequence[tuple[str, Tool]]:
        """Every tool with where it comes from."""
        ...

    def tool(self, name: str) -> Tool:
        """One tool; raises ToolRefused."""
        ...

    def check(self, name: str, arguments: str) -> dict[str, Any]:
        """Arguments that fit; raises ToolRefused."""
        ...

    async def run(self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """One call; raises ToolError."""
        ...


class _Refused(Exception):
    """A message that gets an error; carries JSON-RPC's code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class McpServer:
    """Answers messages for ``caller``, who is nobody's customer; ``version`` is the desk's own."""

    def __init__(self, box: Box, caller: Caller, version: str) -> None:
        self._box = box
        self._caller = caller
        self._version = version
        self._methods: Mapping[str, Callable[[Params], Awaitable[dict[str, Any]]]] = {
            "initialize": self._initialize,
            "ping": self._ping,
            "tools/list": self._list,
            "tools/call": self._call,
        }

    async def answer(self, body: bytes) -> bytes | None:
        """The answer to one message; None where it was a notification, which gets none."""
        identifier: Any = None
        try:
            message = _read(body)
            identifier = message.get("id")
            if "id" not in message:
                return None
            return _encoded(identifier, result=await self._done(message))
        except _Refused as error:
            return _encoded(identifier, error={"code": error.code, "message": str(error)})

    async def _done(self, message: Params) -> dict[str, Any]:
        method, params = self._methods.get(str(message.get("method"))), message.get("params", {})
        if method is None:
            raise _Refused(METHOD_NOT_FOUND, "this server offers tools only")
        if not isinstance(params, dict):
            raise _Refused(INVALID_PARAMS, "params must be an object")
        return await method(params)

    async def _initialize(self, params: Params) -> dict[str, Any]:
        asked = params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "frontdesk", "version": self._version},
        }

    async def _ping(self, _params: Params) -> dict[str, Any]:
        return {}

    async def _list(self, _params: Params) -> dict[str, Any]:
        offered = [tool for _, tool in self._box.listed() if _is_offered(tool)]
        return {
            "tools": [
                {
                    "name": tool.spec.name,
                    "description": tool.spec.description,
                    "inputSchema": {"type": "object", **tool.spec.parameters},
                    "annotations": {"readOnlyHint": True},
                }
                for tool in offered
            ]
        }

    async def _call(self, params: Params) -> dict[str, Any]:
        name, arguments = str(params.get("name", "")), params.get("arguments") or {}
        try:
            tool = self._box.tool(name)
        except ToolRefused as error:
            raise _Refused(INVALID_PARAMS, str(error)) from None
        if not _is_offered(tool):
            raise _Refused(INVALID_PARAMS, "this tool needs a conversation with a customer")
        try:
            checked = self._box.check(name, json.dumps(arguments))
            result = await self._box.run(name, checked, self._caller, f"mcp:{new_id()}")
        except ToolError as error:
            return {"content": [{"type": "text", "text": str(error)}], "isError": True}
        data = dict(result.data)
        return {
            "content": [{"type": "text", "text": result.say or dump(data)}],
            "structuredContent": data,
            "isError": not result.ok,
        }


def _is_offered(tool: Tool) -> bool:
    policy = tool.policy
    return policy.effect == "read" and not (policy.personal or policy.confirm or policy.approve)


def _read(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise _Refused(INVALID_REQUEST, f"a message may have {MAX_BYTES} bytes")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(PARSE_ERROR, "this is not JSON") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise _Refused(INVALID_REQUEST, "send one JSON-RPC 2.0 message")
    return message


def _encoded(identifier: Any, **outcome: Any) -> bytes:
    kept = identifier if isinstance(identifier, str | int) else None
    return dump({"jsonrpc": "2.0", "id": kept, **outcome}).encode()
