"""The store for any number of gateways and workers: PostgreSQL 15 or newer through asyncpg."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import structlog

from config.settings import StoreSettings
from server.store import migrate, postgres_tools
from server.store.clock import Clock, DatabaseClock
from server.store.contract import (
    GroupListener,
    Listener,
    Row,
    StoreError,
    StoreUnavailable,
    Unit,
    Value,
    ignore_group,
)
from server.store.group import Entry, GroupLost, run_group, settle
from server.store.notices import Topics, check_size
from server.store.postgres_session import AWAY, UNIT_SETTINGS, Connection, PostgresSession, connect, explain, find
from server.store.postgres_wire import Wire, missing
from server.store.presence import new_worker_id
from server.store.statements import load

log = structlog.get_logger()
T = TypeVar("T")

_COMMITTERS = 2  # one fsyncs while the other runs statements
_RECHECK_S = 0.2  # a process that reconnects takes its lock back within this time
_SETTLING_S = 3.0  # after a restart of the server, while everybody reconnects, nobody is called dead
_MIN_VERSION = 150_000
_CLOCK = "select cast(extract(epoch from clock_timestamp()) as double precision) as now_s"
_UPTIME = "select cast(extract(epoch from clock_timestamp() - pg_postmaster_start_time()) as double precision) as up_s"


class PostgresStore:
    """Store over a PostgreSQL database."""

    dialect = "postgresql"

    def __init__(self, url: str, settings: StoreSettings, clock: Clock | None = None) -> None:
        self._url = url
        self._settings = settings
        self._clock = clock or DatabaseClock()
        self._worker_id = new_worker_id()
        self._topics = Topics()
        self._wire = Wire(url, settings.timeout_s, self._worker_id, self._topics)
        self._pending: deque[Entry] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self._open = False
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._statements = load("postgresql")
        self.on_group: GroupListener = ignore_group

    @property
    def worker_id(self) -> str:
        """This process's id in ``lane.holder``."""
        return self._worker_id

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Migrate, make this process known, start the committers; on exit finish what was asked and disconnect."""
        await self._migrate()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._wire.running())
            self._pool = await stack.enter_async_context(self._reading())
            self._closing = False
            committers = [asyncio.create_task(self._commit_groups(), name="store-commit") for _ in range(_COMMITTERS)]
            self._open = True
            try:
                yield
            finally:
                self._open, self._closing = False, True
                self._arrived.set()
                await asyncio.shield(asyncio.gather(*committers))

    async def write(self, unit: Unit[T], *, order: str = "", independent: bool = False) -> T:
        """Run a unit in the next grouped commit; returns once that commit is on the server's disk."""
        if not self._open:
            raise StoreUnavailable("the store is not running; start the service first")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append(Entry(unit, order, future, independent=independent))
        self._arrived.set()
        return await future

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """Read on a pooled connection."""
        statement = find(self._statements, query)
        bound = statement.bind(dict(values), self._clock.lease_s() if statement.leased else None)
        return [dict(row.items()) for row in await self._fetch(statement.sql, *[bound[n] for n in statement.names])]

    async def row(self, query: str, /, **values: Value) -> Row | None:
        """The first row of a named query, or None."""
        rows = await self.rows(query, **values)
        return rows[0] if rows else None

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Call the listener for notifications from every process of this database."""
        return self._topics.listen(topic, listener)

    async def publish(self, topic: str, payload: str) -> None:
        """Send a notification that belongs to no commit; raises ValueError beyond 7,000 bytes."""
        check_size(topic, payload)
        self._tell([(topic, payload)])

    async def clock_s(self) -> float:
        """The database's clock, seconds, unless a test handed in another."""
        lease_s = self._clock.lease_s()
        return float((await self._fetch(_CLOCK))[0]["now_s"]) if lease_s is None else lease_s

    async def dead_holders(self, holders: Sequence[str]) -> Sequence[str]:
        """Workers without their advisory lock, asked twice so that a reconnecting one is spared."""
        others = [holder for holder in holders if holder != self._worker_id]
        gone = await missing(self._fetch, others) if others else []
        if not gone or (await self._fetch(_UPTIME))[0]["up_s"] < _SETTLING_S:
            return []
        await asyncio.sleep(_RECHECK_S)
        return await missing(self._fetch, gone)

    async def ping(self) -> None:
        """Commit a small write."""

        async def prove(tx: Any) -> None:
            await tx.run("store.touch", now_s=tx.now_s)

        await self.write(prove)

    async def backup(self, target: Path) -> None:
        """Dump the database in pg_dump's custom format while it is in use."""
        await postgres_tools.dump(self._url, target)

    async def _fetch(self, sql: str, *arguments: Value) -> list[asyncpg.Record]:
        if self._pool is None:
            raise StoreUnavailable("the store is not running; start the service first")
        try:
            rows: list[asyncpg.Record] = await self._pool.fetch(sql, *arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, EOFError) as error:
            raise explain(error) from error
        return rows

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
        timeout_s = self._settings.timeout_s
        pool = asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=max(1, self._settings.pool_size - _COMMITTERS - 1),
            timeout=timeout_s,
            command_timeout=timeout_s * 2,
            statement_cache_size=1_000,
            max_cached_statement_lifetime=0,
            server_settings={
                "application_name": "frontdesk-read",
                "statement_timeout": str(int(timeout_s * 1000)),
                "default_transaction_read_only": "on",
                "jit": "off",
            },
        )
        try:
            await pool
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StoreUnavailable(f"the database cannot be reached ({error}); check store.url") from error
        try:
            yield pool
        finally:
            self._pool = None
            try:
                async with asyncio.timeout(timeout_s):
                    await pool.close()
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pool.terminate()

    async def _migrate(self) -> None:
        connection = await connect(self._url, self._settings.timeout_s, {"statement_timeout": "0"})
        try:
            await migrate_database(connection, self._clock.wall_s())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StoreUnavailable(f"the schema could not be prepared ({error})") from error
        finally:
            await connection.close()

    async def _commit_groups(self) -> None:
        """One committer: whatever arrived while it was busy becomes its next group."""
        session: PostgresSession | None = None
        while True:
            while not self._pending:
                if self._closing:
                    await _hang_up(session)
                    return
                self._arrived.clear()
                await self._arrived.wait()
            entries: list[Entry] = []
            while self._pending and len(entries) < self._settings.group_units:
                entry = self._pending.popleft()
                if not entry.future.done():
                    entries.append(entry)
            if entries:
                session = await self._commit(session, entries)

    async def _commit(self, session: PostgresSession | None, entries: list[Entry]) -> PostgresSession | None:
        entries.sort(key=lambda entry: entry.order)
        notices: list[tuple[str, str]] = []
        started = time.perf_counter()
        try:
            if session is None or session.connection.is_closed():
                connection = await connect(self._url, self._settings.timeout_s, UNIT_SETTINGS)
                session = PostgresSession(connection, self._clock)
            notices = await run_group(session, entries, self._clock)
            self.on_group(len(entries), time.perf_counter() - started, "committed")
        except GroupLost as error:
            log.warning("group_failed", units=len(entries), error=str(error))
            self.on_group(len(entries), time.perf_counter() - started, "failed")
            _drop(session, entries, str(error))
        except Exception as error:  # the committer must outlive any fault of one group
            log.exception("group_crashed", units=len(entries))
            self.on_group(len(entries), time.perf_counter() - started, "failed")
            _drop(session, entries, f"the group could not be committed ({type(error).__name__})")
        settle(entries)
        self._tell(notices)
        return session

    def _tell(self, notices: list[tuple[str, str]]) -> None:
        if notices:
            self._topics.dispatch(notices)
            self._wire.send(notices)


def _drop(session: PostgresSession | None, entries: list[Entry], reason: str) -> None:
    """Tell the callers and give up the connection: its state is not known."""
    if session is not None:
        session.connection.terminate()
    for entry in entries:
        entry.error = StoreUnavailable(reason)


async def _hang_up(session: PostgresSession | None) -> None:
    if session is not None and not session.connection.is_closed():
        with contextlib.suppress(asyncpg.PostgresError, *AWAY):
            await session.connection.close()


async def migrate_database(connection: Connection, now_s: float) -> None:
    """Bring the schema up to date, one process at a time; raises StoreError when that is impossible."""
    version = int(await connection.fetchval("select current_setting('server_version_num')"))
    if version < _MIN_VERSION:
        raise StoreError(f"PostgreSQL 15 or newer is needed, this server is {version // 10_000}; upgrade it")
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", migrate.LOCK_KEY)
        await connection.execute(migrate.BOOKKEEPING)
        applied = {row["version"]: row["sha256"] for row in await connection.fetch("select * from migration")}
        for migration in migrate.pending(applied, migrate.load()):
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into migration values ($1, $2, $3, $4)",
                migration.version, migration.name, migration.sha256, now_s,
            )  # fmt: skip
