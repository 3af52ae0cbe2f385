from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from channels.base import Accept
from channels.message import Fact, Inbound, Revoked
from channels.telegram import TelegramChannel
from channels.telegram.polling import STALE_S
from tests.doubles.telegram import TOKEN, Telegram
from tests.doubles.telegram_bench import PRIVATE, Shelf, eventually, opened

CURSOR = "telegram.default.7000000001.offset"


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram()
    async with telegram.running():
        yield telegram


class Store:
    """Takes facts in; ``fails`` times it raises instead, as a store that is away does."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.facts: list[Fact] = []
        self.calls = 0

    async def accept(self, facts: Sequence[Fact]) -> None:
        self.calls += 1
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the store is away")
        self.facts.extend(facts)

    @property
    def texts(self) -> list[str]:
        return [fact.text for fact in self.facts if isinstance(fact, Inbound)]


@asynccontextmanager
async def listening(channel: TelegramChannel, accept: Accept) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(channel.listen(accept))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await task


async def test_updates_are_taken_in_order_and_then_confirmed(double: Telegram):
    store, shelf = Store(), Shelf()
    double.waits(*(double.says(PRIVATE, str(number)) for number in range(5)))
    async with opened(double, shelf, mode="polling") as channel, listening(channel, store.accept):
        await eventually(lambda: len(store.texts) == 5)
        double.waits(double.says(PRIVATE, "5"))
        await eventually(lambda: len(store.texts) == 6)
        await eventually(lambda: not double.queue)
    assert store.texts == [str(number) for number in range(6)]
    assert shelf.cursors[CURSOR].partition("@")[0] == str(double.confirmed)
    (wanted,) = {tuple(parameters["allowed_updates"]) for name, parameters in double.requests if name == "getUpdates"}
    assert {"message_reaction", "callback_query", "edited_message", "business_message", "my_chat_member"} <= set(wanted)


async def test_what_was_not_committed_comes_again(double: Telegram):
    """T44: the loop ends with the store's fault, nothing is confirmed, and the next start takes it in once."""
    store, shelf = Store(fails=1), Shelf()
    double.waits(double.says(PRIVATE, "hello"))
    async with opened(double, shelf, mode="polling") as channel:
        with pytest.raises(ConnectionError):
            await channel.listen(store.accept)
        assert double.confirmed == 0
        assert shelf.cursors == {}
        async with listening(channel, store.accept):
            await eventually(lambda: store.texts)
            await eventually(lambda: not double.queue)
    assert store.texts == ["hello"]


async def test_a_kill_between_the_commit_and_the_confirmation_repeats_the_same_message(double: Telegram):
    """T44: the second telling has the same key, which the store knows."""
    store, shelf = Store(), Shelf()
    double.waits(double.says(PRIVATE, "hello"))

    async def dies(facts: Sequence[Fact]) -> None:
        await store.accept(facts)
        raise ConnectionError("killed after the commit")

    async with opened(double, shelf, mode="polling") as channel:
        with pytest.raises(ConnectionError):
            await channel.listen(dies)
    async with opened(double, shelf, mode="polling") as channel, listening(channel, store.accept):
        await eventually(lambda: len(store.facts) == 2)
    assert len({fact.external_id for fact in store.facts if isinstance(fact, Inbound)}) == 1


async def test_updates_that_mean_nothing_do_not_hold_up_the_others(double: Telegram):
    store = Store()
    double.waits(double.update("brand_new", {"chat": {"id": 1}}), {"update_id": 5_800, "message": {"broken": True}})
    double.waits({"update_id": 5_900, **{k: v for k, v in double.says(PRIVATE, "hello").items() if k == "message"}})
    async with opened(double, mode="polling") as channel, listening(channel, store.accept):
        await eventually(lambda: store.texts)
        await eventually(lambda: not double.queue)
    assert store.texts == ["hello"]


async def test_a_webhook_that_is_set_is_reported_with_its_repair(double: Telegram):
    """T45: no crash, no loop without pause, and it goes on by itself once repaired."""
    store = Store()
    double.webhook = {"url": "https://elsewhere.example/hook"}
    double.waits(double.says(PRIVATE, "hello"))
    async with opened(double, mode="polling") as channel, listening(channel, store.accept) as task:
        await eventually(lambda: double.calls["getUpdates"])
        health = await channel.check()
        assert not health.ok
        assert "deleteWebhook" in health.detail
        assert TOKEN not in health.detail
        assert double.calls["getUpdates"] <= 2
        assert not task.done()
        double.webhook = {}
        await eventually(lambda: store.texts)
        assert (await channel.check()).ok


async def test_a_second_poller_is_reported(double: Telegram):
    """T45."""
    store = Store()
    async with (
        opened(double, mode="polling") as one,
        opened(double, Shelf(), mode="polling") as other,
        listening(one, store.accept) as first,
    ):
        await eventually(lambda: double.calls["getUpdates"])
        async with listening(other, store.accept):
            await eventually(lambda: one._polling.trouble)
            assert "another process" in (await one.check()).detail
            assert not first.done()


async def test_a_token_that_is_not_accepted_is_told_once(double: Telegram):
    store = Store()
    async with opened(double, mode="polling", token=TOKEN[:-1] + "x") as channel, listening(channel, store.accept):
        await eventually(lambda: store.facts)
        assert not (await channel.check()).ok
    (fact,) = store.facts
    assert isinstance(fact, Revoked)
    assert TOKEN[:-1] not in fact.reason


async def test_an_old_offset_is_forgotten(double: Telegram):
    """After a quiet week Telegram numbers updates anew, even lower."""
    store, shelf = Store(), Shelf()
    shelf.cursors[CURSOR] = f"99000000@{time.time() - STALE_S - 1}"
    double.waits(double.says(PRIVATE, "hello"))
    async with opened(double, shelf, mode="polling") as channel, listening(channel, store.accept):
        await eventually(lambda: store.texts)
    assert store.texts == ["hello"]


async def test_a_recent_offset_is_kept(double: Telegram):
    store, shelf = Store(), Shelf()
    seen, news = double.says(PRIVATE, "seen"), double.says(PRIVATE, "new")
    shelf.cursors[CURSOR] = f"{news['update_id']}@{time.time()}"
    double.waits(seen, news)
    async with opened(double, shelf, mode="polling") as channel, listening(channel, store.accept):
        await eventually(lambda: store.texts)
    assert store.texts == ["new"]


async def test_an_outage_is_waited_out(double: Telegram):
    store = Store()
    double.away = True
    double.waits(double.says(PRIVATE, "hello"))
    async with opened(double, mode="polling") as channel, listening(channel, store.accept):
        await eventually(lambda: channel._polling.trouble)
        double.away = False
        await eventually(lambda: store.texts)
        await eventually(lambda: not channel._polling.trouble)
    assert store.texts == ["hello"], "stored once"
