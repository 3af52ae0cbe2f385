"""What tests of tools share: callers, definitions, a tool made of a function, a conversation in a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from config.tools import Tools, ToolSource
from models.chat import ToolSpec
from server.store.contract import Store, Tx
from server.store.statements import load, parse
from server.tools.contract import Caller, Policy, Result
from server.tools.definitions import Definition
from server.tools.journal import Turn

TURN = Turn("default", "c1", 1)

QUERIES = """
-- name: tamper
-- Somebody changes what was asked.
update tool_request set arguments = :arguments where id = :id;
-- name: said
-- What a conversation was told.
select role, text from message where conversation_id = :id and role in ('assistant', 'notice') order by seq;
-- name: status
-- Who has a conversation.
select status, reason from conversation where id = :id;
-- name: jobs
-- Jobs that wait.
select l.key, i.body from item i join lane l on l.id = i.lane_id where l.kind = 'job' order by i.seq;
-- name: rates
-- What was counted.
select tool, calls from tool_rate where conversation_id = :id order by tool;
-- name: delivery
-- One event on its way.
select * from webhook_delivery where id = :id;
"""


def caller(**fields: Any) -> Caller:
    values: dict[str, Any] = {
        "tenant": "default",
        "conversation_id": "c1",
        "channel": "web",
        "account": "default",
        "customer_id": "k1",
    }
    return Caller(**(values | fields))


def definition(name: str = "fee", folder: Path = Path(), limits: Tools | None = None, **source: Any) -> Definition:
    if not source.keys() & {"builtin", "python", "openapi", "mcp", "mcp_url"}:
        source["python"] = "shop:fee"
    return Definition(name, ToolSource(**source), folder, limits or Tools())


Run = Callable[[Mapping[str, Any], Caller, str], Awaitable[Result]]


class FunctionTool:
    """A tool whose behaviour a test writes as a function."""

    def __init__(self, run: Run, parameters: Mapping[str, Any], name: str = "fee", **policy: Any) -> None:
        self.spec = ToolSpec(name, "What it does.", {"type": "object", "properties": parameters})
        self.policy = Policy(**policy)
        self._run = run
        self.calls: list[tuple[Mapping[str, Any], str]] = []

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        self.calls.append((arguments, key))
        return await self._run(arguments, caller, key)


async def write(store: Store, query: str, **values: Any) -> int:
    async def unit(tx: Tx) -> int:
        return await tx.run(query, **values)

    return await store.write(unit)


for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("toolbench", QUERIES, dialect))
