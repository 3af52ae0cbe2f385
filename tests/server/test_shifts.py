"""Loops that outlive faults, and leases that are given back; worker and sender test them in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from server import lanes, shifts
from server.lanes import Lease
from server.store.contract import Store, StoreUnavailable
from tests.places import Place


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    async with Place(store_url.partition(":")[0], store_url).open() as opened:
        yield opened


async def leased(store: Store) -> Lease:
    await store.write(lambda tx: lanes.put(tx, "default", "out", "c1", {}))
    return await again(store)


async def again(store: Store) -> Lease:
    (lease,) = await store.write(lambda tx: lanes.take(tx, "out", 1, 60.0, store.worker_id))
    return lease


async def test_a_fault_of_one_step_is_logged_and_the_next_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts, "AWAY_PAUSE_S", 0.0)
    faults, done = [RuntimeError("a bug"), StoreUnavailable("away")], asyncio.Event()

    async def step() -> None:
        if faults:
            raise faults.pop(0)
        done.set()

    with capture_logs() as logs:
        task = asyncio.create_task(shifts.repeat("take", step, lambda: asyncio.sleep(0)))
        await asyncio.wait_for(done.wait(), 5)
        await shifts.end([task])
    assert [(entry["event"], entry["loop"]) for entry in logs] == [("step_failed", "take"), ("store_away", "take")]
    assert task.cancelled()


async def test_what_ends_in_time_is_left_alone_and_the_rest_is_given_back(store: Store) -> None:
    lease, quick, slow = await leased(store), asyncio.create_task(asyncio.sleep(0)), asyncio.Event()
    stuck = asyncio.create_task(slow.wait())
    held = {"quick": (lease, quick), "stuck": (lease, stuck)}
    quick.add_done_callback(lambda _: held.pop("quick"))
    await shifts.drain(store, held.values, 0.05)
    assert (quick.cancelled(), stuck.cancelled()) == (False, True)
    assert (await again(store)).head.attempts == 1, "an orderly stop is no try"


async def test_a_lane_is_let_go_as_soon_as_the_database_answers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifts, "AWAY_PAUSE_S", 0.0)
    lease = await leased(store)
    await shifts.let_go(store, lease, 5.0)
    await shifts.let_go(store, await again(store), 5.0)
    newer = await again(store)
    await shifts.let_go(store, lease, 5.0)  # lost long ago: nothing to give back
    await store.write(lambda tx: lanes.beat(tx, newer, 60.0))
