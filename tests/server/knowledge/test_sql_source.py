"""Rows of databases: read only, bounded in rows and time, on SQLite and PostgreSQL."""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Known, SourceDown, Unchanged
from server.knowledge.kinds import Text, checked
from server.knowledge.records import text_digest
from server.knowledge.sql_source import SqlReader

ROWS = [
    (1, "Hours", "Nine to <b>five</b>.", "https://shop.example/1"),
    (2, "Parking", "Behind the shop.", "javascript:x"),
]
MAPPING = {"key": "id", "title": "title", "text": ["body"], "link": "link"}


@pytest.fixture
async def database(store_url: str, tmp_path: Path) -> str:
    """A shop's own database with two rows of help."""
    if store_url.startswith("sqlite"):
        path = tmp_path / "shop.db"
        with sqlite3.connect(path) as shop:
            shop.execute("create table help (id integer, title text, body text, link text)")
            shop.executemany("insert into help values (?, ?, ?, ?)", ROWS)
        shop.close()
        return f"sqlite:///{path}"
    asyncpg = importlib.import_module("asyncpg")
    shop = await asyncpg.connect(store_url)
    await shop.execute("create table help (id integer, title text, body text, link text)")
    await shop.executemany("insert into help values ($1, $2, $3, $4)", ROWS)
    await shop.close()
    return store_url


async def read(url: str, query: str = "select * from help order by id", known: Any = None, **config: Any) -> list[Any]:
    wanted = checked("sql", {**MAPPING, "url": url, "query": query, **config})
    return [item async for item in SqlReader(10_000).read(wanted, {}, known or {})]


async def test_rows_become_documents(database: str):
    hours, parking = await read(database)
    assert hours == Text("row:1", "https://shop.example/1", "Hours", "# Hours\n\nNine to five.")
    assert parking.url == "", "only web addresses are links"
    known = {"row:1": Known("", "", text_digest(hours)), "row:2": Known()}
    assert await read(database, known=known) == [Unchanged("row:1"), parking]


async def test_several_text_columns_become_sections(database: str):
    query = "select id, title, body, 'Free.' as our_costs, null as empty from help where id = 2"
    (text,) = await read(database, query, text=["body", "our_costs", "empty"], link="")
    assert text.text == "# Parking\n\n## Body\n\nBehind the shop.\n\n## Our costs\n\nFree."


async def test_rows_without_key_or_title_are_told(database: str):
    items = await read(database, "select null as id, 'x' as title, 'y' as body, '' as link")
    assert items == [Failed("row 1", "row 1 has no key, no title, or too long a text")]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"rows": 1}, "more than 1 rows"),
        ({"title": "headline"}, "no column headline"),
        ({"query": "select * from nowhere"}, "the query fails"),
        ({"query": "with gone as (delete from help returning *) select * from gone"}, "the query fails"),
    ],
)
async def test_what_the_database_is_not_asked_for(database: str, config: dict[str, Any], reason: str):
    with pytest.raises(SourceRefused, match=reason):
        await read(database, **config)
    assert len(await read(database)) == 2


async def test_a_query_without_end_is_ended(database: str):
    endless = {
        "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as id from n",
        "postgresql": "select count(*) as id from generate_series(1, 100000000000)",
    }[database.partition(":")[0]]
    with pytest.raises(SourceRefused, match="seconds"):
        await read(database, endless, timeout_s=0.3)


async def test_rows_that_fill_the_memory_are_refused(database: str):
    wide = {"sqlite": "printf('%.*c', 9000000, 'x')", "postgresql": "repeat('x', 9000000)"}[database.partition(":")[0]]
    numbers = " union all ".join(f"select {number} as id" for number in range(12))
    query = f"select id, 'x' as title, {wide} as body, '' as link from ({numbers}) as n"
    with pytest.raises(SourceRefused, match="100,000,000 characters"):
        await read(database, query)


async def test_other_files_cannot_be_attached(tmp_path: Path):
    path = tmp_path / "shop.db"
    sqlite3.connect(path).close()
    for query in ("select load_extension('x')", "select * from pragma_database_list"):
        with pytest.raises(SourceRefused, match="fails"):
            await read(f"sqlite:///{path}", query)


async def test_missing_databases(tmp_path: Path):
    with pytest.raises(SourceRefused, match="no database file"):
        await read(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(SourceDown, match="cannot be reached"):
        await read("postgresql://nobody@127.0.0.1:1/none")
