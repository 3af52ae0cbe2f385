"""The database as it lies there: every row that a verdict about platforms needs, and whether work is left."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import asyncpg

from tests.drill.crowd import TOKEN
from tests.faults.tables import Rows, fetch

QUERIES = {
    "conversations": "select id, channel, account, address, status, covered from conversation",
    "lanes": "select id, kind, key, tail, done, holder from lane where kind in ('in', 'out')",
    "parked": "select l.kind, l.key, i.seq, i.dead from item i join lane l on l.id = i.lane_id "
    "where i.dead is not null",
    "messages": "select id, conversation_id, seq, item_seq, role, text, turn_id from message order by seq",
    "turns": "select id, conversation_id, first_seq, last_seq, attempt, outcome, reason, message_id from turn "
    "order by conversation_id, first_seq",
    "drafts": "select conversation_id, first_seq, attempt, state, shown, provider_id, tried_at from draft",
    "outbox": "select id, conversation_id, message_id, channel, account, kind, state, reason from outbox",
    "parts": "select outbox_id, number, channel, account, state, attempts, repeats, code from part",
}
OPEN = {
    "lanes": "select count(*) as n from lane where kind in ('in', 'out') and done < tail",
    "drafts": "select count(*) as n from draft where state = 'open' or shown in ('opening', 'open')",
}
SAID = "select text from message where role = 'customer'"


@dataclass
class Records:
    """Rows by table; dicts as the database gave them."""

    conversations: Rows = field(default_factory=list)
    lanes: Rows = field(default_factory=list)
    parked: Rows = field(default_factory=list)
    messages: Rows = field(default_factory=list)
    turns: Rows = field(default_factory=list)
    drafts: Rows = field(default_factory=list)
    outbox: Rows = field(default_factory=list)
    parts: Rows = field(default_factory=list)


async def read(url: str) -> Records:
    """All rows; call it when nothing writes any more."""
    return Records(**{name: await fetch(url, sql) for name, sql in QUERIES.items()})


async def stored(url: str) -> set[str]:
    """The tokens of every customer's message that is stored."""
    return {token for row in await fetch(url, SAID) for token in TOKEN.findall(row["text"])}


async def drained(url: str, said: Collection[str], timeout_s: float) -> float | None:
    """Seconds until everything said was stored and no work was left; None when that did not happen in time."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        if await idle(url) and set(said) <= await stored(url):
            return time.monotonic() - began
        await asyncio.sleep(0.25)
    return None


async def idle(url: str) -> bool:
    """Whether no lane has work and no draft is open."""
    counts = [(await fetch(url, sql))[0]["n"] for sql in OPEN.values()]
    return not any(counts)


async def refuse_unless_empty(url: str) -> None:
    """End the drill when the store is not empty: what it does must never happen to somebody's data."""
    try:
        rows = await fetch(url, "select count(*) as n from conversation")
    except (sqlite3.OperationalError, asyncpg.UndefinedTableError):
        return  # no file, or no tables yet
    if rows[0]["n"]:
        raise SystemExit(f"The store holds {rows[0]['n']} conversations; a drill needs an empty one of its own.")
