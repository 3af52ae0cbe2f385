"""The API of tools: what they are, what waits for a yes, and what they left behind."""

from __future__ import annotations

from typing import Any

import pytest

from server.routes import Role
from server.store.statements import load, parse
from tests.server.api.test_conversations import talk
from tests.server.desk import TENANT, Browser, Desk
from tests.server.wits import FAILURES

QUERIES = """
-- name: ended
-- How a step ended.
update step set state = :state where conversation_id = :conversation_id and number = cast(:number as integer);
-- name: lead
-- Somebody to call.
insert into lead (id, tenant, conversation_id, name, contact, interest, idempotency_key, created_at)
values (:id, :tenant, :conversation_id, 'Ana', 'ana@example.com', 'lamps', :id, cast(:at as double precision));
-- name: ticket
-- Something to do.
insert into ticket (id, tenant, conversation_id, category, priority, summary, suggested_action, state, idempotency_key,
    created_at, updated_at)
values (:id, :tenant, :conversation_id, 'returns', 'high', 'A broken mug', 'Send a new one', 'open', :id,
    cast(:at as double precision), cast(:at as double precision));
-- name: tried
-- A delivery after three attempts.
update webhook_delivery set attempts = 3, state = :state where id = :id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("tools_api", QUERIES, dialect))


async def look(browser: Browser, path: str) -> Any:
    answer = await browser.call("GET", path)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def furnish(desk: Desk) -> None:
    """One conversation with steps, requests, leads, tickets and deliveries."""
    conversation = await talk(desk, 1)
    mine = {"tenant": TENANT, "conversation_id": conversation}

    async def unit(tx: Any) -> None:
        for number, state in enumerate(("done", "done", "failed"), 1):
            await tx.run(
                "tools.add_step", **mine, first_seq=1, number=number, tool="book", arguments="{}", now=desk.clock(),
                key=f"k{number}", call_id="", round=0,
            )  # fmt: skip
            await tx.run("tools_api.ended", conversation_id=conversation, number=number, state=state)
        for number in range(3):
            at = 100.0 + number
            await tx.run(
                "tools.add_request", **mine, id=f"r{number}", first_seq=1, number=number, tool="book",
                arguments='{"slot": "s1"}', digest="", kind="approve", summary="Book it", expires_at=1e12, now=at,
            )  # fmt: skip
            await tx.run("tools_api.lead", **mine, id=f"l{number}", at=at)
            await tx.run("tools_api.ticket", **mine, id=f"t{number}", at=100.0)
            await tx.run(
                "tools.add_delivery", id=f"w{number}", tenant=TENANT, url="https://crm.example/", kind="lead.created",
                body="{}", now=at,
            )  # fmt: skip
            await tx.run("tools_api.tried", id=f"w{number}", state="failed" if number else "queued")

    await desk.store.write(unit)


async def test_tools_are_listed_with_origin_limits_and_outcomes(both_desk: Desk):
    await furnish(both_desk)
    listed = await look(await both_desk.signed_in(Role.VIEWER), "/api/tools")
    tools = {tool["name"]: tool for tool in listed["tools"]}
    assert list(tools) == ["book", "my_order", "opening_hours"]
    assert tools["book"]["outcomes"] == {"done": 2, "failed": 1}
    assert (tools["book"]["origin"], tools["book"]["confirm"], tools["book"]["per_hour"]) == ("openapi: crm", True, 5)
    assert (tools["opening_hours"]["origin"], tools["opening_hours"]["outcomes"]) == ("builtin or python", {})
    assert tools["opening_hours"]["parameters"]["type"] == "object"
    assert listed["sources"] == [
        {"name": "crm", "kind": "openapi", "reason": "crm.example does not answer", "tools": 1}
    ]


async def test_an_admin_tries_a_tool_that_reads(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    answer = await admin.call("POST", "/api/tools/opening_hours/try", {"arguments": {"place": "Galway"}})
    body = await answer.json()
    assert (answer.status, body["say"], body["data"]["place"]) == (200, "Open until 18:00.", "Galway")
    assert body["took_ms"] >= 0
    (row,) = await desk.audit_rows("tool.try")
    assert row["target"] == "opening_hours"


@pytest.mark.parametrize(("tool", "status"), [("book", 409), ("my_order", 409), ("none_such", 404)])
async def test_tools_with_effects_or_for_one_customer_are_not_tried(desk: Desk, tool: str, status: int):
    admin = await desk.signed_in(Role.ADMIN)
    assert (await admin.call("POST", f"/api/tools/{tool}/try", {})).status == status
    assert await desk.audit_rows("tool.try") == []


@pytest.mark.parametrize(("error", "status"), FAILURES)
async def test_a_trial_says_why_it_failed(desk: Desk, error: Exception, status: int):
    admin = await desk.signed_in(Role.ADMIN)
    desk.box.tools["opening_hours"].error = error
    answer = await admin.call("POST", "/api/tools/opening_hours/try", {})
    assert (answer.status, (await answer.json())["detail"]) == (status, str(error))


async def test_arguments_that_do_not_fit_are_refused(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    answer = await admin.call("POST", "/api/tools/opening_hours/try", {"arguments": {"place": 5}})
    assert (answer.status, (await answer.json())["detail"]) == (422, "place: must be a text")


async def test_requests_come_in_pages_of_one_kind_and_state(both_desk: Desk):
    await furnish(both_desk)
    viewer = await both_desk.signed_in(Role.VIEWER)
    first = await look(viewer, "/api/tools/requests?kind=approve&state=waiting&limit=2")
    assert [row["id"] for row in first["requests"]] == ["r2", "r1"]
    assert first["requests"][0]["arguments"] == {"slot": "s1"}
    rest = await look(viewer, f"/api/tools/requests?kind=approve&state=waiting&limit=2&cursor={first['next']}")
    assert ([row["id"] for row in rest["requests"]], rest["next"]) == (["r0"], None)
    assert (await look(viewer, "/api/tools/requests?kind=confirm"))["requests"] == []
    assert (await viewer.call("GET", "/api/tools/requests?state=perhaps")).status == 422


@pytest.mark.parametrize(("word", "granted"), [("approve", True), ("deny", False)])
async def test_staff_decide_requests(desk: Desk, word: str, granted: bool):
    staff = await desk.signed_in(Role.STAFF)
    assert (await staff.call("POST", f"/api/tools/requests/r1/{word}")).status == 204
    assert desk.approvals.decided == [("person-staff@example.com", "r1", granted)]
    assert [row["target"] for row in await desk.audit_rows(f"tool.{word}")] == ["r1"]
    assert (await staff.call("POST", f"/api/tools/requests/unknown/{word}")).status == 404
    late = await staff.call("POST", f"/api/tools/requests/late/{word}")
    assert (late.status, (await late.json())["detail"]) == (409, "Somebody decided it before.")


async def test_tickets_are_closed_once(both_desk: Desk):
    await furnish(both_desk)
    staff = await both_desk.signed_in(Role.STAFF)
    assert [row["id"] for row in (await look(staff, "/api/tools/tickets?state=open"))["tickets"]] == ["t2", "t1", "t0"]
    for _ in range(2):
        assert (await staff.call("POST", "/api/tools/tickets/t1/close")).status == 204
    assert [row["id"] for row in (await look(staff, "/api/tools/tickets?state=closed"))["tickets"]] == ["t1"]
    assert [row["target"] for row in await both_desk.audit_rows("ticket.close")] == ["t1"]


async def test_leads_are_for_staff(both_desk: Desk):
    await furnish(both_desk)
    staff = await both_desk.signed_in(Role.STAFF)
    page = await look(staff, "/api/tools/leads?limit=2")
    assert [row["id"] for row in page["leads"]] == ["l2", "l1"]
    assert page["leads"][0]["contact"] == "ana@example.com"
    assert (await (await both_desk.signed_in(Role.VIEWER)).call("GET", "/api/tools/leads")).status == 403


async def test_a_webhook_is_sent_again(both_desk: Desk):
    await furnish(both_desk)
    admin = await both_desk.signed_in(Role.ADMIN)
    failed = (await look(admin, "/api/tools/deliveries?state=failed"))["deliveries"]
    assert [row["id"] for row in failed] == ["w2", "w1"]
    assert (await admin.call("POST", "/api/tools/deliveries/w1/replay")).status == 204
    assert (await admin.call("POST", "/api/tools/deliveries/w1/replay")).status == 404, "it waits already"
    queued = (await look(admin, "/api/tools/deliveries?state=queued"))["deliveries"]
    assert [(row["id"], row["attempts"]) for row in queued] == [("w1", 0), ("w0", 3)]
