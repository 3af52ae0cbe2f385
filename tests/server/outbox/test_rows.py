"""Finding what was sent."""

from __future__ import annotations

import asyncio

from config.settings import StoreSettings
from server.outbox import rows
from server.store.retention import purge
from tests.server.outbox.post import Post


async def test_a_platforms_id_leads_to_the_message(one: Post):
    message_id = await one.bot("hello")
    await one.step()
    found = await rows.by_provider(one.store, "default", "telegram", "default", "m1")
    assert found == {"conversation_id": "c1", "message_id": message_id}
    assert await rows.by_provider(one.store, "default", "telegram", "other", "m1") is None
    assert await rows.by_provider(one.store, "default", "telegram", "default", "m2") is None


async def test_in_flight_is_what_was_marked_and_not_recorded(one: Post):
    assert await rows.in_flight(one.store, "c1") == []
    one.double.gate.clear()
    message_id = await one.bot("hello")
    await one.bot("queued only")
    step = asyncio.create_task(one.step())
    await one.double.started.wait()
    marked = [{"message_id": message_id, "part": 1, "state": "sending", "tried_at": one.clock.wall}]
    assert await rows.in_flight(one.store, "c1") == marked
    one.double.gate.set()
    await step
    assert await rows.in_flight(one.store, "c1") == []


async def test_what_was_sent_long_ago_is_forgotten_but_nothing_that_waits(one: Post):
    await one.meet("c2")
    await one.bot("old")
    await one.step()
    one.there = False
    await one.bot("waits", "c2")
    deleted = await purge(one.store, StoreSettings(retention_days=1), one.clock.wall + 10 * 86_400)
    assert (deleted["parts"], deleted["outbox"]) == (1, 1)
    assert not await one.rows_of()
    assert len(await one.rows_of("c2")) == 1
