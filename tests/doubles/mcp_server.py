"""A real MCP server written with the official SDK: ``python -P mcp_server.py stdio LEDGER``, or ``http PORT LEDGER``.

What its tools do is appended to the file LEDGER, so that a test sees effects across kills. It knows nothing of
frontdesk.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("shop")
ledger = Path(sys.argv[-1])


def note(**entry: Any) -> None:
    with ledger.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(entry) + "\n")


@server.tool()
def stock(sku: str, warehouse: int = 1) -> dict[str, int]:
    """How many of an article are there."""
    note(tool="stock", sku=sku, pid=os.getpid())
    return {"stock": len(sku) * warehouse}


@server.tool()
def reserve(sku: str, quantity: int, ctx: Context) -> str:
    """Put articles aside."""
    meta = ctx.request_context.meta or {}
    note(tool="reserve", sku=sku, quantity=quantity, key=dict(meta).get("idempotencyKey"))
    return f"{quantity} of {sku} are yours"


@server.tool()
def slow(seconds: float) -> str:
    """Take a while."""
    note(tool="slow")
    time.sleep(seconds)
    return "done"


@server.tool()
def broken() -> str:
    """Fail."""
    raise ValueError("the warehouse is on fire")


@server.tool()
def environment() -> dict[str, str]:
    """What this program can see."""
    return dict(os.environ)


@server.tool()
def die() -> str:
    """End without a word."""
    note(tool="die")
    os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
