"""Tools whose behaviour a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from models.chat import ToolSpec
from server.tools.contract import Caller, Policy, Result, ToolError

ITEM = {"item": {"type": "string"}}


class CountingTool:
    """Notes its calls; waits, fails (once per error in ``errors``) or gives its result."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        name: str = "stock",
        say: str = "",
        ok: bool = True,
        handoff: str = "",
        replies: tuple[str, ...] = (),
        errors: tuple[ToolError, ...] = (),
        gate: asyncio.Event | None = None,
        delay_s: float = 0.0,
        parameters: Mapping[str, Any] | None = None,
        **policy: Any,
    ) -> None:
        properties = dict(parameters or ITEM)
        self.spec = ToolSpec(
            name, "Looks something up.", {"type": "object", "properties": properties, "required": list(properties)}
        )
        self.policy = Policy(**policy)
        self.result = Result(data or {}, say, ok, handoff, replies)
        self.errors = list(errors)
        self.gate = gate
        self.delay_s = delay_s
        self.calls: list[tuple[Mapping[str, Any], str]] = []

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        del caller
        self.calls.append((dict(arguments), key))
        if self.gate is not None:
            await self.gate.wait()
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.errors:
            raise self.errors.pop(0)
        return self.result
