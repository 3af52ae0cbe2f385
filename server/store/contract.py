"""What every store offers: grouped units of work, reads, and messages between processes.

    StoreError
    ├── Fenced            the lease or the owner changed hands; the unit was rolled back, drop the work
    ├── Conflict          a uniqueness rule refused the unit; it was rolled back
    └── StoreUnavailable  the database is away or full; answer 503, repeating is safe

A *unit* is an async function over :class:`Tx`. It may run more than once (a grouped commit that fails is replayed unit
by unit under savepoints), so it must have no effect outside its ``tx`` and must await nothing but the ``tx``. It must
not catch a StoreError of its own statements and go on (PostgreSQL has given up the transaction by then): write
``on conflict do nothing returning …`` and look at the row instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = Mapping[str, Any]
Value = str | int | float | None


class StoreError(Exception):
    """Root of everything a store raises on purpose."""


class Fenced(StoreError):
    """The lease or the owner changed hands meanwhile; drop the work, somebody else has it."""


class Conflict(StoreError):
    """A uniqueness rule refused the unit."""


class StoreUnavailable(StoreError):
    """The database cannot be reached or cannot write; try again later.

    Nothing was stored, except when a PostgreSQL connection broke during the commit itself: then nobody knows, and
    repeating is safe because inbound messages are deduplicated and leases fenced.
    """


@dataclass(frozen=True, slots=True)
class Event:
    """One committed fact; ``number`` is added by the store in commit order per tenant.

    ``seq`` is the conversation's own sequence (the caller raised ``conversation.seq`` under its row lock);
    ``audience`` is ``customer`` (also shown to staff) or ``staff``; ``body`` is JSON-serializable.
    """

    tenant: str
    kind: str
    body: Mapping[str, Any]
    conversation_id: str | None = None
    seq: int | None = None
    audience: str = "staff"


class Tx(Protocol):
    """One unit's view of the open transaction; queries are named ``file.query`` as in ``queries/*.sql``."""

    @property
    def now_s(self) -> float:
        """Wall clock of this grouped commit, epoch seconds."""

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """All rows of a named query."""

    async def row(self, query: str, /, **values: Value) -> Row | None:
        """The first row of a named query, or None."""

    async def run(self, query: str, /, **values: Value) -> int:
        """Number of rows a named statement changed."""

    def emit(self, event: Event) -> None:
        """Append an event; numbered under the tenant's lock at the end of the group, dropped with the unit."""

    def notify(self, topic: str, payload: str = "") -> None:
        """Tell listeners of ``topic`` (every process) after the commit; equal pairs of one group are sent once."""


Unit = Callable[[Tx], Awaitable[T]]
Listener = Callable[[str, str], None]  # (topic, payload), called in the event loop; must not block

GroupListener = Callable[[int, float, str], None]  # units, seconds, committed | failed; may run in another thread


def ignore_group(_units: int, _seconds: float, _result: str) -> None:
    """The listener of a store that nobody watches."""


class Store(Protocol):
    """A database with grouped commits; open with ``async with store.running():``."""

    dialect: str  # "sqlite" | "postgresql"
    on_group: GroupListener  # told of each grouped commit, for metrics

    def running(self) -> AbstractAsyncContextManager[None]:
        """Connect, migrate under a lock, start the committer; on exit drain and close."""

    async def write(self, unit: Unit[T], *, order: str = "", independent: bool = False) -> T:
        """Run a unit in the next grouped commit and return its result once that commit is on disk.

        Units of one group run sorted by ``order`` (the conversation id; stable), which keeps lock order equal in all
        processes. ``independent`` says that the unit reads and changes only rows that belong to its ``order`` (rows
        it inserts and single statements such as ``set n = n + 1`` are free): PostgreSQL then sends equal statements of
        such units together, one round trip for all. Units of equal ``order`` still run one after the other.
        Raises what the unit raised, Fenced, Conflict or StoreUnavailable; neighbours are not affected.
        """

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """Read outside any unit; sees every commit that ended before the call."""

    async def row(self, query: str, /, **values: Value) -> Row | None:
        """The first row of :meth:`rows`, or None."""

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` for each notification of ``topic``, from this process too; returns the unsubscriber.

        After a lost connection the listener is called once with an empty payload: re-read what you need.
        """

    async def publish(self, topic: str, payload: str) -> None:
        """Send a notification outside any transaction (drafts); at most 7,000 bytes of UTF-8, best effort."""

    async def clock_s(self) -> float:
        """The lease clock, seconds: the database's own on PostgreSQL, the host's monotonic one on SQLite."""

    async def dead_holders(self, holders: Sequence[str]) -> Sequence[str]:
        """Which of these worker ids belong to processes that are surely gone."""

    async def ping(self) -> None:
        """Prove that the database answers and accepts writes; raises StoreUnavailable."""

    @property
    def worker_id(self) -> str:
        """This process's id in ``lane.holder``; its presence ends with the process, also by kill -9."""

    async def backup(self, target: Path) -> None:
        """Write a consistent copy to ``target`` while serving (SQLite file; PostgreSQL: pg_dump custom format)."""
