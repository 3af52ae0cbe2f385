"""Presence, hours, transfers, promises over the API, on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.server.staff import TENANT, Staff

PATIENCE_S = 10.0


async def promises(staff: Staff, key: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The clocks of a conversation by kind, as soon as the follower has come so far."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await staff.json("vera", "GET", f"/api/conversations/{key}/promises")
            kinds = {clock["kind"]: clock for clock in found["clocks"]}
            if reached(kinds):
                return kinds
            await asyncio.sleep(0.02)


async def test_presence_is_set_and_seen(both_staff: Staff) -> None:
    ana = both_staff
    assert await ana.json("ana", "GET", "/api/presence") == {"status": "away"}
    assert await ana.json("ana", "PUT", "/api/presence", {"status": "busy"}) == {"status": "busy"}
    assert await ana.json("ana", "GET", "/api/presence") == {"status": "busy"}
    people = {row["person"]: row for row in (await ana.json("vera", "GET", "/api/presence/all"))["people"]}
    assert set(people) == {"ana", "ben", "adam"}
    assert people["ana"]["status"] == "busy"
    assert people["ben"] | {"heard_at": None} == people["ben"]
    assert [event["kind"] for event in await ana.events()] == ["presence"]
    assert (await ana.call("vera", "PUT", "/api/presence", {"status": "busy"})).status == 403


async def test_the_desk_without_hours_is_always_open(both_staff: Staff) -> None:
    hours = await both_staff.json("vera", "GET", "/api/hours")
    assert (hours["open"], hours["always"], hours["time_zone"], len(hours["days"])) == (True, True, "UTC", 7)
    assert hours["days"][0]["spans"] == ["00:00-24:00"]


async def test_a_conversation_is_given_to_a_colleague(both_staff: Staff) -> None:
    key = await both_staff.talk("tom")
    given = await both_staff.json("ana", "POST", f"/api/conversations/{key}/transfer", {"person": "ben"})
    assert (given["status"], given["owner"], given["owner_epoch"]) == ("claimed", "ben", 1)
    refused = await both_staff.call("ana", "POST", f"/api/conversations/{key}/transfer", {"person": "ana"})
    assert refused.status == 409
    assert "nother member of staff" in (await refused.json())["detail"]
    forced = await both_staff.json("adam", "POST", f"/api/conversations/{key}/transfer", {"person": "ana"})
    assert (forced["owner"], forced["owner_epoch"]) == ("ana", 2)
    for person, status in (("vera", 404), ("ana", 409)):
        again = await both_staff.call("ana", "POST", f"/api/conversations/{key}/transfer", {"person": person})
        assert again.status == status
    rows = await both_staff.store.rows(
        "audit.page", tenant=TENANT, actor="", action="", target="", since=0.0, at=float("inf"), id="", count=10
    )
    assert [row["action"] for row in rows] == ["conversation.transfer"] * 2


async def test_a_conversation_is_given_to_a_team_and_waits_there(both_staff: Staff) -> None:
    key = await both_staff.talk("tom")
    team = "t1"
    await both_staff.store.write(lambda tx: tx.run("teams.add", id=team, tenant=TENANT, name="Returns", now=tx.now_s))
    given = await both_staff.json("ana", "POST", f"/api/conversations/{key}/transfer", {"team": team})
    assert (given["status"], given["owner"], given["reason"]) == ("waiting", None, "transferred")
    promised = await both_staff.json("vera", "GET", f"/api/conversations/{key}/promises")
    assert (promised["team"], promised["team_name"]) == (team, "Returns")
    lines = await both_staff.json("ana", "GET", f"/api/inbox?team={team}")
    assert [line["id"] for line in lines["conversations"]] == [key]
    await both_staff.json("ana", "PUT", f"/api/conversations/{key}/team", {"team": None}, 204)
    assert (await both_staff.json("ana", "GET", f"/api/inbox?team={team}"))["conversations"] == []
    assert (await both_staff.call("ana", "PUT", f"/api/conversations/{key}/team", {"team": "none"})).status == 404
    both = {"team": team, "person": "ben"}
    assert (await both_staff.call("ana", "POST", f"/api/conversations/{key}/transfer", both)).status == 422


async def test_whoever_follows_the_stream_is_at_work(both_staff: Staff) -> None:
    headers = {"Authorization": "Bearer ben"}
    async with both_staff.session.get(both_staff.server.make_url("/api/events"), headers=headers) as stream:
        while b"event: presence" not in await stream.content.readline():
            pass
        assert await both_staff.json("ben", "GET", "/api/presence") == {"status": "online"}
    async with both_staff.session.get(
        both_staff.server.make_url("/api/events"), headers={"Authorization": "Bearer vera"}
    ) as stream:
        await stream.content.readline()
    assert [event["kind"] for event in await both_staff.events()] == ["presence"], "who only reads is not at work"


async def test_a_promise_runs_from_the_transfer_and_is_shown_in_the_list(both_staff: Staff) -> None:
    key = await both_staff.talk("tom")
    await both_staff.json("ana", "POST", f"/api/conversations/{key}/transfer", {})
    kinds = await promises(both_staff, key, lambda found: len(found) == 2)
    assert set(kinds) == {"first", "resolution"}
    assert kinds["first"]["due_at"] - kinds["first"]["started_at"] == 3_600.0
    (line,) = (await both_staff.json("vera", "GET", "/api/inbox"))["conversations"]
    assert line["sla_due_at"] == kinds["first"]["due_at"]
    await both_staff.json("ana", "PUT", f"/api/conversations/{key}/priority", {"priority": "urgent"}, 204)
    kinds = await promises(both_staff, key, lambda found: found["first"]["priority"] == "urgent")
    assert {name: clock["due_at"] - clock["started_at"] for name, clock in kinds.items()} == {
        "first": 900.0, "resolution": 14_400.0
    }  # fmt: skip
