"""The laws of lanes under random concurrent work: no loss, no hole, no overlap, order, fencing, neighbours spared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.settings import StoreSettings
from server import lanes
from server.lanes import Lease
from server.store.contract import Conflict, Event, Fenced, Store, Tx
from server.store.open import open_store
from tests import postgres
from tests.places import FakeClock

LEASE_S = 10.0
KEYS = st.sampled_from(["a", "b", "c"])
STEP = st.one_of(
    st.tuples(st.just("put"), KEYS),
    st.tuples(st.just("take"), st.integers(1, 3)),
    st.tuples(st.just("ack"), st.integers(0, 9)),
    st.tuples(st.just("answer"), st.integers(0, 9)),
    st.tuples(st.just("nack"), st.integers(0, 9)),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("park"), st.integers(0, 9)),
    st.tuples(st.just("beat"), st.integers(0, 9)),
    st.tuples(st.just("bad"), KEYS),
)
GROUPS = st.lists(st.tuples(st.floats(0, 8), st.lists(STEP, min_size=1, max_size=8)), min_size=1, max_size=10)


@dataclass
class Ledger:
    """What the callers were told."""

    store: Store
    clock: FakeClock
    put: dict[str, dict[int, int]] = field(default_factory=dict)  # key -> seq -> value
    done: dict[str, int] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    leases: list[Lease] = field(default_factory=list)
    values: int = 0
    events: int = 0
    independent: bool = False

    async def step(self, name: str, argument: str | int) -> None:
        if isinstance(argument, str):
            await (self._put(argument) if name == "put" else self._bad(argument))
        elif name == "take":
            await self._take(argument)
        elif self.leases:
            await self._finish(name, self.leases[argument % len(self.leases)])

    async def _put(self, key: str) -> None:
        self.values += 1
        value = self.values

        async def unit(tx: Tx) -> int:
            tx.emit(Event("shop", "put", {"value": value}))
            return await lanes.put(tx, "shop", "in", key, {"value": value})

        seq = await self.store.write(unit, order=key, independent=self.independent)
        self.events += 1
        assert seq not in self.put.setdefault(key, {}), "two items with one number"
        self.put[key][seq] = value

    async def _bad(self, key: str) -> None:
        async def unit(tx: Tx) -> None:
            tx.emit(Event("shop", "bad", {}))
            await lanes.put(tx, "shop", "in", key, {"value": -1})
            for _ in range(2):
                await tx.run("probe.add", name="same", value="x")

        with pytest.raises(Conflict):
            await self.store.write(unit, order=key, independent=self.independent)

    async def _take(self, limit: int) -> None:
        leases = await self.store.write(lambda tx: lanes.take(tx, "in", limit, LEASE_S, f"w{limit}"))
        for lease in leases:
            assert lease.epoch > self.epochs.get(lease.key, 0), "a fencing number came twice"
            self.epochs[lease.key] = lease.epoch
            assert [item.seq for item in lease.items] == list(range(lease.first_seq, lease.tail + 1)), "a hole"
            self.leases.append(lease)

    async def _finish(self, name: str, lease: Lease) -> None:
        upto = lease.tail if name == "answer" else lease.first_seq

        async def unit(tx: Tx) -> None:
            if name == "nack":
                await lanes.nack(tx, lease, 3, error=True)
            elif name == "release":
                await lanes.release(tx, lease)
            elif name == "beat":
                await lanes.beat(tx, lease, LEASE_S)
            elif name == "park":
                await lanes.park(tx, lease, "given up", upto)
            else:
                tx.emit(Event("shop", "done", {"key": lease.key, "from": lease.first_seq, "to": upto}))
                await lanes.ack(tx, lease, upto, saw_tail=upto if name == "answer" else None)

        try:
            await self.store.write(unit, order=lease.key, independent=self.independent)
        except Fenced:
            return
        assert lease.epoch >= self.epochs[lease.key] or name == "beat", "an old lease was obeyed"
        if name in {"ack", "answer", "park"}:
            self.events += name != "park"
            assert lease.first_seq == self.done.get(lease.key, 0) + 1, "ranges overlap or leave a hole"
            self.done[lease.key] = upto

    async def drain(self) -> None:
        """Finish everything that is left and compare with what was put."""
        while True:
            self.clock.pass_s(LEASE_S)
            self.leases.clear()
            await self._take(10)
            if not self.leases:
                break
            for lease in self.leases:
                for item in lease.items:
                    assert item.body == {"value": self.put[lease.key][item.seq]}, "items came back in another order"
                await self._finish("answer", lease)
        for key, items in self.put.items():
            assert sorted(items) == list(range(1, len(items) + 1)), "a hole"
            assert self.done[key] == len(items), "lost work"
        rows = await self.store.rows("store.events_since", tenant="shop", after=0, limit=10_000)
        assert [row["number"] for row in rows] == list(range(1, self.events + 1))


async def obey(url: str, groups: list[tuple[float, list[tuple[str, str | int]]]], *, independent: bool) -> None:
    clock = FakeClock()
    store = open_store(url, StoreSettings(group_units=4), clock=clock)
    async with store.running():
        ledger = Ledger(store, clock, independent=independent)
        for pause_s, steps in groups:
            clock.pass_s(pause_s)
            await asyncio.gather(*[ledger.step(name, argument) for name, argument in steps])
        await ledger.drain()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=GROUPS, independent=st.booleans())
def test_laws_hold_on_sqlite(tmp_path_factory: pytest.TempPathFactory, groups: list, independent: bool) -> None:
    asyncio.run(obey(f"sqlite:///{tmp_path_factory.mktemp('laws')}/desk.db", groups, independent=independent))


@pytest.mark.postgres
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=GROUPS, independent=st.booleans())
def test_laws_hold_on_postgresql(cluster: postgres.Cluster, groups: list, independent: bool) -> None:
    async def run() -> None:
        async with emptied(cluster) as url:
            await obey(url, groups, independent=independent)

    asyncio.run(run())


@asynccontextmanager
async def emptied(cluster: postgres.Cluster) -> AsyncIterator[str]:
    """One database for all examples, emptied before each."""
    url = cluster.url(await cluster.kept("laws"))
    connection = await asyncpg.connect(url)
    await connection.execute("truncate lane, item, event, tenant, secret")
    await connection.close()
    yield url
