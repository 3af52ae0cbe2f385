"""The steps of an erasure: fenced, repeated after a kill, and honest about what is left; on both stores."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.conversation import NotFound
from server.customers.erasure import STEPS, Eraser, Erasures, Incomplete, Work
from server.customers.merging import merge
from server.customers.records import Customers
from server.media.files import Files
from server.store.contract import Fenced
from server.store.statements import load, parse
from tests.server.customers.people import known
from tests.server.staff import TENANT, Staff

QUERIES = """
-- name: erasure
-- One erasure as it is stored.
select * from erasure where id = :id;
-- name: customers
-- Everybody.
select id from customer order by id;
-- name: deliver
-- A platform's message that became one of a conversation.
insert into dedupe (tenant, channel, account, external_id, conversation_id, message_id, seen_at)
values ('shop', 'whatsapp', 'default', :external_id, :id, 'm', 1.0);
-- name: deliveries
-- Which ids of platforms are known.
select external_id, conversation_id from dedupe order by external_id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("erasure_bench", QUERIES, dialect))


def eraser(staff: Staff) -> Eraser:
    return Eraser(staff.store, staff.settings, Files(staff.settings.data_dir / "media"))


async def asked(staff: Staff, customer: str) -> str:
    return await staff.store.write(
        lambda tx: Erasures(staff.store, TENANT).ask(tx, customer, "person", "adam", queue=False), order="~"
    )


async def stored(staff: Staff, erasure_id: str) -> dict[str, Any]:
    row = await staff.store.row("erasure_bench.erasure", id=erasure_id)
    assert row is not None
    return dict(row)


async def test_a_customer_with_all_they_were_merged_from_is_gone_and_others_stay(both_staff: Staff) -> None:
    for name in ("nora", "norah", "tom"):
        await known(both_staff, name)
    await both_staff.store.write(lambda tx: merge(tx, TENANT, "cnora", "cnorah", "ana"), order="~")
    report = await eraser(both_staff).erase(await asked(both_staff, "cnora"))
    assert report["conversations"] == 2
    assert [row["id"] for row in await both_staff.store.rows("erasure_bench.customers")] == ["ctom"]
    assert [line.id for line in await Customers(both_staff.store, TENANT).page("", (float("inf"), ""), 9)] == ["ctom"]
    told = [json.loads(row["body"])["what"] for row in await both_staff.events() if row["kind"] == "customer"]
    assert told == ["merged", "erasing", "erased"]


async def test_nobody_sees_somebody_who_is_being_erased_and_one_erasure_is_enough(both_staff: Staff) -> None:
    await known(both_staff, "nora")
    first = await asked(both_staff, "cnora")
    assert await asked(both_staff, "cnora") == first
    customers = Customers(both_staff.store, TENANT)
    assert await customers.page("", (float("inf"), ""), 9) == []
    with pytest.raises(NotFound):
        await customers.read("cnora")
    with pytest.raises(NotFound):
        await asked(both_staff, "nobody")
    await eraser(both_staff).run({})
    row = await stored(both_staff, first)
    assert (row["state"], row["plan"], row["ended_at"] is not None) == ("done", "{}", True)
    assert await eraser(both_staff).erase(first) == {}


@pytest.mark.parametrize("killed", STEPS)
async def test_whoever_is_killed_is_followed_by_somebody_who_goes_on(staff: Staff, killed: str) -> None:
    await known(staff, "nora")
    erasure_id = await asked(staff, "cnora")
    first = eraser(staff)

    async def die(_work: Work) -> None:
        raise KeyError(killed)

    steps = dict(first._steps)
    first._steps = {**steps, killed: die}
    with pytest.raises(KeyError):
        await first.erase(erasure_id)
    row = await stored(staff, erasure_id)
    assert (row["state"], row["step"]) == ("running", killed)
    await eraser(staff).run({})
    row = await stored(staff, erasure_id)
    assert row["state"] == "done"
    assert json.loads(row["report"])["conversations"] == 1
    assert await staff.store.rows("erasure_bench.customers") == []


async def test_two_at_once_do_it_once(staff: Staff) -> None:
    await known(staff, "nora")
    erasure_id = await asked(staff, "cnora")
    first = eraser(staff)

    async def overtaken(_work: Work) -> None:
        await eraser(staff).erase(erasure_id)

    first._steps = {**first._steps, "talks": overtaken}
    with pytest.raises(Fenced):
        await first.erase(erasure_id)
    assert (await stored(staff, erasure_id))["state"] == "done"


async def test_what_is_left_is_said_and_tried_again(staff: Staff) -> None:
    await known(staff, "nora")
    erasure_id = await asked(staff, "cnora")
    first = eraser(staff)

    async def nothing(_work: Work) -> None:
        """Leaves all as it is."""

    first._steps = {**first._steps, "talks": nothing, "person": nothing}
    with pytest.raises(Incomplete, match="conversation"):
        await first.erase(erasure_id)
    row = await stored(staff, erasure_id)
    assert (row["state"], row["step"]) == ("failed", "training")
    assert "identity" in row["error"]
    await eraser(staff).erase(erasure_id)
    assert (await stored(staff, erasure_id))["state"] == "done"


async def test_ids_of_platforms_stay_known_and_unreadable(both_staff: Staff) -> None:
    talk = await known(both_staff, "nora", channel="whatsapp")
    for external_id in ("wamid.353871234589", "wamid.2"):
        await both_staff.store.write(
            lambda tx, one=external_id: tx.run("erasure_bench.deliver", external_id=one, id=talk)
        )
    report = await eraser(both_staff).erase(await asked(both_staff, "cnora"))
    assert report["deliveries"] == 2
    rows = await both_staff.store.rows("erasure_bench.deliveries")
    assert all(row["external_id"].startswith("erased:") and row["conversation_id"] == "" for row in rows)
    assert len(rows) == 2
