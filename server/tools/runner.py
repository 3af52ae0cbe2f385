"""Runs tool calls within their limits: arguments, identity, role, rate, cost, time and size, measured and logged.

Arguments and results never reach a log; a crash inside a tool is logged by its kind and the lines it passed.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from config.tools import Tools
from models.chat import ToolSpec
from server.store.contract import StoreError
from server.store.text import dump
from server.telemetry import Metrics
from server.tools import identity
from server.tools.contract import (
    Caller,
    Policy,
    Result,
    Tool,
    ToolError,
    ToolRefused,
    ToolTimeout,
    ToolUnavailable,
)
from server.tools.limits import Limits
from server.tools.schema import Schema, load_library, read

log = structlog.get_logger()

VERIFY = "verify"  # the words of the refusal that the engine turns into verification
FORGET_EVERY_S = 3_600.0
STOP_S = 8.0  # sources get this long to close their connections
_CUT_OVERHEAD = 60  # characters around the part that is kept of a long result


class Source(Protocol):
    """Where tools come from that are known only at run time."""

    name: str
    kind: str
    reason: str

    def tools(self) -> Mapping[str, Tool]:
        """What is known now, by name."""
        ...

    async def run(self) -> None:
        """Load and keep what is needed, until cancelled or done."""
        ...


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as staff see it; ``reason`` says why it is not ready, empty when it is."""

    name: str
    kind: str
    reason: str
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tool with what is made of its schema once: the full one, and the one the model sees."""

    tool: Tool
    full: Schema
    spec: ToolSpec
    shown: Schema


class ToolBox:
    """All tools of one desk; ``tools`` are there from the start, ``sources`` bring theirs while running."""

    def __init__(
        self,
        tools: Iterable[Tool],
        settings: Tools,
        limits: Limits,
        metrics: Metrics,
        sources: Sequence[Source] = (),
    ) -> None:
        self._fixed = {tool.spec.name: tool for tool in tools}
        self._settings = settings
        self._limits = limits
        self._metrics = metrics
        self._sources = sources
        self._entries: dict[str, _Entry] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the sources connected and forget old counts until the block ends."""
        tasks = [asyncio.create_task(source.run(), name=f"tools-{source.name}") for source in self._sources]
        tasks.append(asyncio.create_task(self._forgetting(), name="tools-limits"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=STOP_S)

    async def _forgetting(self) -> None:
        await asyncio.to_thread(load_library)
        while True:
            with suppress(StoreError):
                await self._limits.forget()
            await asyncio.sleep(FORGET_EVERY_S)

    def sources(self) -> list[SourceState]:
        """Every source with its state."""
        return [SourceState(one.name, one.kind, one.reason, tuple(sorted(one.tools()))) for one in self._sources]

    def listed(self) -> list[tuple[str, Tool]]:
        """Every tool with where it comes from (``builtin or python``, or ``kind: entry``), by name."""
        origins = {name: f"{one.kind}: {one.name}" for one in reversed(self._sources) for name in one.tools()}
        own = dict.fromkeys(self._fixed, "builtin or python")
        return [((origins | own)[name], tool) for name, tool in sorted(self._all().items())]

    def specs(self, caller: Caller | None = None) -> list[ToolSpec]:
        """What the model may call; personal tools too, since asking for one begins the verification of a customer."""
        del caller  # the same for everybody today; the engine passes it so that this may change
        entries = [self._entry(name, tool) for name, tool in self._all().items()]
        return [entry.spec for entry in entries if entry.tool.policy.audience == "customer"]

    def tool(self, name: str) -> Tool:
        """A tool by name; raises ToolRefused."""
        return self._known(name).tool

    def check(self, name: str, arguments: str) -> dict[str, Any]:
        """The arguments a model wrote, as an object that fits the tool; raises ToolRefused with a short reason.

        What they say about the customer's identity is kept for :meth:`run`, which compares it with the caller.
        """
        entry = self._known(name)
        written = read(arguments)
        if not entry.tool.policy.personal:
            return entry.shown.check(written)
        about, who = identity.split_identity(written)
        return entry.shown.check(about) | who

    def fits(self, name: str, arguments: str) -> bool:
        """Whether a model's text fits the tool's schema as it stands, without repair; for measurements."""
        return self._known(name).shown.fits(arguments)

    def needs(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Whose yes a call needs first: ``approve`` (staff), ``confirm`` (the customer) or nobody's (empty)."""
        policy = self._known(name).tool.policy
        if policy.approve or any(_above(arguments.get(key), most) for key, most in policy.approve_above.items()):
            return "approve"
        return "confirm" if policy.confirm else ""

    async def run(
        self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str, *, repeat: bool = False
    ) -> Result:
        """Run one call; ``repeat`` says that the same step was begun before, so it is not counted again.

        Raises ToolRefused (``verify`` as its words: the customer must prove who they are first), ToolTimeout,
        ToolUnavailable, or ToolError when the tool itself broke.
        """
        began_s = time.perf_counter()
        outcome = "failed"
        try:
            result = await self._run(name, arguments, caller, key, repeat=repeat)
            outcome = "done" if result.ok else "declined"
        except ToolRefused as error:
            outcome = VERIFY if str(error) == VERIFY else "refused"
            raise
        except ToolTimeout:
            outcome = "timeout"
            raise
        except ToolUnavailable:
            outcome = "unavailable"
            raise
        finally:
            took_s = time.perf_counter() - began_s
            label = name if name in self._entries else "unknown"
            self._metrics.tool_calls.labels(label, outcome).inc()
            self._metrics.tool_seconds.labels(label).observe(took_s)
            log.info(
                "tool_called",
                tool=label,
                outcome=outcome,
                conversation=caller.conversation_id,
                key=key,
                ms=round(took_s * 1_000),
            )
        return self._cut(result)

    async def _run(self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str, *, repeat: bool) -> Result:
        entry = self._known(name)
        policy = entry.tool.policy
        if policy.personal:
            if not caller.verified:
                raise ToolRefused(VERIFY)
            arguments = identity.bind(arguments, entry.full.parameters, caller)
        arguments = entry.full.check(arguments)
        if not repeat:
            await self._limits.admit(caller.conversation_id, name, self._policies(), key)
        calling = asyncio.create_task(entry.tool.run(arguments, caller, key), name=f"tool-{name}")
        try:
            await asyncio.wait({calling}, timeout=policy.timeout_s)
        finally:
            ended = calling.done()
            if not ended:
                calling.cancel()
        if not ended:
            raise ToolTimeout(f"{name} did not answer within {policy.timeout_s:g} s")
        return _outcome(name, calling)

    def _cut(self, result: Result) -> Result:
        """A result no longer than settings allow; a cut one says so to the model."""
        most = self._settings.max_result_chars
        text = dump(result.data)
        if len(text) > most:
            return replace(result, data={"cut": True, "text": text[: max(0, most - _CUT_OVERHEAD)]})
        return result

    def _policies(self) -> dict[str, Policy]:
        return {name: tool.policy for name, tool in self._all().items()}

    def _all(self) -> dict[str, Tool]:
        found = dict(self._fixed)
        for source in self._sources:
            for name, tool in source.tools().items():
                found.setdefault(name, tool)
        return found

    def _known(self, name: str) -> _Entry:
        tool = self._all().get(name)
        if tool is None:
            raise ToolRefused("there is no tool of this name")
        return self._entry(name, tool)

    def _entry(self, name: str, tool: Tool) -> _Entry:
        entry = self._entries.get(name)
        if entry is None or entry.tool is not tool:
            full = Schema(tool.spec.parameters)
            visible = identity.without_identity(full.parameters) if tool.policy.personal else full.parameters
            spec = ToolSpec(tool.spec.name, tool.spec.description, visible)
            entry = self._entries[name] = _Entry(tool, full, spec, Schema(visible))
        return entry


def _outcome(name: str, calling: asyncio.Task[Result]) -> Result:
    """What a finished call gave; a crash is logged by kind and lines, and told as nothing more than a failure."""
    if calling.cancelled():
        raise ToolUnavailable(f"{name} was stopped before it answered")
    error = calling.exception()
    if error is None:
        return calling.result()
    if isinstance(error, ToolError):
        raise error
    if isinstance(error, TimeoutError):
        raise ToolTimeout(f"{name} waited too long for the other side") from None
    if isinstance(error, ConnectionError):
        raise ToolUnavailable(f"{name} lost the connection to the other side") from None
    lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("tool_crashed", tool=name, error=type(error).__name__, trace=lines)
    raise ToolError("failed") from None


def _above(value: Any, most: float) -> bool:
    """Whether a figure passes the amount staff must approve; what is no figure cannot be judged and passes it too."""
    if value is None:
        return False
    return isinstance(value, bool) or not isinstance(value, int | float) or value > most
