"""Lanes by the clock: enqueue, drain, idle latency and whole message cycles on both stores.

    python -m benchmarks.lanes [--seconds 4] [--store sqlite|postgresql|both]

PostgreSQL is a throwaway cluster with fsync on. The prototype's figures (PERFORMANCE 2) stand beside ours.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from config.settings import StoreSettings
from server import lanes
from server.lanes import Lease
from server.store.contract import Event, Store, Tx
from server.store.open import open_store
from tests import postgres

CALLERS = 256  # requests in flight, as behind a busy gateway
TAKE = 32
PROTOTYPE = {
    "sqlite": {"enqueued/s": "1,586", "drained/s": "1,754", "idle p50 ms": "-", "idle p99 ms": "-", "cycles/s": "842"},
    "postgresql": {
        "enqueued/s": "4,475", "drained/s": "3,236", "idle p50 ms": "3.6", "idle p99 ms": "22", "cycles/s": "842",
    },
}  # fmt: skip


async def enqueue(store: Store, items: int, kind: str) -> float:
    """Put items into lanes of 20 each, every one its own unit; returns items per second."""
    numbers = iter(range(items))

    async def caller() -> None:
        for number in numbers:
            key = f"c{number % max(1, items // 20)}"

            async def unit(tx: Tx, key: str = key, number: int = number) -> None:
                await lanes.put(tx, "shop", kind, key, {"message_id": f"m{number}"})

            await store.write(unit, order=key, independent=True)

    began = time.perf_counter()
    await asyncio.gather(*[caller() for _ in range(CALLERS)])
    return items / (time.perf_counter() - began)


async def drain(store: Store, items: int, kind: str) -> float:
    """Two workers take and acknowledge item by item until nothing is left; returns items per second."""
    left = [items]

    async def acknowledge(lease: Lease) -> None:
        await store.write(lambda tx: lanes.ack(tx, lease, lease.first_seq), order=lease.key, independent=True)
        left[0] -= 1

    async def worker(name: str) -> None:
        while left[0] > 0:
            leases = await store.write(lambda tx: lanes.take(tx, kind, TAKE, 30, name))
            await asyncio.gather(*[acknowledge(lease) for lease in leases])
            if not leases:
                await asyncio.sleep(0.001)

    began = time.perf_counter()
    await asyncio.gather(worker("w1"), worker("w2"))
    return items / (time.perf_counter() - began)


async def idle_latency_ms(store: Store, rounds: int) -> tuple[float, float]:
    """From the call of put to the lease in a waiting worker's hand, one message at a time; p50 and p99."""
    woken = asyncio.Event()
    store.listen(lanes.topic("idle"), lambda _topic, _payload: woken.set())
    taken: list[float] = []
    for number in range(rounds):
        woken.clear()
        began = time.perf_counter()

        async def unit(tx: Tx, number: int = number) -> None:
            await lanes.put(tx, "shop", "idle", f"i{number}", {})

        await store.write(unit)
        await woken.wait()
        [lease] = await store.write(lambda tx: lanes.take(tx, "idle", 1, 30, "w"))
        taken.append((time.perf_counter() - began) * 1000)
        await store.write(lambda tx, lease=lease: lanes.ack(tx, lease, 1))
    taken.sort()
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


class Cycles:
    """Message in, taken, answered (event, reply put, acknowledged in one unit), reply taken, acknowledged."""

    def __init__(self, store: Store, count: int) -> None:
        self.store = store
        self.count = count
        self.finished = 0

    async def run(self) -> float:
        """Whole cycles per second."""
        began = time.perf_counter()
        asked = iter(range(self.count))
        customers = [self.customer(asked) for _ in range(CALLERS)]
        workers = [self.worker(kind, work) for kind, work in (("cin", self.answer), ("cout", self.send)) for _ in "12"]
        await asyncio.gather(*customers, *workers)
        return self.count / (time.perf_counter() - began)

    async def customer(self, asked: Iterator[int]) -> None:
        """One caller that writes message after message."""
        for number in asked:
            key = f"k{number % 400}"

            async def unit(tx: Tx, key: str = key) -> None:
                await lanes.put(tx, "shop", "cin", key, {"text": "Where is my order?"})
                tx.emit(Event("shop", "message", {"text": "Where is my order?"}))

            await self.store.write(unit, order=key, independent=True)

    async def answer(self, lease: Lease) -> None:
        """The turn's commit."""

        async def unit(tx: Tx) -> None:
            for _ in lease.items:
                await lanes.put(tx, "shop", "cout", lease.key, {"text": "On its way."})
                tx.emit(Event("shop", "message", {"text": "On its way."}))
            await lanes.ack(tx, lease, lease.tail)

        await self.store.write(unit, order=lease.key, independent=True)

    async def send(self, lease: Lease) -> None:
        """The sender's commit."""
        await self.store.write(lambda tx: lanes.ack(tx, lease, lease.tail), order=lease.key, independent=True)
        self.finished += len(lease.items)

    async def worker(self, kind: str, work: Callable[[Lease], Awaitable[None]]) -> None:
        """Take and work until every cycle has ended."""
        while self.finished < self.count:
            leases = await self.store.write(lambda tx: lanes.take(tx, kind, TAKE, 30, "w"))
            await asyncio.gather(*[work(lease) for lease in leases])
            if not leases:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def opened(dialect: str) -> AsyncIterator[Store]:
    """A fresh store of the dialect."""
    if dialect == "sqlite":
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
            store = open_store(f"sqlite:///{Path(folder) / 'desk.db'}", StoreSettings())
            async with store.running():
                yield store
        return
    with postgres.cluster() as server:
        await server.make_template()
        async with server.database() as url:
            store = open_store(url, StoreSettings())
            async with store.running():
                yield store


async def measure(dialect: str, items: int) -> dict[str, str]:
    """Every figure of one store."""
    async with opened(dialect) as store:
        p50, p99 = await idle_latency_ms(store, 300)
        cpu = _cpu_s()
        enqueued = await enqueue(store, items, "in")
        enqueue_cpu = (_cpu_s() - cpu) / items * 1e6
        drained = await drain(store, items, "in")
        cpu = _cpu_s()
        cycled = await Cycles(store, items // 2).run()
        cycle_cpu = (_cpu_s() - cpu) / (items // 2) * 1e6
    return {
        "enqueued/s": f"{enqueued:,.0f}", "drained/s": f"{drained:,.0f}", "idle p50 ms": f"{p50:.1f}",
        "idle p99 ms": f"{p99:.1f}", "cycles/s": f"{cycled:,.0f}", "CPU us/put": f"{enqueue_cpu:,.0f}",
        "CPU us/cycle": f"{cycle_cpu:,.0f}",
    }  # fmt: skip


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="Lanes by the clock")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    asked = parser.parse_args()
    chosen = ["sqlite", "postgresql"] if asked.store == "both" else [asked.store]
    results = {dialect: asyncio.run(measure(dialect, asked.items)) for dialect in chosen}
    columns = [(f"{name}", results[name]) for name in chosen]
    print("| figure | " + " | ".join(f"{name} | prototype" for name, _ in columns) + " |")
    print("|---" * (1 + 2 * len(columns)) + "|")
    for figure in columns[0][1]:
        cells = [f"{values[figure]} | {PROTOTYPE[name].get(figure, '-')}" for name, values in columns]
        print(f"| {figure} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    sys.exit(main())
