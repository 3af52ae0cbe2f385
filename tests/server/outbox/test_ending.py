"""How rows end: one state of many parts, one event, one wish for a person."""

from __future__ import annotations

import pytest

from server.outbox.ending import close_conversation, finish, summary
from server.store.contract import Tx
from server.timeline import lock
from tests.server.outbox.post import Post


@pytest.mark.parametrize(
    ("parts", "row"),
    [
        (["sent", "read"], "sent"),
        (["read", "delivered"], "delivered"),
        (["read", "read"], "read"),
        (["sent", "queued"], "sending"),
        (["queued", "queued"], "queued"),
        (["sent", "sending"], "sending"),
        (["uncertain", "queued"], "uncertain"),
        (["failed", "uncertain", "read"], "failed"),
        ([], "sent"),
    ],
)
def test_the_least_advanced_part_counts(parts: list[str], row: str):
    assert summary(parts) == row


async def end(one: Post, *, ask: bool) -> None:
    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        (row,) = await tx.rows("post.rows", id="c1")
        await finish(tx, timeline, row, "failed", "why", ask=ask)

    await one.write(unit)


async def test_a_failure_opens_a_case_where_none_is_and_a_claimed_conversation_stays(one: Post):
    await one.bot("hello")
    await one.handoff.close("c1", "ana")
    await end(one, ask=True)
    row = await one.conversation()
    assert (row["status"], row["reason"], row["case_id"] is not None) == ("waiting", "undelivered", True)
    await one.handoff.claim("c1", "ana")
    await end(one, ask=True)
    assert (await one.conversation())["status"] == "claimed"


async def test_without_a_wish_the_place_in_the_list_stays(one: Post):
    await one.bot("hello")
    before = (await one.conversation())["updated_at"]
    one.clock.pass_s(10)
    await end(one, ask=False)
    assert (await one.conversation())["updated_at"] == before
    assert await one.deliveries() == [("failed", "why")]


async def test_a_conversation_closes_once(one: Post):
    await one.bot("hello")

    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        (row,) = await tx.rows("post.rows", id="c1")
        part = {"number": 1, "code": "403", "detail": ""}
        await close_conversation(tx, timeline, row, part)
        await close_conversation(tx, timeline, row, part)

    await one.write(unit)
    assert [event["kind"] for event in await one.talk()].count("case_closed") == 1
    assert (await one.conversation())["owner_epoch"] == 1
