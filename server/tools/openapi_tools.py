"""Tools that are HTTP operations of an OpenAPI document, read from a file or an address.

Every call goes to the document's own server (or ``base_url``) and nowhere else, with the idempotency key of its step
and the entry's bearer token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import structlog
import yaml

from config.wording import ConfigError
from models.chat import ToolSpec
from server.tools import identity
from server.tools.contract import Caller, Result, Tool, ToolError, ToolRefused, ToolUnavailable
from server.tools.definitions import Definition, tool_name
from server.tools.openapi_document import DocumentRefused, Operation, Place, operations, server_url
from server.tools.wire import MAX_BYTES, Http, content

log = structlog.get_logger()

READS = frozenset({"get", "head"})
DOCUMENT_BYTES = 5_000_000
DOCUMENT_TIMEOUT_S = 15.0
PAUSES_S = (1.0, 5.0, 30.0, 300.0)  # between tries to read the document; the last one repeats


class OpenApiTool:
    """One operation as a tool; arguments are put where the document says they go."""

    def __init__(self, definition: Definition, operation: Operation, base_url: str, token: str, http: Http) -> None:
        personal = identity.names_customer(operation.parameters)
        words = definition.source.description if len(definition.source.operations) == 1 else ""
        self.spec = ToolSpec(tool_name(operation.id), words or operation.description, operation.parameters)
        self.policy = definition.policy(effect="read" if operation.method in READS else "write", personal=personal)
        self._operation = operation
        self._base_url = base_url.rstrip("/")
        self._allow_hosts = definition.source.allow_hosts
        self._token = token
        self._http = http

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Send the request; raises ToolRefused with the other side's words, ToolUnavailable or ToolTimeout."""
        method = self._operation.method.upper()
        headers = {"Accept": "application/json", "Accept-Language": caller.language, "Idempotency-Key": key}
        headers |= self._headers(arguments)
        body = self._body(arguments)
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = await self._http.request(
            method,
            self.url(arguments),
            headers=headers,
            body=body,
            timeout_s=self.policy.timeout_s,
            max_bytes=MAX_BYTES,
            allow_hosts=self._allow_hosts,
        )
        return Result(content(answer))

    def url(self, arguments: Mapping[str, Any]) -> str:
        """The address of a call; raises ToolRefused where a path argument would lead elsewhere."""
        path = self._operation.path
        query: list[tuple[str, str]] = []
        for name, place in self._operation.places.items():
            if name not in arguments:
                continue
            if place.where == "path":
                path = path.replace("{" + place.name + "}", _segment(name, arguments[name]))
            elif place.where == "query":
                query += _pairs(place, arguments[name])
        url = self._base_url + path + (f"?{urlencode(query)}" if query else "")
        if urlsplit(url)[:2] != urlsplit(self._base_url)[:2]:
            raise ToolRefused("the address would leave the tool's own server")
        return url

    def _headers(self, arguments: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        for name, place in self._operation.places.items():
            if place.where == "header" and name in arguments:
                value = _text(arguments[name])
                if not value.isprintable() or not value.isascii():
                    raise ToolRefused(f"{name} must be plain ASCII text")
                found[place.name] = value
        return found

    def _body(self, arguments: Mapping[str, Any]) -> bytes | None:
        places = self._operation.places
        whole = next((name for name, place in places.items() if place.where == "whole"), None)
        if whole is not None:
            return _json(arguments[whole]) if whole in arguments else None
        parts = {name: place.name for name, place in places.items() if place.where == "body"}
        return _json({parts[name]: arguments[name] for name in parts if name in arguments}) if parts else None


class OpenApiSource:
    """All tools of one entry; a document behind an address is read in the background until it can be read."""

    kind = "openapi"

    def __init__(self, definition: Definition, token: str, http: Http, *, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self.name = definition.name
        self.reason = "its document has not been read yet"
        self._definition = definition
        self._token = token
        self._http = http
        self._pauses_s = pauses_s
        self._tools: dict[str, Tool] = {}
        if not self._remote:
            self._tools = self._read_file()
            self.reason = ""

    @property
    def _remote(self) -> bool:
        return self._definition.source.openapi.startswith(("http://", "https://"))

    def tools(self) -> Mapping[str, Tool]:
        """What is known now, by name."""
        return self._tools

    async def run(self) -> None:
        """Read the document; comes back once that worked."""
        pauses = list(self._pauses_s)
        while self._remote and self.reason:
            try:
                await self.load()
            except (ToolError, ConfigError) as error:
                self.reason = str(error)
                log.warning("tools_not_loaded", source=self.name, reason=self.reason)
                await asyncio.sleep(pauses.pop(0) if len(pauses) > 1 else pauses[0])

    async def load(self) -> None:
        """Fetch the document once and make its tools; raises ToolError or ConfigError."""
        url = self._definition.source.openapi
        answer = await self._http.request(
            "GET",
            url,
            headers={"Accept": "application/json, application/yaml"},
            body=None,
            timeout_s=DOCUMENT_TIMEOUT_S,
            max_bytes=DOCUMENT_BYTES,
            allow_hosts=self._definition.source.allow_hosts,
        )
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise ToolUnavailable(f"{self._host(url)} answered {answer.status} instead of the document")
        self._tools = await asyncio.to_thread(self._made, answer.body.decode("utf-8", "replace"), url)
        self.reason = ""
        log.info("tools_loaded", source=self.name, tools=len(self._tools))

    def _read_file(self) -> dict[str, Tool]:
        path = self._definition.folder / self._definition.source.openapi
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"tool {self.name}: {path} cannot be read ({type(error).__name__}); correct openapi."
            ) from None
        return self._made(text, "")

    def _made(self, text: str, url: str) -> dict[str, Tool]:
        """The tools of a document's text; raises ConfigError."""
        source = self._definition.source
        try:
            document = _parsed(text)
            found = operations(document, source.operations)
        except DocumentRefused as error:
            raise ConfigError(f"tool {self.name}: the OpenAPI document cannot be used: {error}.") from None
        base = source.base_url or urljoin(url, server_url(document) or ("/" if url else ""))
        if urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).hostname:
            raise ConfigError(f"tool {self.name}: the document names no absolute server; set base_url.")
        made = [OpenApiTool(self._definition, operation, base, self._token, self._http) for operation in found]
        return {tool.spec.name: tool for tool in made}

    @staticmethod
    def _host(url: str) -> str:
        return urlsplit(url).hostname or url


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise DocumentRefused("it is neither JSON nor YAML") from None


def _segment(name: str, value: Any) -> str:
    text = quote(_text(value), safe="")
    if text in {"", ".", ".."}:
        raise ToolRefused(f"{name} must not be empty or dots")
    return text


def _pairs(place: Place, value: Any) -> list[tuple[str, str]]:
    """A query argument in its document's style; arrays are repeated or joined, objects spread or bracketed."""
    if isinstance(value, list):
        entries = [_text(entry) for entry in value]
        return [(place.name, entry) for entry in entries] if place.explode else [(place.name, ",".join(entries))]
    if isinstance(value, dict):
        deep = place.style == "deepObject"
        return [(f"{place.name}[{key}]" if deep else key, _text(entry)) for key, entry in value.items()]
    return [(place.name, _text(value))]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return ",".join(_text(entry) for entry in value)
    return json.dumps(value, ensure_ascii=False)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
