"""Custodies and promises follow the events, once each, also with two processes at it; on both stores."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from config.handoff import HandoffSettings, ServiceLevels, Targets
from server.conversation import Claimed, PersonAsked, Reason
from server.duty.follower import Follower
from server.store.contract import Row, Tx
from server.timeline import lock
from tests.server.staff import TENANT, Staff

SOON = HandoffSettings(sla=ServiceLevels(normal=Targets(first_m=1e-9, next_m=0.0, resolution_m=60.0)))


@pytest.fixture
def follower(idle_staff: Staff) -> Follower:
    return Follower(idle_staff.store, TENANT, SOON)


async def change(staff: Staff, key: str, fact: Any) -> None:
    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, key)
        made = fact(tx.now_s) if callable(fact) else fact
        await timeline.change(made)
        await timeline.save()

    await staff.store.write(unit, order=key)


def waits(now_s: float) -> PersonAsked:
    return PersonAsked(Reason.CUSTOMER_ASKED, now_s)


async def clocks(staff: Staff, key: str) -> dict[str, Row]:
    return {row["kind"]: row for row in await staff.store.rows("duty.clocks", tenant=TENANT, id=key)}


async def told(staff: Staff) -> list[dict[str, Any]]:
    return [json.loads(event["body"]) for event in await staff.events() if event["kind"] == "sla"]


async def test_a_missed_promise_is_told_once_and_stays_missed(idle_staff: Staff, follower: Follower) -> None:
    key = await idle_staff.talk("tom")
    await follower.step()
    await change(idle_staff, key, waits)
    for _ in range(3):
        await follower.step()
    found = await clocks(idle_staff, key)
    assert found["first"]["missed_at"] is not None
    assert [(one["kind"], one["outcome"]) for one in await told(idle_staff)] == [("first", "missed")]
    await change(idle_staff, key, Claimed("ana"))

    async def speak(tx: Tx) -> None:
        timeline = await lock(tx, key)
        await timeline.say("staff", "Here I am", author="ana")
        await timeline.save()

    await idle_staff.store.write(speak, order=key)
    await follower.step()
    found = await clocks(idle_staff, key)
    assert (found["first"]["outcome"], found["resolution"]["outcome"]) == ("missed", None)
    assert len(await told(idle_staff)) == 1


async def test_two_processes_count_every_event_once(idle_staff: Staff, follower: Follower) -> None:
    keys = [await idle_staff.talk(name) for name in ("tom", "una", "vic")]
    other = Follower(idle_staff.store, TENANT, SOON)
    await asyncio.gather(follower.step(), other.step())
    for key in keys:
        await change(idle_staff, key, waits)
        await change(idle_staff, key, Claimed("ana"))
    await asyncio.gather(follower.step(), other.step(), follower.step(), other.step())
    for key in keys:
        assert set(await clocks(idle_staff, key)) == {"first", "resolution"}
        row = await idle_staff.store.row("duty.custody", id=key)
        assert row is not None
        assert row["status"] == "claimed"
    assert sorted(one["kind"] for one in await told(idle_staff)) == ["first"] * 3
    tail = await idle_staff.store.row("store.event_tail", tenant=TENANT)
    cursor = await idle_staff.store.row("duty.cursor_now", tenant=TENANT)
    assert tail is not None
    assert cursor is not None
    assert cursor["number"] <= tail["event_tail"]


async def test_what_happened_before_the_first_look_of_a_new_desk_counts(idle_staff: Staff, follower: Follower) -> None:
    key = await idle_staff.talk("tom")
    await change(idle_staff, key, waits)
    await follower.step()
    assert set(await clocks(idle_staff, key)) == {"first", "resolution"}


async def test_a_conversation_from_before_the_upgrade_is_taken_as_it_stands(
    idle_staff: Staff, follower: Follower
) -> None:
    key = await idle_staff.talk("tom")
    await change(idle_staff, key, waits)
    tail = await idle_staff.store.row("store.event_tail", tenant=TENANT)
    assert tail is not None

    async def upgraded(tx: Tx) -> None:
        await tx.run("duty.start", tenant=TENANT)
        await tx.run("duty.move", tenant=TENANT, number=tail["event_tail"])

    await idle_staff.store.write(upgraded, order="~")
    await follower.step()
    assert await clocks(idle_staff, key) == {}
    await idle_staff.say(key, "still there?")
    await follower.step()
    row = await idle_staff.store.row("duty.custody", id=key)
    assert row is not None
    assert row["status"] == "waiting"
    assert set(await clocks(idle_staff, key)) == {"first"}
