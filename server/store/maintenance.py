"""Restoring a backup, and moving a shop from one store to another."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol

from server.store import migrate, postgres_tools
from server.store.contract import StoreError
from server.store.open import POSTGRESQL, postgres_ends, sqlite_path
from server.store.presence import Presence
from server.store.sqlite import migrate_file
from server.store.sqlite_session import connect

ROWS_PER_STEP = 1_000
_TIMEOUT_S = 30.0
_LEFT_OUT = {"store_state"}  # belongs to the host, not to the shop
_RESET = "update lane set ready_at = 0, holder = null where ready_at <> 0 or holder is not null"


class End(Protocol):
    """One side of a copy: a database inside one transaction."""

    async def counts(self, tables: Sequence[str]) -> dict[str, int]:
        """Rows per table."""

    def read(self, table: str, columns: Sequence[str]) -> AsyncIterator[list[tuple[Any, ...]]]:
        """All rows of a table, in steps."""

    async def insert(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Add rows."""

    async def run(self, sql: str) -> None:
        """Run a plain statement."""


async def copy(source: str, target: str) -> dict[str, int]:
    """Copy every table from one store's URL to another's, in one consistent read; returns rows per table.

    The target must hold no rows; nothing is kept there when anything fails. Leases are not carried over: open work is
    taken again. Raises StoreError.
    """
    if source == target:
        raise StoreError("source and target are the same store; name two")
    tables = await asyncio.to_thread(schema)
    async with _open(source, writes=False) as old, _open(target, writes=True) as new:
        full = [table for table, rows in (await new.counts(list(tables))).items() if rows]
        if full:
            raise StoreError(f"the target already has rows in {', '.join(full)}; copy into a new database")
        expected = await old.counts(list(tables))
        for table, columns in tables.items():
            async for rows in old.read(table, columns):
                await new.insert(table, columns, rows)
        await new.run(_RESET)
        found = await new.counts(list(tables))
        if found != expected:
            wrong = [table for table in tables if found[table] != expected[table]]
            raise StoreError(f"the copy of {', '.join(wrong)} is not complete; nothing was kept, run it again")
    return expected


async def restore(url: str, source: Path, *, force: bool = False) -> None:
    """Put a backup in the place of a store that is not running; raises StoreError when it holds rows, unless forced."""
    if not await asyncio.to_thread(source.is_file):
        raise StoreError(f"{source} is not a file; name the backup")
    if not force and await _has_rows(url):
        raise StoreError("the store already holds conversations; stop the service and repeat with --force")
    if url.startswith(POSTGRESQL):
        await postgres_tools.load(url, source)
        async with _open(url, writes=True) as end:
            await end.run(_RESET)
    else:
        await asyncio.to_thread(_restore_file, sqlite_path(url), source)


def schema() -> Mapping[str, Sequence[str]]:
    """Tables in an order that satisfies foreign keys, with their columns, as the migrations make them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate_file(connection, 0.0)
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        return {
            name: [row[1] for row in connection.execute(f"pragma table_info({name})")]
            for name in names
            if name not in _LEFT_OUT | {"migration"}
        }


def _restore_file(path: Path, source: Path) -> None:
    running = Presence(path.with_name(f"{path.name}.bus"), "").others()
    if running:
        raise StoreError(f"{path} is in use by {', '.join(running)}; stop the service first")
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_name(f"{path.name}.restore")
    shutil.copyfile(source, arriving)
    try:
        with closing(connect(arriving, _TIMEOUT_S)) as connection:
            verdict = connection.execute("pragma integrity_check").fetchone()[0]
            if verdict != "ok":
                raise StoreError(f"{source} is damaged ({verdict}); take another backup")
            migrate_file(connection, time.time())
            connection.execute(_RESET)
            connection.execute("delete from store_state")
            connection.execute("pragma journal_mode=delete")
    except sqlite3.Error as error:
        raise StoreError(f"{source} is not a backup of this program ({error})") from error
    else:
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        with arriving.open("rb") as file:
            os.fsync(file.fileno())
        arriving.replace(path)
    finally:
        arriving.unlink(missing_ok=True)


async def _has_rows(url: str) -> bool:
    if not url.startswith(POSTGRESQL) and not await asyncio.to_thread(sqlite_path(url).exists):
        return False
    tables = await asyncio.to_thread(schema)
    async with _open(url, writes=True) as end:
        return any((await end.counts(list(tables))).values())


@asynccontextmanager
async def _open(url: str, *, writes: bool) -> AsyncIterator[End]:
    if url.startswith(POSTGRESQL):
        async with postgres_ends().open_end(url, _TIMEOUT_S, writes=writes) as end:
            yield end
        return
    path = sqlite_path(url)
    if not writes and not await asyncio.to_thread(path.exists):
        raise StoreError(f"{path} does not exist; name the database of the shop")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    with closing(connect(path, _TIMEOUT_S)) as connection:
        if writes:
            migrate_file(connection, time.time())
        else:
            applied = dict(connection.execute("select version, sha256 from migration").fetchall())
            if migrate.pending(applied, migrate.load()):
                raise StoreError(f"{path} has an older schema; start the service on it once, then copy")
        connection.execute("begin immediate" if writes else "begin")
        yield _FileEnd(connection)
        connection.execute("commit")


class _FileEnd:
    """An SQLite database inside one transaction; closing without a commit undoes it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def counts(self, tables: Sequence[str]) -> dict[str, int]:
        """Rows per table."""
        return {name: self._connection.execute(f"select count(*) from {name}").fetchone()[0] for name in tables}  # noqa: S608 - names of our own schema

    async def read(self, table: str, columns: Sequence[str]) -> AsyncIterator[list[tuple[Any, ...]]]:
        """All rows in steps."""
        cursor = self._connection.execute(f"select {', '.join(columns)} from {table}")  # noqa: S608 - our own schema
        while rows := cursor.fetchmany(ROWS_PER_STEP):
            yield rows

    async def insert(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Add rows."""
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"insert into {table} ({', '.join(columns)}) values ({marks})", rows)  # noqa: S608 - our own schema

    async def run(self, sql: str) -> None:
        """Run a plain statement."""
        self._connection.execute(sql)
