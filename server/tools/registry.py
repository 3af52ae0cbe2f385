"""Makes the tool box from the settings: built-in tools, and what the tools file names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from config.tools import Tools
from config.wording import ConfigError
from models.chat import ToolSpec
from server.telemetry import Metrics
from server.tools.contract import Asking, Caller, Policy, Previewing, Result, Tool
from server.tools.definitions import Definition, load, token
from server.tools.limits import Limits
from server.tools.mcp_tools import McpSource
from server.tools.openapi_tools import OpenApiSource
from server.tools.python_tools import python_tool
from server.tools.runner import Source, ToolBox
from server.tools.wire import Http


class Renamed:
    """A built-in tool under the name, words and limits of its entry in the tools file."""

    def __init__(self, definition: Definition, tool: Tool) -> None:
        words = definition.source.description or tool.spec.description
        self.spec = ToolSpec(definition.name, words, tool.spec.parameters)
        self.policy: Policy = definition.changed(tool.policy)
        self._tool = tool

    async def run(self, arguments: Mapping[str, object], caller: Caller, key: str) -> Result:
        """Do what the built-in tool does."""
        return await self._tool.run(arguments, caller, key)

    def question(self, arguments: Mapping[str, object], language: str) -> str:
        """The built-in tool's own question for a yes, empty where it has none."""
        return self._tool.question(arguments, language) if isinstance(self._tool, Asking) else ""

    async def preview(self, arguments: Mapping[str, object], caller: Caller) -> Result | None:
        """What the built-in tool says stands against the call, None where it cannot say."""
        return await self._tool.preview(arguments, caller) if isinstance(self._tool, Previewing) else None


def build(
    settings: Tools,
    builtin: Mapping[str, Tool],
    *,
    environ: Mapping[str, str],
    http: Http,
    limits: Limits,
    metrics: Metrics,
    log_folder: Path | None = None,
) -> ToolBox:
    """The tool box of a desk; ``builtin`` are the tools that are there without a file, by name.

    An entry ``builtin: order_status`` changes that tool's limits (and its name) in place. Raises ConfigError naming the
    entry and the repair.
    """
    if not settings.enabled:
        return ToolBox([], settings, limits, metrics)
    tools: dict[str, Tool] = dict(builtin)
    sources: list[Source] = []
    for definition in load(settings).values():
        secret = token(definition, environ)
        match definition.kind:
            case "builtin":
                _replace(tools, definition, builtin)
            case "python":
                _add(tools, definition, python_tool(definition))
            case "openapi":
                sources.append(OpenApiSource(definition, secret, http))
            case _:
                sources.append(McpSource(definition, secret, http, log_folder))
    _distinct(tools, sources)
    return ToolBox(tools.values(), settings, limits, metrics, sources)


def _replace(tools: dict[str, Tool], definition: Definition, builtin: Mapping[str, Tool]) -> None:
    named = definition.source.builtin
    tool = builtin.get(named)
    if tool is None:
        known = ", ".join(sorted(builtin)) or "none; set tools.shop"
        raise ConfigError(f"tool {definition.name}: there is no built-in tool {named}; known are {known}.")
    tools.pop(named, None)
    _add(tools, definition, cast("Tool", Renamed(definition, tool)))


def _add(tools: dict[str, Tool], definition: Definition, tool: Tool) -> None:
    if definition.name in tools:
        raise ConfigError(f"tool {definition.name}: a built-in tool has this name already; choose another.")
    tools[definition.name] = tool


def _distinct(tools: Mapping[str, Tool], sources: list[Source]) -> None:
    """Refuse two operations of one name; of those read from an address later, the first entry's is used."""
    owners = dict.fromkeys(tools, "a built-in or Python tool")
    for source in sources:
        for name in source.tools():
            if name in owners:
                taken = f"its operation {name} has the name of {owners[name]}"
                raise ConfigError(f"tool {source.name}: {taken}; leave it out of operations.")
            owners[name] = f"tool {source.name}"
