"""What every store promises, run over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from server import lanes
from server.store.contract import Conflict, Event, Fenced, Store, StoreError, StoreUnavailable, Tx
from tests.places import Place, until

CHILD = """
import asyncio, sys
from config.settings import StoreSettings
from server import lanes
from server.store.open import open_store

async def main():
    store = open_store(sys.argv[1], StoreSettings())
    async with store.running():
        [lease] = await store.write(lambda tx: lanes.take(tx, "in", 1, 600, store.worker_id))
        print(lease.key, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def add(name: str, value: str = "x") -> Callable[[Tx], Awaitable[str]]:
    """A unit that stores one uniquely named row and an event about it."""

    async def unit(tx: Tx) -> str:
        await tx.run("probe.add", name=name, value=value)
        tx.emit(Event("shop", "added", {"name": name}))
        tx.notify("added", name)
        return name

    return unit


async def names(store: Store) -> list[str]:
    return [row["name"] for row in await store.rows("probe.all")]


async def numbers(store: Store, after: int = 0) -> list[int]:
    return [row["number"] for row in await store.rows("store.events_since", tenant="shop", after=after, limit=10_000)]


async def test_a_write_is_read_back_by_every_store_of_the_database(place: Place, store: Store):
    assert await store.write(add("a")) == "a"
    async with place.open() as other:
        assert await names(other) == ["a"]
    assert await store.row("store.event_tail", tenant="shop") == {"event_tail": 1}
    assert await store.row("store.event_tail", tenant="nobody") is None
    await store.ping()


async def test_bad_units_spare_their_neighbours(store: Store):
    await store.write(add("taken"))
    runs: list[int] = []

    def good(number: int) -> Callable[[Tx], Awaitable[str]]:
        async def unit(tx: Tx) -> str:
            runs.append(number)
            return await add(f"good{number}", "NUL \0 half \ud83d pair \ud83d\ude00 ü")(tx)

        return unit

    async def fenced(tx: Tx) -> None:
        await add("ghost1")(tx)
        raise Fenced("lost")

    async def broken(tx: Tx) -> None:
        await add("ghost2")(tx)
        raise KeyError("bug")

    async def wrong(tx: Tx) -> None:
        await add("ghost3")(tx)
        await tx.run("probe.add", name="ghost5", value=None)

    async def double_event(tx: Tx) -> None:
        await add("ghost4")(tx)
        for _ in range(2):
            tx.emit(Event("shop", "twice", {}, "conversation", 1))

    units = [good(1), good(2), fenced, add("taken"), broken, good(3), wrong, good(4), double_event, good(5)]
    results = await asyncio.gather(*[store.write(unit) for unit in units], return_exceptions=True)
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["str", "str", "Fenced", "Conflict", "KeyError", "str", "StoreError", "str", "Conflict", "str"]
    assert len(runs) > 5  # the group was replayed
    assert await names(store) == ["good1", "good2", "good3", "good4", "good5", "taken"]
    assert await numbers(store) == [1, 2, 3, 4, 5, 6]
    row = await store.row("probe.one", name="good1")
    assert row == {"value": "NUL \ufffd half \ufffd pair \U0001f600 ü"}


async def test_a_lone_bad_unit_leaves_nothing(store: Store):
    await store.write(add("taken"))
    with pytest.raises(Conflict):
        await store.write(add("taken"))
    with pytest.raises(StoreError, match=r"no query 'probe\.nothing'"):
        await store.write(lambda tx: tx.run("probe.nothing"))
    with pytest.raises(StoreError, match=r"pass \['value'\], do not pass \['worth'\]"):
        await store.write(lambda tx: tx.run("probe.add", name="x", worth="y"))
    with pytest.raises(StoreError):
        await store.rows("probe.nothing")
    assert await numbers(store) == [1]


async def test_units_of_a_group_run_sorted_by_their_order(store: Store):
    await store.write(add("warm"))
    ran: list[str] = []

    def unit(order: str) -> Callable[[Tx], Awaitable[None]]:
        async def body(tx: Tx) -> None:
            ran.append(order)
            if order == "first":
                time.sleep(0.05)  # meanwhile the others gather
            await tx.rows("probe.all")

        return body

    first = asyncio.ensure_future(store.write(unit("first")))
    await until(lambda: ran)
    orders = ["c", "a", "b", "a"]
    await asyncio.gather(first, *[store.write(unit(order), order=order) for order in orders])
    assert ran == ["first", "a", "a", "b", "c"]


async def test_a_cancelled_caller_s_unit_is_skipped_while_it_waits(store: Store):
    started = []

    async def slow(tx: Tx) -> None:
        started.append(1)
        time.sleep(0.05)
        await add("slow")(tx)

    tasks = [asyncio.ensure_future(store.write(slow)) for _ in range(1)]
    await asyncio.sleep(0)
    await until(lambda: started)
    waiting = asyncio.ensure_future(store.write(add("never")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(*tasks)
    await store.write(add("after"))
    assert await names(store) == ["after", "slow"]


async def test_events_are_numbered_in_commit_order_and_a_resuming_reader_misses_none(place: Place):
    """Two processes' worth of writers; a reader that asks only for what is behind its last number sees all."""
    async with place.open() as one, place.open() as two, place.open() as reader:
        seen: list[int] = []
        done = asyncio.Event()

        async def read() -> None:
            while True:
                last = done.is_set()
                seen.extend(await numbers(reader, seen[-1] if seen else 0))
                if last:
                    return

        reading = asyncio.create_task(read())

        async def writer(store: Store, label: str) -> None:
            for number in range(40):
                await store.write(add(f"{label}{number}"), order=label)

        await asyncio.gather(
            *[writer(store, f"{store.worker_id}/{task}/") for store in (one, two) for task in range(4)]
        )
        done.set()
        await reading
        assert seen == list(range(1, 321))
        assert len(await names(reader)) == 320


async def test_notifications_reach_listeners_of_every_process_after_the_commit(place: Place):
    async with place.open() as one, place.open() as two:
        heard_one: list[str] = []
        heard_two: list[tuple[str, list[str]]] = []
        one.listen("added", lambda _topic, payload: heard_one.append(payload))
        leave = two.listen("added", lambda _topic, payload: heard_two.append((payload, [])))
        one.listen("other", lambda _topic, payload: heard_one.append(payload))
        await one.write(add("a"))
        await until(lambda: heard_two)
        assert heard_one == ["a"]
        await two.publish("added", "draft ü")
        await until(lambda: len(heard_one) == 2)
        assert heard_one == ["a", "draft ü"]
        leave()
        leave()
        await one.write(add("b"))
        await until(lambda: len(heard_one) == 3)
        assert [payload for payload, _ in heard_two] == ["a", "draft ü"]
        with pytest.raises(ValueError, match="7000 bytes"):
            await one.publish("added", "ü" * 3_501)


async def test_equal_notifications_of_a_group_are_sent_once_and_those_of_a_failed_unit_never(store: Store):
    heard: list[str] = []
    store.listen("t", lambda _topic, payload: heard.append(payload))

    async def noisy(tx: Tx) -> None:
        for payload in ("x", "x", "y"):
            tx.notify("t", payload)

    async def failing(tx: Tx) -> None:
        tx.notify("t", "never")
        raise Fenced("lost")

    with pytest.raises(Fenced):
        await store.write(failing)
    await store.write(noisy)
    await asyncio.sleep(0)
    assert heard == ["x", "y"]


async def test_a_killed_worker_is_seen_gone_and_its_lanes_are_taken_over(place: Place):
    async with place.open(real_clock=True) as store:
        await store.write(lambda tx: lanes.put(tx, "shop", "in", "c1", {}))
        child = subprocess.Popen([sys.executable, "-c", CHILD, place.url], stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout
            assert await asyncio.to_thread(child.stdout.readline) == "c1\n"
            assert await lanes.reap(store) == 0
            await _past_the_restart_grace(place)
            assert await lanes.reap(store) == 0
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        killed = time.monotonic()
        while not await lanes.reap(store):
            await asyncio.sleep(0.05)
            assert time.monotonic() - killed < 1.5
        [lease] = await store.write(lambda tx: lanes.take(tx, "in", 1, 10, store.worker_id))
        assert (lease.head.attempts, lease.head.lost_leases) == (2, 1)
        assert list(await store.dead_holders([store.worker_id])) == []


async def _past_the_restart_grace(place: Place) -> None:
    if place.dialect == "postgresql":
        await asyncio.sleep(3)


async def test_an_orderly_stop_finishes_what_was_asked_and_ends_the_presence(place: Place):
    async with place.open() as watcher:
        async with place.open() as store:
            writes = [asyncio.ensure_future(store.write(add(f"n{number}"))) for number in range(50)]
            await asyncio.sleep(0)
        assert len(await asyncio.gather(*writes)) == 50
        assert len(await names(watcher)) == 50
        with pytest.raises(StoreUnavailable):
            await store.write(add("late"))
        with pytest.raises(StoreUnavailable):
            await store.rows("probe.all")


async def test_two_processes_migrate_at_once(place: Place):
    async def start() -> None:
        async with place.open() as store:
            await store.ping()

    await asyncio.gather(*[start() for _ in range(3)])


async def test_a_unit_never_sees_half_of_another(place: Place):
    async with place.open() as one, place.open() as two:

        async def pair(tx: Tx) -> list[int]:
            return [await lanes.put(tx, "shop", "in", "c1", {}), await lanes.put(tx, "shop", "in", "c1", {})]

        results = await asyncio.gather(*[store.write(pair, order="c1") for store in (one, two) for _ in range(30)])
        assert sorted(results) == [[number, number + 1] for number in range(1, 120, 2)]
