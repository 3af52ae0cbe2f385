"""One grouped commit: units in order, events numbered, a bad unit alone rolled back.

The same code runs on both stores: in the writer thread of SQLite it is driven without an event loop (its awaits never
suspend), on PostgreSQL a committer task awaits it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from server import crashpoint
from server.store.clock import Clock
from server.store.contract import Event, Row, StoreError, StoreUnavailable, Unit, Value
from server.store.lockstep import Pipeline, Steps, walk
from server.store.notices import check_size
from server.store.text import dump

RETRIES = 8  # of one group after deadlocks, before its callers are told to come back later


class GroupLost(StoreUnavailable):
    """The connection or the disk failed under the whole group."""


class GroupRetry(StoreError):
    """The database chose this group as the victim of a deadlock; the same group may work now."""


class _UnitFailed(Exception):
    """A unit raised while the group ran without savepoints; ``entry`` is None when nobody knows which."""

    def __init__(self, entry: Entry | None = None) -> None:
        super().__init__()
        self.entry = entry


@dataclass(slots=True)
class Entry:
    """A unit that waits for its commit; ``error`` or ``result`` is set once the group ended."""

    unit: Unit[Any]
    order: str
    future: asyncio.Future[Any]
    independent: bool = False
    result: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class EventRow:
    """A numbered event as its table holds it."""

    number: int
    event: Event
    body: str
    created_at: float


class Statements(Protocol):
    """What a unit's transaction asks for."""

    async def fetch(self, query: str, values: dict[str, Value]) -> list[Row]:
        """Rows of a named query."""

    async def run(self, query: str, values: dict[str, Value]) -> int:
        """Rows changed by a named statement."""


class Session(Statements, Pipeline, Protocol):
    """One connection while it belongs to a group; ``pipelines``: a round trip costs more than a statement."""

    pipelines: bool

    async def begin(self) -> None:
        """Open the transaction that excludes lost updates."""

    async def commit(self) -> None:
        """Return once the transaction is on disk."""

    async def rollback(self) -> None:
        """Undo the transaction; a lost connection counts as undone."""

    async def savepoint(self) -> None:
        """Start a unit that may be undone alone."""

    async def release(self) -> None:
        """Keep what the unit did."""

    async def undo(self) -> None:
        """Roll back to the savepoint and drop it."""

    async def insert_events(self, rows: Sequence[EventRow]) -> None:
        """Insert numbered events in one go."""

    async def pause(self, attempt: int) -> None:
        """Wait a little before the group is tried again."""


@dataclass(slots=True)
class GroupTx:
    """The transaction as one unit sees it."""

    session: Statements
    now_s: float
    events: list[Event] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """All rows of a named query."""
        return await self.session.fetch(query, values)

    async def row(self, query: str, /, **values: Value) -> Row | None:
        """The first row of a named query, or None."""
        rows = await self.session.fetch(query, values)
        return rows[0] if rows else None

    async def run(self, query: str, /, **values: Value) -> int:
        """Number of rows a named statement changed."""
        return await self.session.run(query, values)

    def emit(self, event: Event) -> None:
        """Append an event; it gets its number when the group ends."""
        self.events.append(event)

    def notify(self, topic: str, payload: str = "") -> None:
        """Tell listeners after the commit; raises ValueError beyond 7,000 bytes."""
        check_size(topic, payload)
        self.notices.append((topic, payload))


async def run_group(session: Session, entries: Sequence[Entry], clock: Clock) -> list[tuple[str, str]]:
    """Commit the entries' units and fill in their outcomes; returns the notifications to send.

    Raises GroupLost when nothing can be said to have been stored.
    """
    for attempt in range(RETRIES):
        try:
            return await _commit(session, entries, clock)
        except GroupRetry:
            await session.pause(attempt)
    raise GroupLost("the database keeps refusing this group because of deadlocks; try again later")


async def _commit(session: Session, entries: Sequence[Entry], clock: Clock) -> list[tuple[str, str]]:
    """Everything at once; else all but the unit that failed; else each unit under its savepoint."""
    rest = entries
    for _ in range(2):
        try:
            return await _attempt(session, rest, clock, isolated=False)
        except _UnitFailed as failure:
            if len(rest) == 1:
                return []
            if failure.entry is None:
                break
            rest = [entry for entry in rest if entry is not failure.entry]
    return await _attempt(session, entries, clock, isolated=True)


async def _attempt(
    session: Session, entries: Sequence[Entry], clock: Clock, *, isolated: bool
) -> list[tuple[str, str]]:
    now_s = clock.wall_s()
    await session.begin()
    try:
        if isolated:
            txs = [await _run_isolated(session, entry, now_s) for entry in entries]
        else:
            txs = await _run_all(session, entries, now_s)
            await _flush(session, entries, [event for tx in txs for event in tx.events], now_s)
    except BaseException:
        await session.rollback()
        raise
    crashpoint.reach("group_before_commit")
    await session.commit()
    crashpoint.reach("group_after_commit")
    return list(dict.fromkeys(notice for tx in txs for notice in tx.notices))


async def _run_all(session: Session, entries: Sequence[Entry], now_s: float) -> list[GroupTx]:
    """Without savepoints; neighbouring independent units side by side where that saves round trips."""
    txs: list[GroupTx] = []
    for together, run in groupby(entries, lambda entry: entry.independent and session.pipelines):
        if not together:
            for entry in run:
                txs.append(GroupTx(session, now_s))
                await _run_unit(txs[-1], entry)
            continue
        steps = Steps()
        chains = []
        for _, chain in groupby(run, lambda entry: entry.order):
            links = [(GroupTx(steps, now_s), entry) for entry in chain]
            txs += [tx for tx, _ in links]
            chains.append(_run_chain(links))
        try:
            await walk(session, chains)
        except (GroupLost, GroupRetry, _UnitFailed):
            raise
        except StoreError as error:
            for entry in entries:
                entry.error = error
            raise _UnitFailed from error
    return txs


async def _run_chain(links: Sequence[tuple[GroupTx, Entry]]) -> None:
    for tx, entry in links:
        await _run_unit(tx, entry)


async def _run_unit(tx: GroupTx, entry: Entry) -> None:
    entry.result, entry.error = None, None
    try:
        entry.result = await entry.unit(tx)
    except (GroupLost, GroupRetry):
        raise
    except Exception as error:  # whatever a unit raises belongs to its caller, not to its neighbours
        entry.error = error
        raise _UnitFailed(entry) from error


async def _run_isolated(session: Session, entry: Entry, now_s: float) -> GroupTx:
    """One unit under its savepoint, with its events; an error leaves nothing of it."""
    tx = GroupTx(session, now_s)
    await session.savepoint()
    try:
        await _run_unit(tx, entry)
        await _flush(session, [entry], tx.events, now_s)
    except _UnitFailed:
        await session.undo()
        return GroupTx(session, now_s)
    await session.release()
    return tx


async def _flush(session: Session, entries: Sequence[Entry], events: Sequence[Event], now_s: float) -> None:
    """Insert the group's events; when one is refused the replay finds out whose it was."""
    try:
        if events:
            await _insert(session, events, now_s)
    except (GroupLost, GroupRetry):
        raise
    except (StoreError, TypeError, ValueError) as error:
        for entry in entries:
            entry.error = error
        raise _UnitFailed from error


async def _insert(session: Session, events: Sequence[Event], now_s: float) -> None:
    """Number the events under each tenant's row lock, which is held until the commit: no hole, no late number."""
    by_tenant: dict[str, list[Event]] = {}
    for event in events:
        by_tenant.setdefault(event.tenant, []).append(event)
    rows: list[EventRow] = []
    for tenant in sorted(by_tenant):
        mine = by_tenant[tenant]
        [raised] = await session.fetch("store.raise_event_tail", {"tenant": tenant, "count": len(mine), "now_s": now_s})
        first = int(raised["event_tail"]) - len(mine) + 1
        rows += [EventRow(number, event, dump(event.body), now_s) for number, event in enumerate(mine, first)]
    await session.insert_events(rows)


def settle(entries: Iterable[Entry]) -> None:
    """Wake the callers; runs in the event loop, after the commit."""
    for entry in entries:
        if entry.future.done():
            continue
        if entry.error is not None:
            entry.future.set_exception(entry.error)
        else:
            entry.future.set_result(entry.result)
