"""Tools of an MCP server: a program on this machine (stdio) or an address (streamable HTTP).

The official client loads on first use. One task owns the connection, reads the list of tools again and again, and
connects anew whenever the server went away; a call in between waits a moment and then says unavailable.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import structlog

from models.chat import ToolSpec
from server.tools import identity
from server.tools.contract import Caller, Result, Tool, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.definitions import Definition, tool_name
from server.tools.wire import Http

log = structlog.get_logger()

CONNECT_S = 20.0  # to start the server and agree on a protocol
RELIST_S = 30.0  # between two looks at its list of tools; also finds out that it is gone
RECONNECT_WAIT_S = 3.0  # a call waits this long for a server that is being started
PAUSES_S = (0.2, 1.0, 5.0, 30.0)  # between connections that fail; the last one repeats
STEADY_S = 60.0  # a connection that held this long starts the pauses anew
MAX_PAGES = 20  # of a list of tools
MAX_TOOLS = 200
DESCRIPTION_CHARACTERS = 500
SCHEMA_CHARACTERS = 20_000
TEXT_CHARACTERS = 100_000
LOG_BYTES = 10_000_000  # of a program's standard error; a longer log starts anew
KEY_META = "idempotencyKey"  # in a call's _meta: servers that know it make repeats harmless


class McpTool:
    """One tool of a server, under the entry's name and its own."""

    def __init__(self, source: McpSource, definition: Definition, listed: Any) -> None:
        parameters = dict(listed.input_schema)
        description = " ".join((listed.description or listed.title or listed.name).split())
        self.spec = ToolSpec(tool_name(definition.name, listed.name), description[:DESCRIPTION_CHARACTERS], parameters)
        # what a server says about its own effects is not believed: the entry says it, or it is a write
        self.policy = definition.policy(personal=identity.names_customer(parameters))
        self._source = source
        self._listed_name: str = listed.name

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Call it; raises ToolUnavailable when the server is gone, ToolTimeout, or what it refused."""
        del caller  # a stranger's server learns no more than the arguments
        return await self._source.call(self._listed_name, dict(arguments), key, self.policy.timeout_s)


class McpSource:
    """The connection of one entry and its tools; ``environ`` is where its token variable is found.

    A program gets a clean environment (PATH, HOME and the like) and that one variable. What it writes to its standard
    error goes to ``log_folder``, or nowhere.
    """

    kind = "mcp"

    def __init__(
        self,
        definition: Definition,
        token: str,
        http: Http,
        log_folder: Path | None = None,
        *,
        relist_s: float = RELIST_S,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.name = definition.name
        self.reason = "it has not been started yet"
        self._definition = definition
        self._token = token
        self._http = http
        self._log_folder = log_folder
        self._relist_s = relist_s
        self._pauses_s = pauses_s
        self._tools: dict[str, Tool] = {}
        self._client: Any = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._digests: dict[str, str] = {}

    def tools(self) -> Mapping[str, Tool]:
        """What the server listed last, by name; kept while it is away."""
        return self._tools

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        pauses = list(self._pauses_s)
        while True:
            began_s = time.monotonic()
            serving = asyncio.create_task(self._serve(), name=f"mcp-{self.name}")
            try:
                await asyncio.wait({serving})
            finally:
                self._disconnected()
                serving.cancel()
                await asyncio.wait({serving})
            error = None if serving.cancelled() else serving.exception()
            self.reason = str(error) if isinstance(error, ToolError) else f"its server is away ({_named(error)})"
            log.warning("mcp_server_lost", source=self.name, error=_named(error))
            if time.monotonic() - began_s > STEADY_S:
                pauses = list(self._pauses_s)
            await asyncio.sleep(pauses.pop(0) if len(pauses) > 1 else pauses[0])

    async def _serve(self) -> None:
        """One connection from start to loss; ends by raising."""
        self._lost.clear()
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(CONNECT_S):
                client = await stack.enter_async_context(await self._connection(stack))
                await self._list(client)
            self._client, self.reason = client, ""
            self._ready.set()
            log.info("mcp_server_ready", source=self.name, tools=len(self._tools))
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._relist_s):
                        await self._lost.wait()
                        raise ToolUnavailable("the connection ended")
                async with asyncio.timeout(CONNECT_S):
                    await self._list(client)

    def _disconnected(self) -> None:
        self._client = None
        self._ready.clear()

    async def _connection(self, stack: AsyncExitStack) -> Any:
        """A client that is not entered yet; importing the library takes a second, so it happens in a thread."""
        mcp = await asyncio.to_thread(importlib.import_module, "mcp")
        source = self._definition.source
        if source.mcp_url:
            await self._http.check(source.mcp_url, source.allow_hosts)
            http = importlib.import_module("mcp.client.streamable_http")
            httpx2 = importlib.import_module("httpx2")
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            timeout = httpx2.Timeout(CONNECT_S, read=None)
            web = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False))
            return mcp.Client(http.streamable_http_client(source.mcp_url, http_client=web), cache=None)
        stdio = importlib.import_module("mcp.client.stdio")
        command, *rest = source.mcp
        program = stdio.StdioServerParameters(
            command=command,
            args=rest,
            env={source.token_env: self._token} if self._token else None,
            cwd=self._definition.folder,
        )
        errors = stack.enter_context(self._errors())
        return mcp.Client(stdio.stdio_client(program, errlog=errors), cache=None)

    @contextmanager
    def _errors(self) -> Iterator[TextIO]:
        path = Path(os.devnull)
        if self._log_folder is not None:
            self._log_folder.mkdir(parents=True, exist_ok=True)
            path = self._log_folder / f"mcp-{self.name}.log"
            path.touch(mode=0o600)
            if path.stat().st_size > LOG_BYTES:
                os.truncate(path, 0)
        with path.open("a", encoding="utf-8") as opened:
            yield opened

    async def _list(self, client: Any) -> None:
        wanted = set(self._definition.source.operations)
        found: dict[str, Tool] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            for listed in page.tools:
                if (not wanted or listed.name in wanted) and len(found) < MAX_TOOLS and self._usable(listed):
                    tool = McpTool(self, self._definition, listed)
                    found[tool.spec.name] = tool
            cursor = page.next_cursor
            if not cursor:
                break
        self._tools = found

    def _usable(self, listed: Any) -> bool:
        """Whether a tool can be offered; a change of what it says about itself is logged, since prompts contain it."""
        text = json.dumps([listed.description, listed.input_schema], sort_keys=True, default=str)
        if len(text) > SCHEMA_CHARACTERS:
            log.warning("mcp_tool_left_out", source=self.name, tool=listed.name, reason="its schema is too long")
            return False
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        if self._digests.setdefault(listed.name, digest) != digest:
            log.warning("mcp_tool_changed", source=self.name, tool=listed.name)
            self._digests[listed.name] = digest
        return True

    async def call(self, name: str, arguments: Mapping[str, Any], key: str, timeout_s: float) -> Result:
        """One call on the live connection; raises ToolError."""
        if not self._ready.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(RECONNECT_WAIT_S, timeout_s)):
                    await self._ready.wait()
        client = self._client
        if client is None:
            raise ToolUnavailable(f"the server of {self.name} is away; it is started again by itself")
        calling = asyncio.create_task(
            client.call_tool(name, arguments, read_timeout_seconds=timeout_s, meta={KEY_META: key})
        )
        losing = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait({calling, losing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            losing.cancel()
            calling.cancel()  # nothing happens to one that is done
            await asyncio.wait({calling, losing})
        if calling.cancelled():
            raise ToolUnavailable(f"the server of {self.name} went away during the call")
        if error := calling.exception():
            raise self._mapped(error)
        return _result(calling.result())

    def _mapped(self, error: BaseException) -> ToolError:
        """The library's error in our words; the server's own text only where it refused the arguments."""
        types = importlib.import_module("mcp_types")
        code = getattr(error, "code", None)
        if code == types.REQUEST_TIMEOUT or isinstance(error, TimeoutError):
            return ToolTimeout(f"the server of {self.name} did not answer in time")
        if code == types.INVALID_PARAMS:
            return ToolRefused(" ".join(str(error).split())[:200] or "the server refused the arguments")
        if code is None or code == types.CONNECTION_CLOSED:
            log.warning("mcp_call_failed", source=self.name, error=type(error).__name__)
            if code is not None or "Resource" in type(error).__name__ or isinstance(error, OSError):
                self._lost.set()
                self._disconnected()  # whoever calls next waits for the new connection
                return ToolUnavailable(f"the server of {self.name} went away during the call")
        return ToolError(f"the server of {self.name} failed ({code if code is not None else type(error).__name__})")


def _result(answer: Any) -> Result:
    """Structured content as it is, else the texts; what is neither is named, not passed on."""
    structured = answer.structured_content
    texts = [block.text for block in answer.content if block.type == "text"]
    other = sorted({block.type for block in answer.content if block.type != "text"})
    data: dict[str, Any] = {}
    if isinstance(structured, dict):
        data = dict(structured)
    elif structured is not None:
        data = {"result": structured}
    elif texts:
        data = {"text": "\n".join(texts)[:TEXT_CHARACTERS]}
    if other:
        data.setdefault("attached", other)
    if answer.is_error:
        return Result({"error": "\n".join(texts)[:TEXT_CHARACTERS] or "the tool failed"}, ok=False)
    return Result(data)


def _named(error: BaseException | None) -> str:
    """The kinds of error behind a loss; never their texts, which may repeat messages."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(sorted({_named(inner) for inner in error.exceptions}))
    return type(error).__name__ if error is not None else "ended"
