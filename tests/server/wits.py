"""Doubles of what the API asks about knowledge and tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models.chat import ToolSpec
from server.knowledge.contract import Audience, Chunk, Passage, Retrieved
from server.routes import Principal
from server.tools.contract import Caller, Policy, Result, Tool, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.runner import SourceState


def passage(number: int = 1, text: str = "Blankets may come back within 30 days.", **more: Any) -> Passage:
    """A passage of the returns policy, found by both halves."""
    values = {"title": "Returns", "heading": "Returns > Blankets", "url": "https://shop.example/returns"} | more
    audience: Audience = values.pop("audience", "customer")
    chunk = Chunk(f"d{number}:{number}:0123456789ab", f"d{number}", text=text, audience=audience, **values)
    return Passage(chunk, 0.5 / number, lexical_rank=number, vector_rank=None, similarity=0.7)


class ScriptedRetriever:
    """Finds what it is told to, and remembers what it was asked."""

    def __init__(self, found: Retrieved | None = None) -> None:
        self.found = found or Retrieved((passage(),), 0.9, took_ms={"lexical": 0.4})
        self.asked: list[tuple[str, str, int | None]] = []
        self.revision = 7
        self.degraded = ""

    async def retrieve(self, question: str, *, audience: Audience = "customer", limit: int | None = None) -> Retrieved:
        self.asked.append((question, audience, limit))
        return self.found


class ScriptedTool:
    """A tool that gives back its arguments, or fails as told."""

    def __init__(self, name: str, policy: Policy) -> None:
        parameters = {"type": "object", "properties": {"place": {"type": "string"}}}
        self.spec = ToolSpec(name, f"Does {name}.", parameters)
        self.policy = policy
        self.error: Exception | None = None

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        if self.error is not None:
            raise self.error
        return Result(
            {"place": arguments.get("place"), "who": caller.customer_id, "keyed": bool(key)}, "Open until 18:00."
        )


class ScriptedBox:
    """Three tools: one that reads, one with effects, one for a verified customer."""

    def __init__(self) -> None:
        self.tools = {
            "opening_hours": ScriptedTool("opening_hours", Policy()),
            "book": ScriptedTool("book", Policy("write", confirm=True, per_hour=5)),
            "my_order": ScriptedTool("my_order", Policy(personal=True)),
        }

    def listed(self) -> list[tuple[str, Tool]]:
        return [
            ("openapi: crm" if name == "book" else "builtin or python", self.tools[name]) for name in sorted(self.tools)
        ]

    def sources(self) -> list[SourceState]:
        return [SourceState("crm", "openapi", "crm.example does not answer", ("book",))]

    def tool(self, name: str) -> Tool:
        if name not in self.tools:
            raise ToolRefused("there is no tool of this name")
        return self.tools[name]

    def check(self, _name: str, arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(arguments)
        if not isinstance(found.get("place", ""), str):
            raise ToolRefused("place: must be a text")
        return found

    async def run(self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        return await self.tools[name].run(arguments, caller, key)


class ScriptedApprovals:
    """Remembers decisions; ``unknown`` does not exist and ``late`` was decided before."""

    def __init__(self) -> None:
        self.decided: list[tuple[str, str, bool]] = []

    async def __call__(self, principal: Principal, request_id: str, granted: bool) -> None:
        if request_id == "unknown":
            raise LookupError(request_id)
        if request_id == "late":
            raise ToolRefused("Somebody decided it before.")
        self.decided.append((principal.owner, request_id, granted))


FAILURES = [(ToolRefused("no"), 422), (ToolTimeout("late"), 504), (ToolUnavailable("away"), 502)]
