"""Named SQL: parsing, parameters, dialects, and that every query of the product is accepted by both databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from server.store.contract import StoreError
from server.store.sqlite import migrate_file
from server.store.statements import load, parse
from server.store.text import clean, dump

AS_SHIPPED = load.__wrapped__  # read again: other tests of this process add queries of their own to the kept ones

TEXT = """
-- name: find
-- One line of purpose; with a :colon that is no parameter.
select ':quoted', cast(:a as text), b::text from t where a = :a and b = :b {for_update};

-- name: both
-- The common text.
select 1 where :x = {lease_now};

-- name: both (postgresql)
-- The other.
with q as (select :x) select {nth} x from q;
"""


def test_parameters_become_numbers_on_postgresql_only():
    found = parse("things", TEXT, "postgresql")["things.find"]
    assert found.sql == "select ':quoted', cast($1 as text), b::text from t where a = $1 and b = $2 for update"
    assert found.names == ("a", "b")
    assert parse("things", TEXT, "sqlite")["things.find"].sql.endswith("where a = :a and b = :b")


def test_an_override_replaces_the_common_text_and_markers_are_filled_in():
    other = parse("things", TEXT, "postgresql")["things.both"]
    assert other.sql == "with q as (select $1) select  x from q"
    assert other.batch == "with q as (select $1) select cast($2 as integer) as nth_,  x from q"
    common = parse("things", TEXT, "sqlite")["things.both"]
    assert common.leased
    assert common.bind({"x": True}, 5.0) == {"x": 1, "lease_now": 5.0}


def test_statements_get_a_batched_form():
    text = "-- name: {}\n-- p\n{}"
    for sql, batch in {
        "select a from t": "with one_ as (select a from t) select cast($1 as integer) as nth_, one_.* from one_",
        "delete from t": "with one_ as (delete from t returning 1) "
        "select cast($1 as integer) as nth_, count(*) as changed_ from one_",
        "with q as (select 1) select 2": None,
    }.items():
        assert parse("f", text.format("x", sql), "postgresql")["f.x"].batch == batch


def test_mistakes_are_named():
    with pytest.raises(StoreError, match=r"has f\.x twice"):
        parse("f", "-- name: x\nselect 1\n-- name: x\nselect 2", "sqlite")
    with pytest.raises(StoreError, match="exactly one statement"):
        parse("f", "-- name: x\nselect 1; select 2", "postgresql")
    with pytest.raises(StoreError, match="exactly one statement"):
        parse("f", "-- name: x\n-- nothing", "sqlite")


def test_every_query_is_accepted_by_sqlite(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        migrate_file(connection, 0.0)
        for statement in AS_SHIPPED("sqlite").values():
            for part in statement.parts:
                connection.execute(f"explain {part}", dict.fromkeys(statement.names))


@pytest.mark.postgres
async def test_every_query_and_its_batched_form_is_accepted_by_postgresql(pg_url: str):
    connection = await asyncpg.connect(pg_url)
    faults = []
    for name, statement in AS_SHIPPED("postgresql").items():
        for text in filter(None, (statement.sql, statement.batch)):
            try:
                await connection.prepare(text)
            except asyncpg.PostgresError as error:
                faults.append(f"{name}: {error}")
    await connection.close()
    assert faults == []


def test_text_is_cleaned_of_what_a_store_cannot_hold():
    assert clean("plain") == "plain"
    assert clean("ü€😀") == "ü€😀"
    assert clean("a\0b\ud800c\ud83d\ude00") == "a\ufffdb\ufffdc😀"
    assert dump({"a": "x\0\ud800", "b": [{"c\0": "d"}], "n": 1}) == '{"a":"x\ufffd\ufffd","b":[{"c\ufffd":"d"}],"n":1}'
    assert dump({"path": "C:\\u0000"}) == '{"path":"C:\\\\u0000"}'
