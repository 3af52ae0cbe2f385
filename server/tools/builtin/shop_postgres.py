"""A shop's database on PostgreSQL; loaded only where tools.shop names one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from server.tools.builtin.shop import Row, Value, statements
from server.tools.contract import ToolUnavailable

MOST_CONNECTIONS = 4
CONNECT_S = 5.0
STATEMENT_S = 8.0
_FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresShop:
    """A shop behind a small pool of connections that is opened on first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections at the end."""
        self._pool = asyncpg.create_pool(
            self._url, min_size=0, max_size=MOST_CONNECTIONS, timeout=CONNECT_S, command_timeout=STATEMENT_S
        )
        try:
            yield
        finally:
            pool, self._pool = self._pool, None
            await pool.close()

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Read in a transaction that cannot write."""
        return await self._do(sql, values, readonly=True)

    async def change(self, sql: str, *values: Value) -> list[Row]:
        """Change in one transaction."""
        return await self._do(sql, values, readonly=False)

    async def script(self, sql: str) -> None:
        """Run a script in one transaction."""
        try:
            async with (await self._opened()).acquire() as connection, connection.transaction():
                for statement in statements(sql):
                    await connection.execute(statement)
        except _FAULTS as error:
            raise _unavailable(error) from error

    async def _do(self, sql: str, values: tuple[Value, ...], *, readonly: bool) -> list[Row]:
        try:
            pool = await self._opened()
            async with pool.acquire() as connection, connection.transaction(readonly=readonly):
                return [dict(row) for row in await connection.fetch(numbered(sql), *values)]
        except _FAULTS as error:
            raise _unavailable(error) from error

    async def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            raise ToolUnavailable("the shop's database is not open")
        await self._pool
        return self._pool


def numbered(sql: str) -> str:
    """The statement with ``$1``, ``$2``… in place of each ``?`` outside quoted text."""
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        if match.group() != "?":
            return match.group()
        count += 1
        return f"${count}"

    return re.sub(r"'(?:[^']|'')*'|\?", number, sql)


def _unavailable(error: BaseException) -> ToolUnavailable:
    return ToolUnavailable(f"the shop's database cannot be used now ({type(error).__name__})")
