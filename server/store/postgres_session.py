"""One PostgreSQL connection as a group uses it, and the translation of the driver's errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from server.store.clock import Clock
from server.store.contract import Conflict, Row, StoreError, StoreUnavailable, Value
from server.store.group import EventRow, GroupLost, GroupRetry
from server.store.statements import NTH, Statement, load

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Units touch few rows by key. A plan prepared while a table was empty must not stay a sequential scan.
UNIT_SETTINGS = {"synchronous_commit": "on", "enable_seqscan": "off", "enable_bitmapscan": "off", "jit": "off"}

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, cannot connect now
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.PostgresSystemError,  # its disk failed
    asyncpg.ReadOnlySQLTransactionError,  # a standby, after a fail-over
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    OSError,  # includes TimeoutError
    EOFError,
)
# The first class that fits decides; anything else is a wrong statement.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[StoreError], str], ...] = (
    ((asyncpg.UniqueViolationError,), Conflict, "a row with this key is already there"),
    ((asyncpg.IntegrityConstraintViolationError,), StoreError, "a rule of the schema refused the row"),
    ((asyncpg.DeadlockDetectedError, asyncpg.SerializationError), GroupRetry, "two groups met"),
    ((asyncpg.QueryCanceledError,), StoreUnavailable, "a statement took longer than store.timeout_s; try again later"),
    ((asyncpg.DataError,), StoreError, "a value does not fit its column"),
    (AWAY, GroupLost, "the database is away; it is tried again by itself"),
)
_INSERT_EVENTS = """
insert into event (tenant, number, conversation_id, seq, kind, audience, body, created_at)
select * from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[],
    $5::text[], $6::text[], $7::text[], $8::float8[])
"""
_FIRST_PAUSE_S = 0.005


def explain(error: Exception) -> StoreError:
    """The contract's error for what the driver raised."""
    for classes, kind, sentence in _MEANINGS:
        if isinstance(error, classes):
            return kind(f"{sentence} ({type(error).__name__}: {error})")
    return StoreError(f"the statement or its values are wrong ({type(error).__name__}: {error})")


async def connect(url: str, timeout_s: float, settings: dict[str, str], *, limited: bool = True) -> Connection:
    """A connection with our settings; raises GroupLost when the server cannot be reached in time."""
    try:
        connection: Connection = await asyncpg.connect(
            url,
            timeout=timeout_s,
            command_timeout=timeout_s * 2 if limited else None,  # the server's own limit comes first and says more
            statement_cache_size=0,
            server_settings={
                "application_name": "frontdesk",
                "statement_timeout": str(int(timeout_s * 1000)),
                "idle_in_transaction_session_timeout": str(int(timeout_s * 1000)),
                **settings,
            },
        )
    except AWAY as error:
        raise GroupLost(f"the database cannot be reached ({type(error).__name__}: {error}); check store.url") from error
    return connection


class PostgresSession:
    """A committer's connection; statements are prepared at first use."""

    pipelines = True

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self._clock = clock
        self._statements = load("postgresql")
        self._prepared: dict[str, PreparedStatement[asyncpg.Record]] = {}

    async def begin(self) -> None:
        """Start the transaction (read committed: rows are locked where it matters)."""
        await self._execute("begin")

    async def commit(self) -> None:
        """Return once the server has it on disk; when the connection breaks here, the outcome is unknown."""
        await self._execute("commit")

    async def rollback(self) -> None:
        """Undo the transaction; a broken connection has undone it already."""
        if not self.connection.is_closed():
            await self._execute("rollback")

    async def savepoint(self) -> None:
        """Start a unit."""
        await self._execute("savepoint unit")

    async def release(self) -> None:
        """Keep the unit."""
        await self._execute("release savepoint unit")

    async def undo(self) -> None:
        """Drop the unit."""
        await self._execute("rollback to savepoint unit; release savepoint unit")

    async def fetch(self, query: str, values: dict[str, Value]) -> list[Row]:
        """Rows of a named query."""
        prepared, arguments = await self._ready(query, values)
        return [dict(record.items()) for record in await self._call(prepared.fetch, arguments)]

    async def run(self, query: str, values: dict[str, Value]) -> int:
        """Rows changed by a named statement."""
        prepared, arguments = await self._ready(query, values)
        await self._call(prepared.fetch, arguments)
        count = (prepared.get_statusmsg() or "").rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def many(self, query: str, values: Sequence[dict[str, Value]]) -> list[list[Row]]:
        """Rows of a named query per set of values; one round trip where its text allows."""
        statement = find(self._statements, query)
        if statement.batch is None:
            return [await self.fetch(query, one) for one in values]
        lease_s = self._clock.lease_s() if statement.leased else None
        arguments: list[list[Value]] = []
        for nth, one in enumerate(values):
            bound = statement.bind(one, lease_s)
            arguments.append([*[bound[name] for name in statement.names], nth])
        name = f"{query} batch"
        prepared = self._prepared.get(name) or await self._prepare(name, statement.batch)
        answers: list[list[Row]] = [[] for _ in values]
        for record in await self._call(prepared.fetchmany, [arguments]):
            row = dict(record.items())
            answers[row.pop(NTH)].append(row)
        return answers

    async def insert_events(self, rows: Sequence[EventRow]) -> None:
        """All rows in one round trip."""
        prepared = self._prepared.get("events") or await self._prepare("events", _INSERT_EVENTS)
        events = [row.event for row in rows]
        columns: list[Any] = [
            [event.tenant for event in events], [row.number for row in rows],
            [event.conversation_id for event in events], [event.seq for event in events],
            [event.kind for event in events], [event.audience for event in events],
            [row.body for row in rows], [row.created_at for row in rows],
        ]  # fmt: skip
        await self._call(prepared.fetch, columns)

    async def pause(self, attempt: int) -> None:
        """Wait a random, growing time, so that two groups do not meet again."""
        await asyncio.sleep(random.uniform(0, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311 - spreads retries

    async def _ready(
        self, query: str, values: dict[str, Value]
    ) -> tuple[PreparedStatement[asyncpg.Record], list[Value]]:
        statement = find(self._statements, query)
        bound = statement.bind(values, self._clock.lease_s() if statement.leased else None)
        prepared = self._prepared.get(query) or await self._prepare(query, statement.sql)
        return prepared, [bound[name] for name in statement.names]

    async def _prepare(self, name: str, sql: str) -> PreparedStatement[asyncpg.Record]:
        try:
            prepared: PreparedStatement[asyncpg.Record] = await self.connection.prepare(sql)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise explain(error) from error
        self._prepared[name] = prepared
        return prepared

    async def _execute(self, sql: str) -> None:
        await self._call(self.connection.execute, [sql])

    async def _call(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        try:
            return await function(*arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, EOFError) as error:
            raise explain(error) from error


def find(statements: Any, query: str) -> Statement:
    """The statement of a name; raises StoreError with the folder to look into."""
    statement: Statement | None = statements.get(query)
    if statement is None:
        raise StoreError(f"there is no query {query!r} in server/store/queries")
    return statement
