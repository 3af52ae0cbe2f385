"""Lanes inside one process: reaping, schedules across time, and the shape of what workers get.

The laws and the calls over both stores stand in ``tests/stores``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import StoreSettings
from server import lanes
from server.store.contract import Store, Tx
from server.store.sqlite import SqliteStore
from tests.places import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wall=datetime(2026, 11, 21, 2, 59, tzinfo=UTC).timestamp())


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    opened = SqliteStore(tmp_path / "desk.db", StoreSettings(), clock)
    async with opened.running():
        yield opened


async def test_reaping_frees_only_lanes_of_workers_that_are_gone(store: Store):
    heard: list[str] = []
    store.listen("lane:out", lambda topic, _key: heard.append(topic))

    async def fill(tx: Tx) -> None:
        for key in ("mine", "theirs", "free"):
            await lanes.put(tx, "shop", "out", key, {"key": key})

    await store.write(fill)
    [mine] = await store.write(lambda tx: lanes.take(tx, "out", 1, 60, store.worker_id))
    [theirs] = await store.write(lambda tx: lanes.take(tx, "out", 1, 60, "desk-1-gone"))
    heard.clear()
    assert await lanes.reap(store) == 1
    await asyncio.sleep(0)
    assert heard == ["lane:out"]
    again = await store.write(lambda tx: lanes.take(tx, "out", 10, 60, store.worker_id))
    others = {"mine", "theirs", "free"} - {mine.key}
    assert {lease.key for lease in again} == others
    assert {lease.key: lease.head.lost_leases for lease in again} == {key: int(key == theirs.key) for key in others}
    await store.write(lambda tx: lanes.ack(tx, mine, 1))
    assert await lanes.reap(store) == 0


async def test_a_schedule_follows_its_expression_in_utc(store: Store, clock: FakeClock):
    fired: list[float] = []
    await store.write(lambda tx: lanes.put_schedule(tx, "shop", "nightly", "0 3 * * *", {}))
    for _ in range(48):
        clock.pass_s(3_600)
        if await store.write(lambda tx: lanes.due(tx, tx.now_s)):
            fired.append(clock.wall)
    hours = [datetime.fromtimestamp(at, UTC).hour for at in fired]
    assert hours == [3, 3]


async def test_a_changed_expression_takes_effect_at_once(store: Store, clock: FakeClock):
    await store.write(lambda tx: lanes.put_schedule(tx, "shop", "report", "0 3 1 1 *", {}))
    await store.write(lambda tx: lanes.put_schedule(tx, "shop", "report", "*/5 * * * *", {"short": True}))
    clock.pass_s(360)
    assert await store.write(lambda tx: lanes.due(tx, tx.now_s)) == ["report"]
    [lease] = await store.write(lambda tx: lanes.take(tx, "job", 1, 60, "w"))
    assert (lease.kind, lease.head.body) == ("job", {"short": True})
    assert lease.head is lease.items[0]


async def test_counts_of_an_empty_shop(store: Store, clock: FakeClock):
    assert await lanes.stats(store, clock.wall) == {}
