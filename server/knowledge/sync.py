"""Runs over sources: one at a time for each source, resumable, and nothing is read, parsed or indexed twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Protocol

import structlog

from config.settings import Settings
from server import lanes, shifts
from server.knowledge.catalogue import products
from server.knowledge.contract import SourceRefused
from server.knowledge.documents import DOCUMENTS, KNOWLEDGE, ORDER
from server.knowledge.fetched import Failed, Fetched, Frontier, Gone, Known, SourceDown, Unchanged
from server.knowledge.files import FilesReader
from server.knowledge.kinds import UPLOADS, Text
from server.knowledge.pairs import pairs
from server.knowledge.parsing import Reader
from server.knowledge.records import TableReader
from server.knowledge.run import Run
from server.knowledge.sources import SYNC, next_at, queue, uploads
from server.knowledge.sql_source import SqlReader
from server.lanes import Lease
from server.store.contract import Fenced, Row, Store, StoreError, Tx

log = structlog.get_logger()

AT_ONCE = 2  # sources
LEASE_S = 30.0
MAX_ERRORS = 5  # runs that failed unexpectedly, or whose process died
RETRY_S = 300.0  # a source that is down for now, when it does not say itself


class SourceReader(Protocol):
    """What reads one kind of source."""

    def read(
        self, config: Mapping[str, Any], frontier: Frontier, known: Mapping[str, Known]
    ) -> AsyncIterator[Fetched | Text | Unchanged | Gone | Failed]:
        """One item for each document; raises SourceRefused, and SourceDown when looking again later may help."""
        ...


class Nothing:
    """The reader of what is written by hand: there is nothing to read."""

    async def read(
        self, _config: Mapping[str, Any], _frontier: Frontier, _known: Mapping[str, Known]
    ) -> AsyncIterator[Fetched]:
        """No items."""
        for nothing in list[Fetched]():
            yield nothing


def readers(settings: Settings, reader: Reader) -> dict[str, SourceReader]:
    """The readers of all kinds but ``site``, whose reader brings its own connections."""
    parse = settings.knowledge.parse
    return {
        "files": FilesReader(parse.max_bytes),
        "qa": TableReader(reader, parse.max_bytes, pairs),
        "catalogue": TableReader(reader, parse.max_bytes, products),
        "sql": SqlReader(parse.max_characters),
        "article": Nothing(),
    }


class Sync:
    """Reads sources that are queued or due, until stopped; belongs to the worker role.

    Wiring: ``reader = Reader(settings.knowledge.parse)``, then ``Sync(store, settings, reader,
    {**readers(settings, reader), "site": …})``; several workers may run one each.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        reader: Reader,
        kinds: Mapping[str, SourceReader],
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._reader = reader
        self._kinds = kinds
        self._lease_s = lease_s
        self._drain_s = settings.http.drain_s
        self._uploads = uploads(settings)
        self._held: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._unsettled = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read until the block ends; then give up what is being read: the next run goes on from there."""
        stops = [
            self._store.listen(lanes.topic(SYNC), lambda _topic, _payload: self._wake.set()),
            self._store.listen(KNOWLEDGE, lambda _topic, _payload: self._look()),
            self._store.listen(DOCUMENTS, lambda _topic, _payload: self._look()),
        ]
        loop = asyncio.create_task(
            shifts.repeat("sync", self.step, partial(shifts.waited, self._wake)), name="sync of sources"
        )
        try:
            yield
        finally:
            for stop in stops:
                stop()
            await shifts.end([loop])
            await shifts.drain(self._store, lambda: list(self._held.values()), 0.0)
            await self._reader.close()

    def _look(self) -> None:
        self._unsettled = True
        self._wake.set()

    async def step(self) -> None:
        """Queue what is due, start what is ready, and settle sources whose documents are all in the index."""
        self._wake.clear()
        await self._end_runs()
        if await self._store.row("knowledge.due_source", tenant=self._tenant, now=time.time()) is not None:
            await self._store.write(self._due, order=ORDER)
        if self._unsettled:
            self._unsettled = False
            await self._store.write(partial(_settle, tenant=self._tenant), order=ORDER)
        free = AT_ONCE - len(self._held)
        if free <= 0:
            return
        take = partial(
            lanes.take, kind=SYNC, limit=free, lease_s=self._lease_s, holder=self._store.worker_id, tenant=self._tenant
        )
        for lease in await self._store.write(take, order="~"):
            task = asyncio.create_task(self._run(lease), name=f"sync {lease.key}")
            task.add_done_callback(lambda _task: self._wake.set())
            self._held[lease.lane_id] = (lease, task)

    async def quiet(self) -> None:
        """Wait until nothing is being read and nothing waits; for commands and tests."""
        while True:
            await self.step()
            if not self._held:
                return
            await asyncio.wait([task for _, task in self._held.values()])

    async def _due(self, tx: Tx) -> None:
        rows = await tx.rows("knowledge.due_sources", tenant=self._tenant, now=tx.now_s)
        for row in rows:
            following = next_at(row["cron"], tx.now_s)
            await tx.run("knowledge.source_next", tenant=self._tenant, id=row["id"], next_at=following)
            await queue(tx, self._tenant, str(row["id"]), again=False)

    async def _end_runs(self) -> None:
        """Look after runs that have ended: one that failed unexpectedly is tried again a few times."""
        for lane_id, (lease, task) in list(self._held.items()):
            if not task.done():
                continue
            del self._held[lane_id]
            error = None if task.cancelled() else task.exception()
            if error is None or isinstance(error, Fenced):
                continue
            away = isinstance(error, StoreError)
            log.error("sync_failed", source=lease.key, error=type(error).__name__, exc_info=None if away else error)
            delay_s = shifts.AWAY_PAUSE_S if away else RETRY_S
            with suppress(Fenced):
                await self._store.write(partial(lanes.nack, lease=lease, delay_s=delay_s, error=not away), order="~")

    async def _run(self, lease: Lease) -> None:
        beating = asyncio.create_task(self._beat(lease))
        try:
            await self._read(lease)
        except Fenced:
            log.info("sync_left", source=lease.key)
        finally:
            beating.cancel()

    async def _read(self, lease: Lease) -> None:
        """One run over one source, whatever its end."""
        row = await self._store.row("knowledge.source", tenant=self._tenant, id=lease.key)
        if row is None:
            await self._store.write(partial(lanes.ack, lease=lease, upto_seq=lease.items[-1].seq), order="~")
            return
        again = any(item.body.get("again") for item in lease.items)
        run = Run(self._store, self._reader, row, lease, self._lease_s, again=again)
        head = lease.head
        if max(head.errors, head.lost_leases) >= MAX_ERRORS:
            await run.end(
                "failed", f"reading it ended unexpectedly {MAX_ERRORS} times; see the log, then start it again"
            )
            return
        started = time.monotonic()
        try:
            await run.begin()
            await self._items(run, row)
            await run.end_read()
        except SourceRefused as error:
            await run.end("failed", str(error))
        except SourceDown as error:
            if head.errors + 1 >= MAX_ERRORS:
                await run.end("failed", str(error))
            else:
                await run.put_off(str(error), error.retry_s or RETRY_S)
        log.info("source_read", source=lease.key, kind=row["kind"], took_s=round(time.monotonic() - started, 1),
                 **run.counts)  # fmt: skip

    async def _items(self, run: Run, row: Row) -> None:
        kind = str(row["kind"])
        if kind not in self._kinds:
            raise SourceRefused(f"this version cannot read sources of kind {kind}")
        config = json.loads(row["config"])
        if kind in UPLOADS:
            config["folder"] = str(self._uploads.folder(str(row["id"])))
        async for item in self._kinds[kind].read(config, run.place, run.known()):
            await run.take(item)

    async def _beat(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self._store.write(partial(lanes.beat, lease=lease, lease_s=self._lease_s), order="~")
            except Fenced:
                return
            except StoreError as error:  # one missed beat is no lost lease
                log.warning("sync_beat_missed", source=lease.key, error=type(error).__name__)


async def _settle(tx: Tx, tenant: str) -> None:
    await tx.rows("knowledge.settle_sources", tenant=tenant, now=tx.now_s)
