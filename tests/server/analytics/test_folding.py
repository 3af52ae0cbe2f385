"""A simulated month becomes figures that an independent count of the events agrees with, on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from benchmarks.month import Month, MonthClock
from benchmarks.month_check import TENANT, compare, facts_of
from config.settings import StoreSettings
from server.analytics import folding
from server.analytics.folding import Folding
from server.store.contract import Event, Store, Tx
from server.store.open import open_store

CONVERSATIONS = 40


@pytest.fixture
async def clock() -> MonthClock:
    return MonthClock()


@pytest.fixture
async def store(store_url: str, clock: MonthClock) -> AsyncIterator[Store]:
    opened = open_store(store_url, StoreSettings(), clock=clock)
    async with opened.running():
        yield opened


async def test_every_metric_equals_an_independent_count(store: Store, clock: MonthClock):
    await Month(store, clock, 6).run(CONVERSATIONS)
    await Folding(store, TENANT).run({})
    assert len(await facts_of(store)) >= CONVERSATIONS
    assert await compare(store, clock.now_s + 1) == []


async def test_batches_repetition_and_folding_anew_change_nothing(
    store: Store, clock: MonthClock, monkeypatch: pytest.MonkeyPatch
):
    await Month(store, clock, 7).run(CONVERSATIONS // 2)
    monkeypatch.setattr(folding, "BATCH_EVENTS", 7)
    first = Folding(store, TENANT)
    await first.step()  # as far as a process came that was killed
    await Folding(store, TENANT).run({})
    facts = await facts_of(store)
    await first.run({})
    assert await facts_of(store) == facts
    monkeypatch.undo()
    await first.run({"rebuild": True})
    assert await facts_of(store) == facts


async def test_facts_outlive_their_events(store: Store, clock: MonthClock):
    await Month(store, clock, 8).run(10)
    mine = Folding(store, TENANT)
    await mine.run({})
    facts = await facts_of(store)
    clock.now_s += 400 * 86_400.0

    async def forget(tx: Tx) -> int:
        return await tx.run("retention.events", tenant=TENANT, before=tx.now_s, limit=100_000)

    assert await store.write(forget)
    await mine.run({"rebuild": True})
    assert await facts_of(store) == facts


async def test_odd_events_and_erased_conversations_are_passed_over(store: Store):
    async def unit(tx: Tx) -> None:
        tx.emit(Event(TENANT, "message", {"role": "customer", "id": "m"}, "nowhere"))
        tx.emit(Event(TENANT, "feedback", {"value": "up"}, None))
        tx.emit(Event(TENANT, "survey", {"state": "scored"}, "nowhere"))

    await store.write(unit)
    assert await Folding(store, TENANT).step() == 3
    assert await Folding(store, TENANT).step() == 0
