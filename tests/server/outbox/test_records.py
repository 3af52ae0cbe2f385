"""The commits of a delivery, where their order matters."""

from __future__ import annotations

import pytest

from channels.base import Limited, Sent
from server.lanes import Lease
from server.outbox.job import Job, read
from server.outbox.records import Marked, Plan, Records
from server.store.contract import Fenced
from tests.channel_double import PLAIN
from tests.server.outbox.post import Post

PLAN = Plan(PLAIN, [{"text": "one"}, {"text": "two"}])


async def taken(one: Post) -> tuple[Records, Lease, Job]:
    lease = await one.lease()
    job = await read(one.store, str(lease.head.body["outbox"]))
    assert job is not None
    return Records(one.settings.outbox), lease, job


async def test_parts_are_written_before_the_first_leaves(one: Post):
    await one.bot("one two")
    records, lease, job = await taken(one)
    marked = await one.write(lambda tx: records.mark(tx, lease, job, PLAN))
    assert isinstance(marked, Marked)
    assert [(part["number"], part["state"]) for part in await one.parts()] == [(1, "sending"), (2, "queued")]
    assert marked.repeat == 0
    assert await one.write(lambda tx: records.sent(tx, lease, job, marked.part, Sent("m1"))) is True
    second = await one.write(lambda tx: records.mark(tx, lease, job, PLAN))
    assert isinstance(second, Marked)
    assert second.part["number"] == 2
    assert await one.write(lambda tx: records.sent(tx, lease, job, second.part, Sent("m2", "delivered"))) is False
    assert await one.states() == [("sent", None)]
    assert await one.queued() == 0


async def test_marking_again_counts_as_a_repeat_unless_it_is_surely_absent(one: Post):
    await one.bot("one two")
    records, lease, job = await taken(one)
    marked = await one.write(lambda tx: records.mark(tx, lease, job, PLAN))
    again = await one.write(lambda tx: records.mark(tx, lease, job, PLAN, absent=marked.part["id"]))
    assert again.repeat == 0
    again = await one.write(lambda tx: records.mark(tx, lease, job, PLAN))
    assert again.repeat == 1
    assert (await one.parts())[0]["attempts"] == 3


async def test_whoever_lost_the_lane_records_what_arrived_and_nothing_else(one: Post):
    await one.bot("one two")
    records, lease, job = await taken(one)
    marked = await one.write(lambda tx: records.mark(tx, lease, job, PLAN))
    one.clock.pass_s(31)
    await one.lease()
    with pytest.raises(Fenced):
        await one.write(lambda tx: records.sent(tx, lease, job, marked.part, Sent("m1")))
    with pytest.raises(Fenced):
        await one.write(lambda tx: records.back(tx, lease, job, marked, Limited("429", 1.0), 1.0, counted=False))
    await one.write(lambda tx: records.sent_late(tx, job, marked.part, Sent("m1")))
    assert [part["state"] for part in await one.parts()] == ["sent", "queued"]


async def test_why_it_failed_stays_when_the_call_returns_later(one: Post):  # W48: a status was faster
    await one.bot("one two")
    records, lease, job = await taken(one)
    marked = await one.write(lambda tx: records.mark(tx, lease, job, Plan(PLAIN, [{"text": "one"}])))
    assert isinstance(marked, Marked)
    assert await one.status("failed", marked.part, "63024", detail="no such number")
    await one.write(lambda tx: records.sent(tx, lease, job, marked.part, Sent("m1")))
    (part,) = await one.parts()
    assert (part["state"], part["code"], part["detail"]) == ("failed", "63024", "no such number")
    assert part["provider_id"] == "m1"
