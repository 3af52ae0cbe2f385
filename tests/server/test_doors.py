"""Counts of deliveries: kept in memory, put together in the store, and never lost to a store that is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.doors import DAY_S, KEPT_DAYS, LATEST, REASONS, Call, Count, Doors
from server.store.contract import StoreUnavailable
from tests.server.desk import TENANT, Desk


class Clock:
    """Epoch seconds that move only when told."""

    def __init__(self) -> None:
        self.now_s = 20_000 * DAY_S

    def __call__(self) -> float:
        return self.now_s


async def test_counts_of_two_processes_are_put_together(both_desk: Desk):
    clock = Clock()
    one, other = (Doors(both_desk.store, TENANT, clock) for _ in range(2))
    for doors in (one, other):
        doors.note("telegram", "default", 200)
        doors.note("telegram", "default", 403, "the secret token is wrong")
    clock.now_s += 1.0
    one.note("telegram", "default", 403, "the secret token is wrong")
    await other.flush()
    counts = await one.counts()
    assert counts["telegram", "default"] == [
        Count(200, "", 2, clock.now_s - 1.0),
        Count(403, "the secret token is wrong", 3, clock.now_s),
    ]
    assert [call.status for call in one.latest("telegram", "default")] == [403, 403, 200]
    assert one.latest("slack", "default") == []
    clock.now_s += 7 * DAY_S
    assert await one.counts() == {}


async def test_old_days_are_forgotten_and_memory_is_bounded(both_desk: Desk):
    clock = Clock()
    doors = Doors(both_desk.store, TENANT, clock)
    for number in range(REASONS + LATEST):
        doors.note("slack", "default", 401, f"reason {number} " + "x" * 500)
    latest = doors.latest("slack", "default")
    assert len(latest) == LATEST
    assert isinstance(latest[0], Call)
    found = (await doors.counts())["slack", "default"]
    assert len(found) == REASONS
    assert max(len(count.reason) for count in found) == 200
    clock.now_s += (KEPT_DAYS + 1) * DAY_S
    doors.note("slack", "default", 200)
    await doors.flush()
    rows = await both_desk.store.rows("doors.since", tenant=TENANT, day=0)
    assert [(row["status"], int(row["deliveries"])) for row in rows] == [(200, 1)]


async def test_what_could_not_be_written_is_counted_later(desk: Desk, tmp_path: Path):
    _ = tmp_path

    class Away:
        """A store that is away at first."""

        def __init__(self) -> None:
            self.away = True

        async def write(self, unit: object, *, order: str = "") -> object:
            if self.away:
                raise StoreUnavailable("away")
            return await desk.store.write(unit, order=order)  # type: ignore[arg-type]

    store = Away()
    doors = Doors(store, TENANT, Clock())  # type: ignore[arg-type]
    doors.note("slack", "default", 200)
    with pytest.raises(StoreUnavailable):
        await doors.flush()
    doors.note("slack", "default", 200)
    store.away = False
    await doors.flush()
    (row,) = await desk.store.rows("doors.since", tenant=TENANT, day=0)
    assert int(row["deliveries"]) == 2
