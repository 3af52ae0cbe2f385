"""Lanes of staff work: done once, given back after a fault, parked in the end."""

from __future__ import annotations

import asyncio

from server import lanes
from server.lanes import Lease
from server.staff_slack.work import LaneWork
from server.store.contract import Store
from tests.places import until
from tests.server.staff import TENANT, open_staff


async def put(store: Store, key: str) -> None:
    await store.write(lambda tx: lanes.put(tx, TENANT, "staff_test", key, {}))


async def test_work_is_done_a_fault_is_given_back_and_another_lane_goes_on(store_url: str) -> None:
    async with open_staff(store_url) as staff:
        done: list[str] = []

        async def work(lease: Lease) -> None:
            done.append(lease.key)
            if lease.key == "bad" and done.count("bad") == 1:
                raise RuntimeError("once")
            await staff.store.write(lambda tx: lanes.ack(tx, lease, lease.tail))

        async with LaneWork(staff.store, TENANT, "staff_test", work).running():
            await put(staff.store, "bad")
            await put(staff.store, "good")
            await until(lambda: done.count("bad") == 2 and "good" in done, 10.0)
        assert done.count("good") == 1


async def test_what_is_begun_is_finished_at_the_end(store_url: str) -> None:
    async with open_staff(store_url) as staff:
        begun, done = asyncio.Event(), []

        async def work(lease: Lease) -> None:
            begun.set()
            await asyncio.sleep(0.1)
            await staff.store.write(lambda tx: lanes.ack(tx, lease, lease.tail))
            done.append(lease.key)

        async with LaneWork(staff.store, TENANT, "staff_test", work).running():
            await put(staff.store, "one")
            await begun.wait()
        assert done == ["one"]
