"""Makes a demo shop's database from its SQL script, moved by whole weeks so that its Monday is this week's."""

from __future__ import annotations

import asyncio
import re
from datetime import date, timedelta
from pathlib import Path

import structlog

from server.tools.builtin.shop import Shop
from server.tools.contract import ToolUnavailable

log = structlog.get_logger()

WEEK_DAYS = 7
_DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_BASE = re.compile(r"insert into shop_calendar \(base_date\) values\s*\('(\d{4}-\d\d-\d\d)'\)", re.IGNORECASE)
_TABLES = re.compile(r"^create table (\w+)", re.IGNORECASE | re.MULTILINE)


def moved(script: str, today: date) -> str:
    """The script with every date a whole number of weeks later; its base date becomes the Monday of ``today``.

    Raises ValueError when the script names no base date.
    """
    found = _BASE.search(script)
    if found is None:
        raise ValueError("the script inserts no base_date into shop_calendar; is it the demo shop's?")
    weeks = timedelta(days=(today - date.fromisoformat(found[1])).days // WEEK_DAYS * WEEK_DAYS)
    return _DATE.sub(lambda match: (date.fromisoformat(match.group()) + weeks).isoformat(), script)


async def seed(shop: Shop, script_path: Path, today: date) -> bool:
    """Make the shop where there is none, and make it anew when its week is over; whether anything was done.

    A shop without a ``shop_calendar`` is not the demo's and stays untouched. Raises ToolUnavailable.
    """
    script = moved(await asyncio.to_thread(script_path.read_text, encoding="utf-8"), today)
    base = _BASE.search(script)
    assert base is not None
    try:
        stored = await shop.rows("select base_date from shop_calendar")
    except ToolUnavailable:
        stored = []
    if stored and stored[0]["base_date"] == base[1]:
        return False
    drops = [f"drop table {table};\n" for table in reversed(_TABLES.findall(script))] if stored else []
    await shop.script("".join(drops) + script)
    log.info("demo_shop_made", base_date=base[1], renewed=bool(stored))
    return True
