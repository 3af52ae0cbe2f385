"""Lanes: one ordered, durable queue per key, worked on by one holder at a time.

``put`` appends, ``take`` leases the oldest ready lanes, ``ack`` finishes what the lease covers in the same unit as what
the work produced. A lease is fenced: once another worker has taken the lane, every call with the old lease raises
Fenced and the unit it is part of is rolled back. Kinds: ``in`` and ``out`` (key = conversation), ``job`` (key = name).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from config.cron import is_cron, next_time
from server.ids import new_id
from server.store.contract import Fenced, Row, Store, Tx, Value
from server.store.text import dump

ITEMS_PER_TAKE = 100  # of one lane; a longer backlog is read on with items_since
SCHEDULES_PER_UNIT = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do; ``attempts`` counts its takes as head, ``lost_leases`` those whose worker died or overran."""

    seq: int
    body: Mapping[str, Any]
    created_at: float
    attempts: int
    errors: int
    lost_leases: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A lane held for a while; ``items`` are its open items from ``first_seq`` on, at most ITEMS_PER_TAKE."""

    lane_id: str
    tenant: str
    kind: str
    key: str
    holder: str
    epoch: int
    first_seq: int
    tail: int
    items: tuple[Item, ...]

    @property
    def head(self) -> Item:
        """The oldest open item."""
        return self.items[0]


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """Lanes of one kind by state, open items, parked items, and the age of the oldest open item in seconds."""

    ready: int = 0
    leased: int = 0
    waiting: int = 0
    items: int = 0
    dead: int = 0
    oldest_s: float = 0.0


class Reads(Protocol):
    """A store or an open transaction: both can read."""

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """All rows of a named query."""


def topic(kind: str) -> str:
    """Where the store announces lanes of this kind that have become ready; the payload is the lane's key."""
    return f"lane:{kind}"


async def put(tx: Tx, tenant: str, kind: str, key: str, body: Mapping[str, Any]) -> int:
    """Append an item and return its number in the lane (1, 2, 3, … without holes); makes the lane on first use."""
    row = await tx.row("lanes.put", id=new_id(), tenant=tenant, kind=kind, key=key, body=dump(body), now_s=tx.now_s)
    assert row is not None
    tx.notify(topic(kind), key)
    return int(row["seq"])


async def take(tx: Tx, kind: str, limit: int, lease_s: float, holder: str, *, tenant: str | None = None) -> list[Lease]:
    """Lease up to ``limit`` ready lanes for ``lease_s`` seconds, those with the oldest head first.

    ``tenant`` None takes those of every tenant. A lane whose lease ran out is taken again; that counts as a lost lease
    of its head.
    """
    rows = await tx.rows("lanes.take", kind=kind, limit=limit, lease_s=lease_s, holder=holder, tenant=tenant)
    if not rows:
        return []
    taken = json.dumps([{"id": row["id"], "done": row["done"], "lost": row["lost"]} for row in rows])
    items: dict[str, list[Item]] = {row["id"]: [] for row in rows}
    for row in await tx.rows("lanes.open_items", lanes=taken, items=ITEMS_PER_TAKE):
        items[row["lane_id"]].append(_item(row))
    return [
        Lease(
            row["id"], row["tenant"], kind, row["key"], holder, row["lease_epoch"], row["done"] + 1, row["tail"],
            tuple(items[row["id"]]),
        )
        for row in sorted(rows, key=lambda row: (row["priority_at"], row["id"]))
    ]  # fmt: skip


async def items_since(source: Reads, lane_id: str, after_seq: int, limit: int = ITEMS_PER_TAKE) -> list[Item]:
    """Items of a lane after a number, oldest first: what joined the lane while a lease was worked on."""
    rows = await source.rows("lanes.items_since", lane_id=lane_id, after_seq=after_seq, limit=limit)
    return [_item(row) for row in rows]


async def ack(tx: Tx, lease: Lease, upto_seq: int, *, saw_tail: int | None = None) -> None:
    """Finish the items up to ``upto_seq``, delete them, and free the lane.

    Raises Fenced when the lease was lost, the items are finished already, or (with ``saw_tail``) newer items came.
    """
    row = await tx.row("lanes.ack", first_seq=lease.first_seq, upto_seq=upto_seq, saw_tail=saw_tail, **_fence(lease))
    if row is None:
        raise Fenced(f"lane {lease.lane_id}: the lease {lease.epoch} no longer covers item {upto_seq}; drop the work")
    if row["tail"] > upto_seq:
        tx.notify(topic(lease.kind), lease.key)


async def beat(tx: Tx, lease: Lease, lease_s: float) -> None:
    """Hold the lane for another ``lease_s`` seconds from now; raises Fenced."""
    if not await tx.run("lanes.beat", lease_s=lease_s, **_fence(lease)):
        raise _fenced(lease)


async def nack(tx: Tx, lease: Lease, delay_s: float, *, error: bool) -> None:
    """Give the lane back for ``delay_s`` seconds; the head's try counts as an error, or not at all. Raises Fenced."""
    await _give_back(tx, lease, delay_s, errors=int(error), untried=int(not error))


async def release(tx: Tx, lease: Lease) -> None:
    """Give the lane back at once without counting the try: an orderly stop. Raises Fenced."""
    await _give_back(tx, lease, 0.0, errors=0, untried=1)


async def park(tx: Tx, lease: Lease, reason: str, upto_seq: int) -> None:
    """Give items up for good, keep them with their reason, and let the lane go on behind them; raises Fenced."""
    await tx.run("lanes.mark_dead", lane_id=lease.lane_id, first_seq=lease.first_seq, upto_seq=upto_seq, reason=reason)
    await ack(tx, lease, upto_seq)


async def reap(store: Store) -> int:
    """Free the lanes of workers that are surely gone; returns how many. Call it about once a second."""
    holders = [str(row["holder"]) for row in await store.rows("lanes.holders")]
    dead = await store.dead_holders([holder for holder in holders if holder != store.worker_id])
    if not dead:
        return 0

    async def free(tx: Tx) -> int:
        freed = 0
        for holder in dead:
            rows = await tx.rows("lanes.free_holder", holder=holder)
            for kind in {str(row["kind"]) for row in rows}:
                tx.notify(topic(kind))
            freed += len(rows)
        return freed

    return await store.write(free)


async def put_schedule(
    tx: Tx, tenant: str, name: str, cron: str, body: Mapping[str, Any], *, enabled: bool = True
) -> None:
    """Set a recurring job of lane ``name``; ``cron`` is in UTC. Raises ValueError on a cron text that says nothing."""
    if not is_cron(cron):
        raise ValueError(f"{cron!r} is not a cron expression; write five fields such as '0 3 * * *' (03:00 UTC)")
    await tx.run(
        "lanes.put_schedule", tenant=tenant, name=name, cron=cron, body=dump(body), enabled=int(enabled),
        next_at=next_time(cron, tx.now_s),
    )  # fmt: skip


async def due(tx: Tx, now_s: float) -> list[str]:
    """Put the job of every schedule whose time has come, once however many times were missed; returns their names."""
    fired = []
    for row in await tx.rows("lanes.due", now_s=now_s, limit=SCHEDULES_PER_UNIT):
        await put(tx, row["tenant"], "job", row["name"], json.loads(row["body"]))
        await tx.run(
            "lanes.fired", tenant=row["tenant"], name=row["name"], now_s=now_s, next_at=next_time(row["cron"], now_s)
        )
        fired.append(str(row["name"]))
    return fired


async def stats(source: Reads, now_s: float) -> dict[str, LaneCounts]:
    """Counts per kind for metrics; ``now_s`` is the wall clock."""
    dead = {str(row["kind"]): int(row["dead"]) for row in await source.rows("lanes.dead_counts")}
    counts = {kind: LaneCounts(dead=number) for kind, number in dead.items()}
    for row in await source.rows("lanes.counts"):
        kind = str(row["kind"])
        counts[kind] = LaneCounts(
            int(row["ready"]), int(row["leased"]), int(row["waiting"]), int(row["items"]), dead.get(kind, 0),
            max(0.0, now_s - row["oldest_at"]),
        )  # fmt: skip
    return counts


def _item(row: Row) -> Item:
    return Item(
        row["seq"], json.loads(row["body"]), row["created_at"], row["attempts"], row["errors"], row["lost_leases"]
    )


def _fence(lease: Lease) -> dict[str, Value]:
    return {"lane_id": lease.lane_id, "epoch": lease.epoch, "holder": lease.holder}


def _fenced(lease: Lease) -> Fenced:
    return Fenced(f"lane {lease.lane_id}: lease {lease.epoch} was lost to another worker; drop the work")


async def _give_back(tx: Tx, lease: Lease, delay_s: float, *, errors: int, untried: int) -> None:
    row = await tx.row("lanes.give_back", delay_s=delay_s, errors=errors, untried=untried, **_fence(lease))
    if row is None:
        raise _fenced(lease)
    if delay_s <= 0:
        tx.notify(topic(lease.kind), lease.key)
