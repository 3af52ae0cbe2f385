"""Schedules and jobs on the store's clock, moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from server import lanes, shifts
from server.jobs import MAX_ERRORS, RETRY_S, Jobs
from server.store.contract import Fenced, Store, StoreUnavailable
from tests.places import Place, until
from tests.server.engine import bench as _queries  # noqa: F401 - loads the statements that tests read with

NIGHTLY = "17 3 * * *"


class Recorder:
    """A job that writes down its runs, and fails as long as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.ran: list[Mapping[str, Any]] = []

    async def __call__(self, body: Mapping[str, Any]) -> None:
        self.ran.append(body)
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with place.open() as opened:
        yield opened


async def put(store: Store, name: str, **body: Any) -> None:
    await store.write(lambda tx: lanes.put(tx, "default", "job", name, body))


async def schedule(store: Store, name: str, cron: str = NIGHTLY) -> None:
    """Set it as a start long ago would have: by the store's clock, which is years behind."""
    await store.write(lambda tx: lanes.put_schedule(tx, "default", name, cron, {}))


async def item(store: Store, name: str) -> Mapping[str, Any] | None:
    return await store.row("bench.items", kind="job", key=name)


async def gone(store: Store, name: str) -> None:
    """Wait until a job that ran is acknowledged, which is a commit of its own."""
    async with asyncio.timeout(5):
        while await item(store, name) is not None:
            await asyncio.sleep(0.005)


async def test_a_schedule_whose_time_has_come_fires_once(store: Store):
    purge = Recorder()
    await schedule(store, "purge")
    jobs = [Jobs(store, "default", {"purge": purge}, {}) for _ in range(2)]
    await asyncio.gather(*[one.step() for one in jobs])
    await jobs[0].step()
    assert purge.ran == [{}], "once however many nights and processes there were"
    (row,) = await store.rows("bench.schedules")
    assert row["last_at"] is not None
    assert row["next_at"] > row["last_at"]


async def test_starting_registers_schedules_and_runs_what_is_due(store: Store):
    purge = Recorder()
    async with Jobs(store, "default", {"purge": purge}, {"purge": NIGHTLY}).running():
        await until(lambda: purge.ran)
        await gone(store, "purge")
    (row,) = await store.rows("bench.schedules")
    assert (row["name"], row["cron"]) == ("purge", NIGHTLY)
    assert await item(store, "purge") is None


async def test_a_wrong_cron_text_stops_the_start(store: Store):
    with pytest.raises(ValueError, match="cron"):
        async with Jobs(store, "default", {}, {"purge": "every night"}).running():
            pass


async def test_a_job_gets_what_was_put_and_is_done_after_it(store: Store):
    send = Recorder()
    await put(store, "send", to="ana")
    await put(store, "send", to="ben")
    await Jobs(store, "default", {"send": send}, {}).step()
    assert send.ran == [{"to": "ana"}, {"to": "ben"}]
    assert await item(store, "send") is None


async def test_an_unknown_job_is_parked_and_does_not_hold_up_others(store: Store):
    known = Recorder()
    await put(store, "gone")
    await put(store, "known")
    await Jobs(store, "default", {"known": known}, {}).step()
    parked = await item(store, "gone")
    assert parked is not None
    assert parked["dead"] == "no such job in this version"
    assert known.ran == [{}]


async def test_a_failing_job_waits_is_tried_again_and_parked_at_last(store: Store, place: Place):
    broken = Recorder(*[RuntimeError("a bug") for _ in range(100)])
    await put(store, "broken")
    jobs = Jobs(store, "default", {"broken": broken}, {})
    for tries in range(1, MAX_ERRORS + 1):
        await jobs.step()
        await jobs.step()
        waiting = await item(store, "broken")
        assert waiting is not None
        assert (len(broken.ran), waiting["errors"], waiting["dead"]) == (tries, tries, None)
        place.clock.pass_s(RETRY_S + 1)
    await jobs.step()
    parked = await item(store, "broken")
    assert parked is not None
    assert (parked["dead"], len(broken.ran)) == ("failed too often", MAX_ERRORS)


async def test_a_job_that_works_the_second_time_is_done(store: Store, place: Place):
    shaky = Recorder(RuntimeError("once"))
    await put(store, "shaky")
    jobs = Jobs(store, "default", {"shaky": shaky}, {})
    await jobs.step()
    place.clock.pass_s(RETRY_S + 1)
    await jobs.step()
    assert len(shaky.ran) == 2
    assert await item(store, "shaky") is None


async def test_a_job_that_lost_its_lease_leaves_the_rest_to_the_other(store: Store):
    fenced = Recorder(Fenced("somebody else has it"))
    await put(store, "fenced")
    await Jobs(store, "default", {"fenced": fenced}, {}).step()
    left = await item(store, "fenced")
    assert left is not None
    assert (left["errors"], left["dead"]) == (0, None)


async def test_a_long_job_keeps_its_lease(store: Store, place: Place):
    beats: list[float] = []

    async def long(_body: Mapping[str, Any]) -> None:
        for _ in range(3):
            before = (await lane(store))["ready_at"]
            place.clock.pass_s(0.05)
            async with asyncio.timeout(5):
                while (await lane(store))["ready_at"] <= before:
                    await asyncio.sleep(0.005)
            beats.append((await lane(store))["ready_at"])

    await put(store, "long")
    await Jobs(store, "default", {"long": long}, {}, lease_s=0.06).step()
    assert beats == sorted(set(beats))
    assert await item(store, "long") is None


class MissesBeats:
    """A store whose database is away for every second beat, and whose last answer is that the lease is lost."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.answers: list[Exception] = [StoreUnavailable("away"), Fenced("lost")]
        self.beats = 0

    async def write(self, unit: Any, *, order: str = "") -> Any:
        if asyncio.current_task() is not self.main:
            self.beats += 1
            raise self.answers.pop(0)
        return await self._inner.write(unit, order=order)

    @property
    def worker_id(self) -> str:
        return self._inner.worker_id

    main: Any = None


async def test_a_missed_beat_is_no_lost_lease_and_a_lost_one_is_not_beaten(store: Store):
    shaky = MissesBeats(store)
    shaky.main = asyncio.current_task()

    async def long(_body: Mapping[str, Any]) -> None:
        await until(lambda: shaky.beats == 2)
        await asyncio.sleep(0.05)

    await put(store, "long")
    await Jobs(shaky, "default", {"long": long}, {}, lease_s=0.03).step()  # type: ignore[arg-type]
    assert shaky.beats == 2


async def lane(store: Store) -> Mapping[str, Any]:
    row = await store.row("bench.lane", kind="job", key="long")
    assert row is not None
    return row


async def test_the_loop_outlives_a_database_that_is_away(place: Place):
    @asynccontextmanager
    async def running() -> AsyncIterator[Jobs]:
        async with place.open() as store:
            yield Jobs(store, "default", {}, {})

    async with running() as jobs:
        pass
    task = asyncio.create_task(shifts.repeat("scheduler", jobs.step, partial(asyncio.sleep, 0.01)))
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


async def test_a_long_job_runs_beside_the_others_and_is_given_back_at_a_stop(store_url: str):
    begun, gate, short = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def long(_body: Mapping[str, Any]) -> None:
        begun.set()
        await gate.wait()

    async def quick(_body: Mapping[str, Any]) -> None:
        short.set()

    async with Place("", store_url).open(real_clock=True) as store:
        made = {"long": long, "quick": quick}
        await store.write(lambda tx: lanes.put(tx, "default", "job", "long", {}))
        async with Jobs(store, "default", made, {}, long={"long"}).running():
            async with asyncio.timeout(10):
                await begun.wait()
                await store.write(lambda tx: lanes.put(tx, "default", "job", "quick", {}))
                await short.wait()
        begun.clear()
        gate.set()
        async with Jobs(store, "default", made, {}, long={"long"}).running(), asyncio.timeout(10):
            await begun.wait()
