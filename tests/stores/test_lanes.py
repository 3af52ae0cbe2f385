"""Lanes over both stores: order, leases, fencing, retries."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from server import lanes
from server.lanes import Lease
from server.store.contract import Fenced, Store, Tx
from tests.places import Place

LEASE_S = 10.0


async def put(store: Store, key: str, *numbers: int, kind: str = "in") -> list[int]:
    async def unit(tx: Tx) -> list[int]:
        return [await lanes.put(tx, "shop", kind, key, {"n": number}) for number in numbers]

    return await store.write(unit)


async def take(store: Store, limit: int = 10, holder: str = "w1", kind: str = "in") -> list[Lease]:
    return await store.write(lambda tx: lanes.take(tx, kind, limit, LEASE_S, holder))


async def take_one(store: Store, holder: str = "w1") -> Lease:
    [lease] = await take(store, 1, holder)
    return lease


async def test_items_are_numbered_without_holes_and_come_back_in_order(store: Store):
    assert await put(store, "c1", 1, 2) == [1, 2]
    assert await put(store, "c1", 3) == [3]
    lease = await take_one(store)
    assert (lease.tenant, lease.kind, lease.key, lease.first_seq, lease.tail, lease.epoch) == (
        "shop",
        "in",
        "c1",
        1,
        3,
        1,
    )
    assert [(item.seq, item.body, item.attempts) for item in lease.items] == [
        (1, {"n": 1}, 1),
        (2, {"n": 2}, 0),
        (3, {"n": 3}, 0),
    ]
    await store.write(lambda tx: lanes.ack(tx, lease, 2))
    lease = await take_one(store)
    assert lease.first_seq == 3
    assert lease.head.body == {"n": 3}
    await store.write(lambda tx: lanes.ack(tx, lease, 3))
    assert await take(store) == []


async def test_the_lane_with_the_oldest_head_is_taken_first(place: Place, store: Store):
    for key in ("c3", "c1", "c2"):
        await put(store, key, 1)
        place.clock.pass_s(1)
    await put(store, "c3", 2)
    assert [lease.key for lease in await take(store, 2)] == ["c3", "c1"]


async def test_after_an_ack_a_lane_waits_behind_older_heads(place: Place, store: Store):
    await put(store, "a", 1)
    place.clock.pass_s(1)
    await put(store, "b", 1)
    place.clock.pass_s(1)
    await put(store, "a", 2)
    lease = await take_one(store)
    await store.write(lambda tx: lanes.ack(tx, lease, 1))
    assert [lease.key for lease in await take(store)] == ["b", "a"]


async def test_two_workers_never_hold_the_same_lane(store: Store):
    for number in range(20):
        await put(store, f"c{number}", 1)
    taken = await asyncio.gather(*[take(store, 3, f"w{worker}") for worker in range(7)])
    keys = [lease.key for leases in taken for lease in leases]
    assert len(keys) == len(set(keys))
    rest = [lease.key for lease in await take(store, 20)]
    assert sorted(keys + rest) == sorted(f"c{number}" for number in range(20))


async def test_an_expired_lease_is_taken_again_and_counted_as_lost(place: Place, store: Store):
    await put(store, "c1", 1)
    first = await take_one(store, "w1")
    place.clock.pass_s(LEASE_S - 0.1)
    assert await take(store, holder="w2") == []
    place.clock.pass_s(0.1)
    second = await take_one(store, "w2")
    assert second.epoch == first.epoch + 1
    assert (second.head.attempts, second.head.lost_leases, second.head.errors) == (2, 1, 0)
    for call in (
        lambda tx: lanes.ack(tx, first, 1),
        lambda tx: lanes.beat(tx, first, LEASE_S),
        lambda tx: lanes.nack(tx, first, 1, error=True),
        lambda tx: lanes.release(tx, first),
        lambda tx: lanes.park(tx, first, "bad", 1),
    ):
        with pytest.raises(Fenced):
            await store.write(call)
    await store.write(lambda tx: lanes.ack(tx, second, 1))


async def test_an_expired_lease_nobody_took_is_still_good(place: Place, store: Store):
    await put(store, "c1", 1)
    lease = await take_one(store)
    place.clock.pass_s(LEASE_S * 3)
    await store.write(lambda tx: lanes.ack(tx, lease, 1))


async def test_a_beat_extends_the_lease(place: Place, store: Store):
    await put(store, "c1", 1)
    lease = await take_one(store)
    place.clock.pass_s(LEASE_S - 1)
    await store.write(lambda tx: lanes.beat(tx, lease, LEASE_S))
    place.clock.pass_s(LEASE_S - 1)
    assert await take(store) == []


async def test_a_second_ack_is_fenced(store: Store):
    await put(store, "c1", 1, 2)
    lease = await take_one(store)
    await store.write(lambda tx: lanes.ack(tx, lease, 1))
    with pytest.raises(Fenced):
        await store.write(lambda tx: lanes.ack(tx, lease, 2))
    with pytest.raises(Fenced):
        await store.write(lambda tx: lanes.nack(tx, lease, 1, error=True))
    assert (await take_one(store)).first_seq == 2


async def test_an_ack_beyond_the_tail_or_of_a_tail_it_did_not_see_is_fenced(store: Store):
    await put(store, "c1", 1)
    lease = await take_one(store)
    with pytest.raises(Fenced):
        await store.write(lambda tx: lanes.ack(tx, lease, 2))
    await put(store, "c1", 2)
    with pytest.raises(Fenced):
        await store.write(lambda tx: lanes.ack(tx, lease, 1, saw_tail=1))
    assert [item.seq for item in await lanes.items_since(store, lease.lane_id, 1)] == [2]
    await store.write(lambda tx: lanes.ack(tx, lease, 2, saw_tail=2))
    assert await take(store) == []


async def test_a_fenced_ack_takes_everything_of_its_unit_back(place: Place, store: Store):
    await put(store, "c1", 1)
    lost = await take_one(store)
    place.clock.pass_s(LEASE_S)
    held = await take_one(store, "w2")

    async def answer(tx: Tx) -> None:
        await lanes.put(tx, "shop", "out", "c1", {"text": "from the loser"})
        await lanes.ack(tx, lost, 1)

    with pytest.raises(Fenced):
        await store.write(answer)
    assert await take(store, kind="out") == []
    await store.write(lambda tx: lanes.ack(tx, held, 1))


async def test_nack_waits_and_counts_errors_only(place: Place, store: Store):
    await put(store, "c1", 1)
    lease = await take_one(store)
    await store.write(lambda tx: lanes.nack(tx, lease, 5, error=True))
    assert await take(store) == []
    place.clock.pass_s(5)
    lease = await take_one(store)
    assert (lease.head.attempts, lease.head.errors, lease.head.lost_leases) == (2, 1, 0)
    await store.write(lambda tx: lanes.nack(tx, lease, 5, error=False))
    place.clock.pass_s(5)
    lease = await take_one(store)
    assert (lease.head.attempts, lease.head.errors, lease.head.lost_leases) == (2, 1, 0)
    await put(store, "c1", 2)
    await store.write(lambda tx: lanes.release(tx, lease))
    lease = await take_one(store)
    assert (lease.head.attempts, lease.tail) == (2, 2)


async def test_a_put_does_not_shorten_a_back_off(store: Store):
    await put(store, "c1", 1)
    lease = await take_one(store)
    await store.write(lambda tx: lanes.nack(tx, lease, 5, error=True))
    await put(store, "c1", 2)
    assert await take(store) == []


async def test_parked_items_stay_with_their_reason_and_the_lane_goes_on(store: Store):
    await put(store, "c1", 1, 2, 3)
    lease = await take_one(store)
    await store.write(lambda tx: lanes.park(tx, lease, "the platform refuses it", 2))
    lease = await take_one(store)
    assert lease.first_seq == 3
    await store.write(lambda tx: lanes.ack(tx, lease, 3))
    counts = await lanes.stats(store, 0)
    assert counts["in"].dead == 2
    assert counts["in"].ready == 0
    assert [item.seq for item in await lanes.items_since(store, lease.lane_id, 0)] == [1, 2]


async def test_a_long_backlog_comes_in_pieces(store: Store):
    await put(store, "c1", *range(250))
    lease = await take_one(store)
    assert len(lease.items) == lanes.ITEMS_PER_TAKE
    assert lease.tail == 250
    more = await lanes.items_since(store, lease.lane_id, lease.items[-1].seq, 200)
    assert [item.seq for item in more] == list(range(101, 251))


async def test_lanes_announce_themselves_when_they_become_ready(store: Store):
    heard: list[tuple[str, str]] = []
    store.listen(lanes.topic("in"), lambda topic, payload: heard.append((topic, payload)))
    await put(store, "c1", 1, 2)
    await asyncio.sleep(0)
    assert heard == [("lane:in", "c1")]
    lease = await take_one(store)
    await store.write(lambda tx: lanes.ack(tx, lease, 1))
    await asyncio.sleep(0)
    assert heard == [("lane:in", "c1")] * 2


async def test_counts_tell_ready_leased_and_waiting_apart(place: Place, store: Store):
    for key in ("a", "b", "c"):
        await put(store, key, 1, 2)
    first, _second = await take(store, 2)
    await store.write(lambda tx: lanes.nack(tx, first, 60, error=True))
    place.clock.pass_s(5)
    counts = (await lanes.stats(store, place.clock.wall))["in"]
    assert (counts.ready, counts.leased, counts.waiting, counts.items, counts.dead) == (1, 1, 1, 6, 0)
    assert counts.oldest_s == pytest.approx(5)


async def test_a_schedule_fires_once_for_all_missed_times(place: Place, store: Store):
    await store.write(lambda tx: lanes.put_schedule(tx, "shop", "nightly", "0 3 * * *", {"full": True}))
    assert await store.write(lambda tx: lanes.due(tx, tx.now_s)) == []
    place.clock.pass_s(3 * 86_400)
    await store.write(lambda tx: lanes.put_schedule(tx, "shop", "nightly", "0 3 * * *", {"full": True}))
    results = await asyncio.gather(*[store.write(lambda tx: lanes.due(tx, tx.now_s)) for _ in range(3)])
    assert sorted(results) == [[], [], ["nightly"]]
    [lease] = await take(store, kind="job")
    assert (lease.key, [item.body for item in lease.items]) == ("nightly", [{"full": True}])


async def test_a_schedule_that_is_off_or_nonsense(place: Place, store: Store):
    await store.write(lambda tx: lanes.put_schedule(tx, "shop", "weekly", "@weekly", {}, enabled=False))
    place.clock.pass_s(30 * 86_400)
    assert await store.write(lambda tx: lanes.due(tx, tx.now_s)) == []
    with pytest.raises(ValueError, match="five fields"):
        await store.write(lambda tx: lanes.put_schedule(tx, "shop", "x", "every now and then", {}))


async def test_a_lease_never_lacks_an_item_its_tail_counts(place: Place):
    """Puts and takes of two processes meet on the same lanes; every lease must hold all items up to its tail."""
    async with place.open() as one, place.open() as two:
        answered: list[tuple[str, int]] = []
        done = asyncio.Event()

        async def customer(store: Store, number: int) -> None:
            for _ in range(30):
                await put(store, f"c{number % 3}", number)

        async def worker(store: Store) -> None:
            while True:
                last = done.is_set()
                leases = await take(store, holder=store.worker_id)
                for lease in leases:
                    assert [item.seq for item in lease.items] == list(range(lease.first_seq, lease.tail + 1))
                    assert lease.head.attempts == 1
                    await store.write(partial(lanes.ack, lease=lease, upto_seq=lease.tail))
                    answered.extend((lease.key, item.seq) for item in lease.items)
                if last and not leases:
                    return

        workers = asyncio.gather(*[worker(store) for store in (one, two, one, two)])
        await asyncio.gather(*[customer(store, number) for number in range(4) for store in (one, two)])
        done.set()
        await workers
        assert len(answered) == len(set(answered)) == 8 * 30
