"""The writer's SQLite connection as a group uses it, and the translation of the library's errors."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from server.store.clock import Clock
from server.store.contract import Conflict, Row, StoreError, Value
from server.store.group import EventRow, GroupLost
from server.store.statements import Statement, load

T = TypeVar("T")

_CACHED_STATEMENTS = 512
_WAL_RETRY_S = 0.02
_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
_INSERT_EVENT = """
insert into event (tenant, number, conversation_id, seq, kind, audience, body, created_at)
values (?, ?, ?, ?, ?, ?, ?, ?)"""


def connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection whose commits are durable and whose transactions are opened by hand."""
    connection = sqlite3.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS
    )
    try:
        _use_wal(connection, timeout_s)
        for pragma in ("synchronous=full", "foreign_keys=on", "temp_store=memory", "secure_delete=on"):
            connection.execute(f"pragma {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch the file to a write-ahead log; SQLite does not wait by itself when another process does the same."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_WAL_RETRY_S)
        else:
            return


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits for the event loop to its end, in any thread.

    What does wait (a unit that awaits something else than its ``tx``) gets a StoreError at that very await.
    """
    try:
        work.send(None)
        while True:
            work.throw(StoreError("a unit may await only its tx: read what it needs before, act after the write"))
    except StopIteration as stop:
        result: T = stop.value
        return result


def _explain(error: sqlite3.Error | OverflowError) -> StoreError:
    """The contract's error for what the library raised."""
    if isinstance(error, sqlite3.IntegrityError):
        if error.sqlite_errorcode in _UNIQUE:
            return Conflict(f"a row with this key is already there ({error})")
        return StoreError(f"a rule of the schema refused the row ({error})")
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.DataError | OverflowError):
        return StoreError(f"the statement or its values are wrong ({error})")
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
        return StoreError(f"the statement is wrong ({error})")
    return GroupLost(f"the database file cannot be used now ({error}): free disk space or check its permissions")


class SqliteSession:
    """The writer's connection; its coroutines never suspend."""

    pipelines = False  # a statement costs microseconds here

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._statements = load("sqlite")

    async def begin(self) -> None:
        """Take the write lock now, so that no statement fails later for want of it."""
        self._execute("begin immediate")

    async def commit(self) -> None:
        """Write the log and fsync it; a failed commit is rolled back."""
        try:
            self._connection.execute("commit")
        except sqlite3.Error as error:
            await self.rollback()
            raise GroupLost(f"nothing was stored ({error}): free disk space or check the disk") from error

    async def rollback(self) -> None:
        """Undo the transaction, unless the library already did (disk full)."""
        if self._connection.in_transaction:
            self._execute("rollback")

    async def savepoint(self) -> None:
        """Start a unit."""
        self._execute("savepoint unit")

    async def release(self) -> None:
        """Keep the unit."""
        self._execute("release unit")

    async def undo(self) -> None:
        """Drop the unit."""
        self._execute("rollback to unit")
        self._execute("release unit")

    async def fetch(self, query: str, values: dict[str, Value]) -> list[Row]:
        """Rows of a named query."""
        return fetch(self._connection, self._statement(query), values, self._clock)

    async def run(self, query: str, values: dict[str, Value]) -> int:
        """Rows the (last) statement changed."""
        statement = self._statement(query)
        cursor = _run(self._connection, statement, statement.bind(values, self._clock.lease_s()))
        return max(cursor.rowcount, 0)

    async def many(self, query: str, values: Sequence[dict[str, Value]]) -> list[list[Row]]:
        """Rows of a named query per set of values."""
        return [await self.fetch(query, one) for one in values]

    async def insert_events(self, rows: Sequence[EventRow]) -> None:
        """All rows in one call of the library."""
        values = [
            (row.event.tenant, row.number, row.event.conversation_id, row.event.seq, row.event.kind,
             row.event.audience, row.body, row.created_at)
            for row in rows
        ]  # fmt: skip
        try:
            self._connection.executemany(_INSERT_EVENT, values)
        except (sqlite3.Error, OverflowError) as error:
            raise _explain(error) from error

    async def pause(self, attempt: int) -> None:
        """Nothing to wait for: there is one writer."""

    def _statement(self, query: str) -> Statement:
        try:
            return self._statements[query]
        except KeyError:
            raise StoreError(f"there is no query {query!r} in server/store/queries") from None

    def _execute(self, sql: str) -> None:
        try:
            self._connection.execute(sql)
        except sqlite3.Error as error:
            raise GroupLost(f"the database file cannot be used now ({error})") from error


def _run(connection: sqlite3.Connection, statement: Statement, values: dict[str, Value]) -> sqlite3.Cursor:
    try:
        for part in statement.parts[:-1]:
            connection.execute(part, values)
        return connection.execute(statement.sql, values)
    except (sqlite3.Error, OverflowError) as error:
        raise _explain(error) from error


def fetch(connection: sqlite3.Connection, statement: Statement, values: dict[str, Value], clock: Clock) -> list[Row]:
    """Run a query and give its rows as dictionaries."""
    cursor = _run(connection, statement, statement.bind(values, clock.lease_s()))
    try:
        found = cursor.fetchall()
    except sqlite3.Error as error:
        raise _explain(error) from error
    if not found:
        return []
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in found]
