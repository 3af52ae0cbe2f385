"""The database as it lies there, read past the product with the plain drivers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import asyncpg

Rows = list[dict[str, Any]]

QUERIES = {
    "tenants": "select id, event_tail from tenant",
    "conversations": "select id, status, seq, covered from conversation",
    "lanes": "select id, key, tail, done, holder from lane where kind = 'in'",
    "items": "select i.lane_id, i.seq, i.dead from item i join lane l on l.id = i.lane_id where l.kind = 'in'",
    "messages": "select id, conversation_id, seq, item_seq, role, text, body, turn_id from message order by seq",
    "turns": "select id, conversation_id, first_seq, last_seq, attempt, outcome, reason, message_id from turn "
    "order by conversation_id, first_seq",
    "drafts": "select conversation_id, first_seq, attempt, state from draft",
    "events": "select tenant, number, conversation_id, seq, kind, audience, body from event order by tenant, number",
}


@dataclass
class Tables:
    """Every row that a verdict needs."""

    tenants: Rows = field(default_factory=list)
    conversations: Rows = field(default_factory=list)
    lanes: Rows = field(default_factory=list)
    items: Rows = field(default_factory=list)
    messages: Rows = field(default_factory=list)
    turns: Rows = field(default_factory=list)
    drafts: Rows = field(default_factory=list)
    events: Rows = field(default_factory=list)

    def by_conversation(self, table: str) -> dict[str, Rows]:
        """One table's rows, grouped."""
        grouped: dict[str, Rows] = defaultdict(list)
        for row in getattr(self, table):
            grouped[row["conversation_id"]].append(row)
        return grouped


async def fetch(url: str, sql: str) -> Rows:
    """Rows of one statement, on a connection of its own."""
    if url.startswith("sqlite:///"):
        return await asyncio.to_thread(_fetch_sqlite, url.removeprefix("sqlite:///"), sql)
    connection = await asyncpg.connect(url)
    try:
        return [dict(row.items()) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


def _fetch_sqlite(path: str, sql: str) -> Rows:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql).fetchall()]
    finally:
        connection.close()


async def load(url: str) -> Tables:
    """All tables; call it when nothing writes any more."""
    tables = Tables(**{name: await fetch(url, sql) for name, sql in QUERIES.items()})
    for row in [*tables.messages, *tables.events]:
        row["body"] = json.loads(row["body"])
    return tables


async def drained(url: str, timeout_s: float) -> bool:
    """Wait until no lane has open work and no draft is open; False when that does not happen in time."""
    open_lanes = "select count(*) as n from lane where kind = 'in' and done < tail"
    open_drafts = "select count(*) as n from draft where state = 'open'"
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not (await fetch(url, open_lanes))[0]["n"] and not (await fetch(url, open_drafts))[0]["n"]:
            return True
        await asyncio.sleep(0.2)
    return False
