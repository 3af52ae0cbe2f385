"""Conversations put off: back with a message, at their time, or by hand."""

import json
import time
from typing import Any

import pytest

from server.desk import snooze
from server.store.statements import load, parse
from tests.server.staff import Staff

LATER = """
-- name: later
-- Two hours have passed.
update desk_state set snoozed_until = snoozed_until - 7200;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("snooze_bench", LATER, dialect))


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def told(staff: Staff, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in await staff.events() if row["kind"] == kind]


async def test_a_put_off_conversation_comes_back_with_a_message_or_its_time(staff: Staff):
    marta, luis = await staff.talk("marta"), await staff.talk("luis")
    job = staff.desk.jobs()[snooze.JOB]

    async def views() -> tuple[int, int]:
        counts = (await staff.json("ana", "GET", "/api/views"))["views"]
        return counts["all"], counts["snoozed"]

    until = (await staff.json("ana", "POST", f"/api/conversations/{marta}/snooze", {}))["until"]
    assert until == pytest.approx(time.time() + snooze.DEFAULT_S, abs=30)
    assert await views() == (1, 1)
    assert [row["id"] for row in (await staff.json("ana", "GET", "/api/inbox?view=snoozed"))["conversations"]] == [
        marta
    ]
    await staff.say(marta, "Anybody there?")
    assert await views() == (2, 0)
    await job({})
    await job({})
    await staff.json("ana", "POST", f"/api/conversations/{luis}/snooze", {"until": time.time() + 3_600})
    assert await views() == (1, 1)
    await staff.store.write(lambda tx: tx.run("snooze_bench.later"))
    assert await views() == (2, 0)
    await job({})
    await staff.json("ana", "POST", f"/api/conversations/{luis}/snooze", {})
    await staff.json("ana", "DELETE", f"/api/conversations/{luis}/snooze", None, 204)
    await staff.json("ana", "DELETE", f"/api/conversations/{luis}/snooze", None, 204)
    assert [(body["why"], body["by"]) for body in await told(staff, "snooze")] == [
        ("put_off", "ana"), ("message", None), ("put_off", "ana"), ("time", None), ("put_off", "ana"), ("ended", "ana"),
    ]  # fmt: skip
    await staff.json("ana", "POST", f"/api/conversations/{luis}/snooze", {"until": 5}, 409)
    await staff.json("ana", "POST", "/api/conversations/nowhere/snooze", {}, 404)
