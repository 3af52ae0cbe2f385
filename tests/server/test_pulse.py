"""A store that refuses or keeps silent costs a bounded time once, and nothing until it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from server.pulse import Pulse
from server.store.contract import Conflict, StoreUnavailable
from tests.places import until


class SilentStore:
    """Answers pings only while its gate is open; ``refuses`` makes it say so instead."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.refuses = False
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        if self.refuses:
            raise StoreUnavailable("away")
        await self.answers.wait()


@pytest.fixture
async def watched() -> AsyncIterator[tuple[SilentStore, Pulse]]:
    store = SilentStore()
    pulse = Pulse(store)  # type: ignore[arg-type]  # only ping is asked
    async with pulse.running():
        yield store, pulse


async def test_work_that_takes_too_long_is_cut_off_and_the_next_is_refused_at_once(
    watched: tuple[SilentStore, Pulse],
):
    store, pulse = watched
    with pytest.raises(StoreUnavailable, match="within"):
        async with pulse.bounded(0.05):
            await asyncio.sleep(10)
    assert pulse.away
    assert await pulse.note() == "away"
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="try again"):
        async with pulse.bounded():
            pytest.fail("nothing runs while the store is away")
    assert time.monotonic() - started < 0.05
    back: list[bool] = []
    pulse.listen(lambda: back.append(pulse.away))
    store.answers.set()
    await until(lambda: back)
    assert back == [False]
    assert await pulse.note() == "answers"
    async with pulse.bounded():
        pass


async def test_a_store_that_refuses_is_asked_again_until_it_answers(watched: tuple[SilentStore, Pulse]):
    store, pulse = watched
    store.refuses = True
    with pytest.raises(StoreUnavailable, match="gone"):
        async with pulse.bounded():
            raise StoreUnavailable("gone")
    await until(lambda: store.pings >= 2)
    assert pulse.away
    store.refuses = False
    store.answers.set()
    await until(lambda: not pulse.away)


async def test_other_errors_say_nothing_about_the_store(watched: tuple[SilentStore, Pulse]):
    _, pulse = watched
    with pytest.raises(Conflict):
        async with pulse.bounded():
            raise Conflict("twice")
    assert not pulse.away


async def test_probing_ends_with_the_process():
    pulse = Pulse(SilentStore())  # type: ignore[arg-type]
    async with pulse.running():
        pulse.lost()
        pulse.lost()
        await asyncio.sleep(0)
