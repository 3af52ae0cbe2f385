"""Token buckets on the lease clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from channels.base import Limits, Pace
from server.outbox import pace
from server.outbox.pace import Bucket, chat_of, pace_of
from tests.places import Place
from tests.server.outbox.post import Post

CHAT = Bucket("default", "telegram", "default", "chat-1")
SLOW = Pace(per_s=0.5, burst=2)


async def debit(one: Post, limit: Pace | None, count: int = 1) -> tuple[int, float]:
    return await one.store.write(lambda tx: pace.debit(tx, CHAT, limit, count))


async def test_a_burst_then_the_pace(one: Post):
    assert await debit(one, SLOW, 5) == (2, pytest.approx(2.0))
    assert await debit(one, SLOW) == (0, pytest.approx(2.0))
    one.clock.pass_s(1.5)
    assert await debit(one, SLOW) == (0, pytest.approx(0.5))
    one.clock.pass_s(0.5)
    assert (await debit(one, SLOW))[0] == 1
    one.clock.pass_s(1_000)
    assert (await debit(one, SLOW, 9))[0] == 2, "never more than a burst"


async def test_no_limit_means_no_row_and_still_later_counts(one: Post):
    assert await debit(one, None, 7) == (7, 0.0)
    assert not await one.store.rows("post.buckets")
    await one.store.write(lambda tx: pace.block(tx, CHAT, 3.0))
    assert await debit(one, None) == (0, pytest.approx(3.0))
    one.clock.pass_s(3.1)
    assert (await debit(one, None))[0] == 1


async def test_the_longer_wait_counts(one: Post):
    await one.store.write(lambda tx: pace.block(tx, CHAT, 30.0))
    await one.store.write(lambda tx: pace.block(tx, CHAT, 3.0))
    assert await debit(one, SLOW) == (0, pytest.approx(30.0))


async def test_a_clock_that_began_anew_forgets(one: Post):
    await one.store.write(lambda tx: pace.block(tx, CHAT, 300.0))
    one.clock.lease = 5.0
    assert (await debit(one, SLOW, 9))[0] == 2


def test_what_is_one_chat():
    assert chat_of({"chat": "7", "thread": "2"}, "address") == "7"
    assert chat_of({"channel": "C1", "thread_ts": "2"}, "address") == "C1"
    assert chat_of({"to": "+1"}, "address") == "address"


def test_groups_have_a_pace_of_their_own_where_the_platform_says_so():
    limits = Limits(100, "bytes", None, chat_pace=SLOW)
    group = Pace(0.28, 3)
    assert pace_of(limits, {"chat": "-1", "group": "1"}) is SLOW
    assert pace_of(replace(limits, group_pace=group), {"chat": "-1", "group": "1"}) is group
    assert pace_of(replace(limits, group_pace=group), {"chat": "1"}) is SLOW


async def test_a_chats_bucket_in_use_is_not_waited_for(one: Post, place: Place):
    if place.dialect == "sqlite":
        pytest.skip("there is one writer")
    await debit(one, SLOW)
    other = await asyncpg.connect(place.url)
    try:
        async with other.transaction(), asyncio.timeout(5):
            await other.execute("select * from pace for update")
            assert await debit(one, SLOW) == (0, pace.SHORTEST_S)
        assert (await debit(one, SLOW))[0] == 1
    finally:
        await other.close()
