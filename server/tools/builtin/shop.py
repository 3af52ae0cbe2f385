"""The shop's own database: short reads that cannot write, and changes that are one transaction each.

Statements are written with ``?`` for values, in the SQL that SQLite and PostgreSQL share; every value is bound.
"""

from __future__ import annotations

import asyncio
import importlib
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol, cast

from server.store.open import POSTGRESQL, SQLITE, sqlite_path
from server.tools.contract import ToolUnavailable

BUSY_S = 5.0  # longest wait for another writer of the same file
Row = Mapping[str, Any]
Value = str | int | None


class Shop(Protocol):
    """A database with customers, orders, services, slots and bookings (config/demo/orders.sql shows the tables)."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Hold what is needed until the block ends; nothing is asked of the database before the first call."""
        ...

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Read; the database refuses any change. Raises ToolUnavailable."""
        ...

    async def change(self, sql: str, *values: Value) -> list[Row]:
        """Run one statement in a transaction of its own and give back what it returns. Raises ToolUnavailable."""
        ...

    async def script(self, sql: str) -> None:
        """Run several statements in one transaction; for set-up only. Raises ToolUnavailable."""
        ...


def open_shop(url: str) -> Shop:
    """The shop behind ``sqlite:///path`` or ``postgresql://…``; nothing is opened yet. Raises ValueError on others."""
    if url.startswith(SQLITE):
        return SqliteShop(sqlite_path(url))
    if url.startswith(POSTGRESQL):
        module = importlib.import_module("server.tools.builtin.shop_postgres")
        return cast("Shop", module.PostgresShop(url))
    raise ValueError("tools.shop must be sqlite:///path/to/file.db or postgresql://user:password@host/database")


class SqliteShop:
    """A shop in an SQLite file; each call opens it in a thread, so that a replaced file is seen at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads: ThreadPoolExecutor | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep two threads: a slow change never stands before a read."""
        with ThreadPoolExecutor(2, thread_name_prefix="shop") as threads:
            self._threads = threads
            try:
                yield
            finally:
                self._threads = None

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Read from the file, opened so that it cannot be changed."""
        return await self._do("ro", lambda connection: _fetched(connection.execute(sql, values)))

    async def change(self, sql: str, *values: Value) -> list[Row]:
        """Change in one immediate transaction, on disk when this returns."""
        return await self._do("rw", lambda connection: _fetched(connection.execute(sql, values)))

    async def script(self, sql: str) -> None:
        """Run a script; the file is made where there is none."""
        await self._do("rwc", lambda connection: _run_all(connection, sql))

    async def _do(self, mode: str, work: Callable[[sqlite3.Connection], list[Row]]) -> list[Row]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._open_and, mode, work)
        except sqlite3.Error as error:
            raise ToolUnavailable(f"the shop's database cannot be used now ({type(error).__name__})") from error

    def _open_and(self, mode: str, work: Callable[[sqlite3.Connection], list[Row]]) -> list[Row]:
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma foreign_keys = on")
            if mode == "ro":
                connection.execute("pragma query_only = on")
                return work(connection)
            connection.execute("pragma synchronous = full")
            connection.execute("begin immediate")
            try:
                found = work(connection)
            except sqlite3.Error:
                connection.rollback()
                raise
            connection.execute("commit")
            return found


def _fetched(cursor: sqlite3.Cursor) -> list[Row]:
    return [dict(row) for row in cursor.fetchall()]


def _run_all(connection: sqlite3.Connection, sql: str) -> list[Row]:
    for statement in statements(sql):
        connection.execute(statement)
    return []


def statements(sql: str) -> Sequence[str]:
    """The statements of a script; semicolons inside quoted text do not count, comment lines are dropped."""
    plain = re.sub(r"^--.*$", "", sql, flags=re.MULTILINE)
    parts = re.findall(r"(?:'(?:[^']|'')*'|[^;'])+", plain)
    return [part.strip() for part in parts if part.strip()]
