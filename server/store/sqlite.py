"""The embedded store: one file, one writer thread, one fsync for everything that arrived during the last one."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog

from config.settings import StoreSettings
from server.store import migrate
from server.store.clock import Clock, HostClock
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
from server.store.presence import Bus, Presence, new_worker_id
from server.store.sqlite_session import SqliteSession, connect, drive, fetch
from server.store.statements import Statement, load

log = structlog.get_logger()
T = TypeVar("T")

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SqliteStore:
    """Store over one database file, shared by the processes of one host."""

    dialect = "sqlite"

    def __init__(self, path: Path, settings: StoreSettings, clock: Clock | None = None) -> None:
        self._path = path
        self._settings = settings
        self._clock = clock or HostClock()
        self._worker_id = new_worker_id()
        folder = path.with_name(f"{path.name}.bus")
        self._topics = Topics()
        self._presence = Presence(folder, self._worker_id)
        self._bus = Bus(folder, self._worker_id, self._topics.dispatch)
        self._pending: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._readers: ThreadPoolExecutor | None = None
        self._writer: sqlite3.Connection | None = None
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._statements = load("sqlite")
        self.on_group: GroupListener = ignore_group

    @property
    def worker_id(self) -> str:
        """This process's id in ``lane.holder``."""
        return self._worker_id

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Migrate, start the writer thread and the bus; on exit finish what was asked and close the file."""
        self._writer = await asyncio.to_thread(self._prepare)
        self._loop = asyncio.get_running_loop()
        self._presence.open()
        self._bus.open()
        self._readers = ThreadPoolExecutor(max(1, min(4, self._settings.pool_size - 1)), "store-reader")
        writer = threading.Thread(target=self._write_groups, args=(self._writer,), name="store-writer")
        writer.start()
        try:
            yield
        finally:
            self._loop = None
            self._pending.put(None)
            await asyncio.shield(asyncio.to_thread(writer.join))
            self._readers.shutdown()
            for connection in [*self._opened, self._writer]:
                connection.close()
            self._opened.clear()
            self._bus.close()
            self._presence.close()

    async def write(self, unit: Unit[T], *, order: str = "", independent: bool = False) -> T:
        """Run a unit in the next grouped commit; returns once that commit is on disk."""
        if self._loop is None:
            raise StoreUnavailable("the store is not running; start the service first")
        future: asyncio.Future[T] = self._loop.create_future()
        self._pending.put(Entry(unit, order, future, independent=independent))
        return await future

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """Read on a connection of its own, beside the writer."""
        if self._readers is None or self._loop is None:
            raise StoreUnavailable("the store is not running; start the service first")
        statement = self._statements.get(query)
        if statement is None:
            raise StoreError(f"there is no query {query!r} in server/store/queries")
        return await self._loop.run_in_executor(self._readers, self._read, statement, values)

    async def row(self, query: str, /, **values: Value) -> Row | None:
        """The first row of a named query, or None."""
        rows = await self.rows(query, **values)
        return rows[0] if rows else None

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Call the listener for notifications from every process of this file."""
        return self._topics.listen(topic, listener)

    async def publish(self, topic: str, payload: str) -> None:
        """Send a notification that belongs to no commit; raises ValueError beyond 7,000 bytes."""
        check_size(topic, payload)
        self._tell([(topic, payload)])

    async def clock_s(self) -> float:
        """The host's monotonic clock, seconds."""
        return self._clock.lease_s() or 0.0

    async def dead_holders(self, holders: Sequence[str]) -> Sequence[str]:
        """Workers whose lock file is free or gone."""
        return self._presence.dead(holders)

    async def ping(self) -> None:
        """Commit an empty group that holds the write lock."""

        async def prove(tx: Any) -> None:
            await tx.run("store.touch", now_s=tx.now_s)

        await self.write(prove)

    async def backup(self, target: Path) -> None:
        """Copy the file consistently while it is in use."""
        await asyncio.to_thread(self._backup, target)

    def _backup(self, target: Path) -> None:
        if target.exists():
            raise StoreError(f"{target} exists already; name a new file")
        source = connect(self._path, self._settings.timeout_s)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)  # in one step: several would start over whenever somebody writes
            copy.execute("pragma journal_mode=delete")
        except sqlite3.Error as error:
            raise StoreError(f"the backup to {target} failed ({error}); free space there and repeat it") from error
        finally:
            copy.close()
            source.close()

    def _prepare(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = connect(self._path, self._settings.timeout_s)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{self._path} cannot be opened ({error}); check its folder") from error
        try:
            migrate_file(connection, self._clock.wall_s())
            forget_leases_of_another_boot(connection)
        except sqlite3.Error as error:
            connection.close()
            raise StoreUnavailable(f"{self._path} cannot be prepared ({error})") from error
        except StoreError:
            connection.close()
            raise
        return connection

    def _read(self, statement: Statement, values: dict[str, Value]) -> list[Row]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = connect(self._path, self._settings.timeout_s)
                connection.execute("pragma query_only=on")
            except sqlite3.Error as error:
                raise StoreUnavailable(f"{self._path} cannot be read ({error})") from error
            self._local.connection = connection
            self._opened.append(connection)
        return fetch(connection, statement, values, self._clock)

    def _write_groups(self, connection: sqlite3.Connection) -> None:
        """Body of the writer thread: block for a unit, add what is waiting, commit, repeat."""
        session = SqliteSession(connection, self._clock)
        closing = False
        while not closing:
            entries: list[Entry] = []
            entry = self._pending.get()
            while entry is not None and len(entries) < self._settings.group_units:
                if not entry.future.cancelled():
                    entries.append(entry)
                if self._pending.empty() or len(entries) == self._settings.group_units:
                    break
                entry = self._pending.get()
            closing = entry is None
            if entries:
                self._commit(session, entries)

    def _commit(self, session: SqliteSession, entries: list[Entry]) -> None:
        entries.sort(key=lambda entry: entry.order)
        notices: list[tuple[str, str]] = []
        started = time.perf_counter()
        try:
            notices = drive(run_group(session, entries, self._clock))
            self.on_group(len(entries), time.perf_counter() - started, "committed")
        except GroupLost as error:
            log.warning("group_failed", units=len(entries), error=str(error))
            self.on_group(len(entries), time.perf_counter() - started, "failed")
            for entry in entries:
                entry.error = StoreUnavailable(str(error))
        except Exception as error:  # the writer must outlive any fault of one group
            log.exception("group_crashed", units=len(entries))
            self.on_group(len(entries), time.perf_counter() - started, "failed")
            for entry in entries:
                entry.error = StoreUnavailable(f"the group could not be committed ({type(error).__name__})")
        entries[0].future.get_loop().call_soon_threadsafe(self._finish, entries, notices)

    def _finish(self, entries: list[Entry], notices: list[tuple[str, str]]) -> None:
        settle(entries)
        self._tell(notices)

    def _tell(self, notices: list[tuple[str, str]]) -> None:
        if notices:
            self._topics.dispatch(notices)
            self._bus.send(notices)


def migrate_file(connection: sqlite3.Connection, now_s: float) -> None:
    """Bring the schema up to date while no other process can write; raises StoreError when that is impossible."""
    connection.execute("begin exclusive")
    try:
        connection.execute(migrate.BOOKKEEPING)
        applied = dict(connection.execute("select version, sha256 from migration").fetchall())
        for migration in migrate.pending(applied, migrate.load()):
            for statement in migration.statements():
                connection.execute(statement)
            connection.execute(
                "insert into migration values (?, ?, ?, ?)",
                (migration.version, migration.name, migration.sha256, now_s),
            )
        connection.execute("commit")
    finally:
        if connection.in_transaction:
            connection.execute("rollback")


def forget_leases_of_another_boot(connection: sqlite3.Connection) -> None:
    """Free every lane when the host restarted (or the file came from another one): its clock began anew."""
    boot_id = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else "unknown"
    connection.execute("begin immediate")
    known = connection.execute("select value from store_state where name = 'boot_id'").fetchone()
    if known is None or known[0] != boot_id:
        connection.execute("update lane set ready_at = 0, holder = null where ready_at <> 0 or holder is not null")
        connection.execute(
            "insert into store_state values ('boot_id', ?) on conflict (name) do update set value = excluded.value",
            (boot_id,),
        )
    connection.execute("commit")
