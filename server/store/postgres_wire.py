"""The connection that makes a process known to the others: its advisory lock, LISTEN, and NOTIFY.

Notifications leave after the commit, in batches of one statement: a NOTIFY inside the group's transaction would hold
a lock of the whole database during the fsync and so end grouped commits of several processes. One that is lost with
its process is made good by polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from server.store.contract import StoreUnavailable
from server.store.notices import Topics
from server.store.postgres_session import AWAY, Connection, connect

log = structlog.get_logger()

_CHANNEL = "frontdesk"
_SEPARATOR = "\x1f"
_FIRST_BACKOFF_S = 0.05
_MAX_BACKOFF_S = 0.5
_CHECK_S = 1.0  # how often a silent connection is asked whether it lives
_BATCH = 200  # notifications per statement
_MAX_WAITING = 10_000  # notifications kept while the connection is away; then the oldest are dropped
_HELD = """
select (cast(classid as bigint) << 32) | cast(objid as bigint) as key from pg_locks
where locktype = 'advisory' and objsubid = 1 and granted
    and database = (select oid from pg_database where datname = current_database())"""


def presence_key(worker_id: str) -> int:
    """The advisory lock a worker holds while it lives: 63 bits of the id's hash."""
    return int.from_bytes(hashlib.sha256(worker_id.encode()).digest()[:8]) >> 1


class Wire:
    """Keeps one connection up, again and again; ``connected`` is set while it is."""

    def __init__(self, url: str, timeout_s: float, worker_id: str, topics: Topics) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._worker_id = worker_id
        self._topics = topics
        self._waiting: list[str] = []
        self._work = asyncio.Event()
        self._times = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect, or raise StoreUnavailable; then stay connected until the block ends."""
        connection = await self._connect()
        keeper = asyncio.create_task(self._keep(connection), name="store-wire")
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    def send(self, notices: Iterable[tuple[str, str]]) -> None:
        """Queue notifications for the other processes."""
        self._waiting += [f"{self._worker_id}{_SEPARATOR}{topic}{_SEPARATOR}{payload}" for topic, payload in notices]
        if len(self._waiting) > _MAX_WAITING:
            del self._waiting[:-_MAX_WAITING]
        self._work.set()

    async def _connect(self) -> Connection:
        connection = await connect(self._url, self._timeout_s, {"synchronous_commit": "off"})
        try:
            await connection.execute("select pg_advisory_lock($1)", presence_key(self._worker_id))
            await connection.add_listener(_CHANNEL, self._receive)
            connection.add_termination_listener(lambda _connection: self._work.set())
        except (asyncpg.PostgresError, *AWAY) as error:
            connection.terminate()
            raise StoreUnavailable(f"the database is away ({error})") from error
        self._times += 1
        if self._times > 1:
            self._topics.resync()
        return connection

    async def _keep(self, connection: Connection) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                await self._serve(connection)
            except (asyncpg.PostgresError, *AWAY) as error:
                log.warning("store_wire_lost", error=f"{type(error).__name__}: {error}")
            finally:
                connection.terminate()
            while connection.is_closed():
                await asyncio.sleep(backoff_s)
                try:
                    connection = await self._connect()
                    backoff_s = _FIRST_BACKOFF_S
                except StoreUnavailable:
                    backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)

    async def _serve(self, connection: Connection) -> None:
        """Send what waits; between times prove that the connection lives."""
        while not connection.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_S):
                    await self._work.wait()
            self._work.clear()
            if not self._waiting:
                await connection.execute("select 1")
            while self._waiting:
                batch = self._waiting[:_BATCH]
                await connection.execute("select pg_notify($1, one) from unnest($2::text[]) as one", _CHANNEL, batch)
                del self._waiting[: len(batch)]

    def _receive(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        sender, topic, text = str(payload).split(_SEPARATOR, 2)
        if sender != self._worker_id:  # this process was told directly
            self._topics.dispatch([(topic, text)])


async def missing(fetch: Callable[[str], Any], holders: Sequence[str]) -> list[str]:
    """The holders whose advisory lock nobody holds at this moment."""
    held = {row["key"] for row in await fetch(_HELD)}
    return [holder for holder in holders if presence_key(holder) not in held]
