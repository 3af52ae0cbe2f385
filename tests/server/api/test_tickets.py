"""Tickets over the API, on both stores."""

from __future__ import annotations

from typing import Any

from tests.server.staff import Staff

BODY: dict[str, Any] = {"category": "damage", "priority": "high", "summary": "The mug came broken."}


async def test_a_ticket_is_opened_changed_closed_and_opened_again(both_staff: Staff) -> None:
    key = await both_staff.talk("tom")
    made = await both_staff.json("ana", "POST", "/api/tickets", {**BODY, "conversation_id": key}, 201)
    assert (made["state"], made["customer_name"], made["suggested_action"]) == ("open", "Tom", "answer")
    one = f"/api/tickets/{made['id']}"
    changed = await both_staff.json("ben", "PATCH", one, {"priority": "urgent", "assignee": "ben"})
    assert (changed["priority"], changed["assignee_name"], changed["summary"]) == ("urgent", "Ben", BODY["summary"])
    assert (await both_staff.json("ben", "PATCH", one, {"assignee": ""}))["assignee"] is None
    closed = await both_staff.json("ben", "POST", f"{one}/close")
    assert (closed["state"], closed["closed_at"] is None) == ("closed", False)
    assert (await both_staff.call("ben", "POST", f"{one}/close")).status == 409
    again = await both_staff.json("ben", "POST", f"{one}/reopen")
    assert (again["state"], again["closed_at"]) == ("open", None)
    told = [event for event in await both_staff.events() if event["kind"] == "ticket"]
    assert [event["conversation_id"] for event in told] == [key] * 5


async def test_the_list_is_filtered_and_paged(both_staff: Staff) -> None:
    key, other = await both_staff.talk("tom"), await both_staff.talk("una")
    for number in range(3):
        body = {**BODY, "conversation_id": key if number else other, "summary": f"Matter {number}"}
        await both_staff.json("ana", "POST", "/api/tickets", body, 201)
    page = await both_staff.json("vera", "GET", "/api/tickets?limit=2")
    assert len(page["items"]) == 2
    rest = await both_staff.json("vera", "GET", f"/api/tickets?limit=2&cursor={page['next']}")
    assert (len(rest["items"]), rest["next"]) == (1, None)
    mine = await both_staff.json("vera", "GET", f"/api/tickets?conversation={other}&state=open&category=damage")
    assert [ticket["summary"] for ticket in mine["items"]] == ["Matter 0"]
    assert (await both_staff.json("vera", "GET", "/api/tickets?priority=low"))["items"] == []


async def test_a_repeat_with_the_same_key_opens_one(both_staff: Staff) -> None:
    key = await both_staff.talk("tom")
    body = {**BODY, "conversation_id": key}
    made = [await both_staff.call("ana", "POST", "/api/tickets", body, Idempotency_Key="k1") for _ in range(2)]
    assert {(await answer.json())["id"] for answer in made} == {(await made[0].json())["id"]}
    assert len((await both_staff.json("ana", "GET", "/api/tickets"))["items"]) == 1


async def test_refusals_say_why(both_staff: Staff) -> None:
    key = await both_staff.talk("tom")
    assert (await both_staff.call("vera", "POST", "/api/tickets", {**BODY, "conversation_id": key})).status == 403
    assert (await both_staff.call("ana", "POST", "/api/tickets", {**BODY, "conversation_id": "none"})).status == 404
    bad = {**BODY, "conversation_id": key, "category": "weather"}
    assert (await both_staff.call("ana", "POST", "/api/tickets", bad)).status == 422
    assert (await both_staff.call("ana", "GET", "/api/tickets/T-0")).status == 404
    nobody = {**BODY, "conversation_id": key, "assignee": "vera"}
    assert (await both_staff.call("ana", "POST", "/api/tickets", nobody)).status == 404
