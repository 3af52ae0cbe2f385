"""A PostgreSQL database as one side of a copy."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from server.store.contract import StoreError
from server.store.postgres import migrate_database
from server.store.postgres_session import Connection, connect

ROWS_PER_STEP = 1_000


class PostgresEnd:
    """The database inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def counts(self, tables: Sequence[str]) -> dict[str, int]:
        """Rows per table."""
        return {name: await self._connection.fetchval(f"select count(*) from {name}") for name in tables}  # noqa: S608 - names of our own schema

    async def read(self, table: str, columns: Sequence[str]) -> AsyncIterator[list[tuple[Any, ...]]]:
        """All rows through a cursor."""
        cursor = await self._connection.cursor(f"select {', '.join(columns)} from {table}")  # noqa: S608 - our own schema
        while rows := await cursor.fetch(ROWS_PER_STEP):
            yield [tuple(row) for row in rows]

    async def insert(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Add rows with COPY."""
        await self._connection.copy_records_to_table(table, records=rows, columns=list(columns))

    async def run(self, sql: str) -> None:
        """Run a plain statement."""
        await self._connection.execute(sql)


@asynccontextmanager
async def open_end(url: str, timeout_s: float, *, writes: bool) -> AsyncIterator[PostgresEnd]:
    """Connect, migrate when it is written to, and keep one transaction open; an error undoes it."""
    connection = await connect(
        url, timeout_s, {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}, limited=False
    )
    try:
        if writes:
            await migrate_database(connection, time.time())
        async with connection.transaction(
            isolation="read_committed" if writes else "repeatable_read", readonly=not writes
        ):
            yield PostgresEnd(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise StoreError(f"the database refused ({type(error).__name__}: {error}); nothing was changed") from error
    finally:
        await connection.close()
