"""The API of gaps: staff see customers' words, viewers do not; an answer closes a gap, and every decision is undone."""

from __future__ import annotations

from typing import Any

from server.routes import Role
from tests.server.api.test_conversations import talk
from tests.server.desk import TENANT, Browser, Desk

CANADA = {"question": " Do you  ship to Canada? ", "answer": "Yes, in five days."}


async def sent(browser: Browser, method: str, path: str = "", body: Any = None, status: int = 200) -> Any:
    answer = await browser.call(method, f"/api/gaps{path}", body)
    assert answer.status == status, await answer.text()
    return await answer.json() if status != 204 else None


async def miss(desk: Desk, number: int, question: str) -> str:
    conversation = await talk(desk, number)
    await desk.store.write(
        lambda tx: tx.run(
            "engine.add_miss", id=f"g{number}", tenant=TENANT, conversation_id=conversation,
            turn_id=f"{conversation}:1", question=question, confidence=0.1, now=100.0 + number,
        )
    )  # fmt: skip
    desk.attempt_clock.now_s += 60.0  # the list is gathered again
    return conversation


async def test_gaps_come_in_pages_by_how_often_they_show(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    questions = ("Do you ship to Canada?", "Do you sell gift cards?", "Shipping to Canada?", "Is parking free?")
    ids = [await miss(both_desk, number, question) for number, question in enumerate(questions)]
    first = await sent(staff, "GET", "?limit=2")
    assert (first["gaps"][0]["question"], first["gaps"][0]["asked"]) == ("Do you ship to Canada?", 2)
    assert (first["counts"], first["gaps"][0]["kinds"]["unanswered"]) == ({"open": 3}, 2)
    rest = await sent(staff, "GET", f"?limit=2&cursor={first['next']}")
    assert len(rest["gaps"]) == 1
    assert rest["next"] is None
    assert len({gap["id"] for gap in first["gaps"] + rest["gaps"]}) == 3
    found = (await sent(staff, "GET", f"/{first['gaps'][0]['id']}"))["questions"]
    assert [(each["conversation_id"], each["channel"]) for each in found] == [(ids[2], "web"), (ids[0], "web")]
    await sent(await both_desk.signed_in(Role.VIEWER), "GET", status=403)


async def test_an_answer_closes_its_gap_once(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    await miss(both_desk, 1, "Do you ship to Canada?")
    (gap,) = (await sent(staff, "GET"))["gaps"]
    made = await sent(staff, "POST", f"/{gap['id']}/answer", CANADA, 201)
    assert (made["title"], made["state"]) == ("Do you ship to Canada?", "queued")
    assert "Yes, in five days." in (await both_desk.documents.get(made["id"])).text
    late = await sent(staff, "POST", f"/{gap['id']}/answer", CANADA, 409)
    assert "meanwhile" in late["detail"]
    (solved,) = (await sent(staff, "GET", "?state=solved"))["gaps"]
    assert (solved["document_id"], solved["decided_by"]) == (made["id"], "person-staff@example.com")
    assert len(await both_desk.documents.list()) == 1
    assert [row["target"] for row in await both_desk.audit_rows("gap.answer")] == [gap["id"]]


async def test_a_gap_is_dismissed_and_taken_back(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    await miss(both_desk, 1, "Will you marry me?")
    (gap,) = (await sent(staff, "GET"))["gaps"]
    await sent(staff, "PUT", f"/{gap['id']}/state", {"state": "dismissed", "note": "not for us"}, 204)
    assert (await sent(staff, "GET"))["counts"] == {"dismissed": 1}
    await sent(staff, "PUT", f"/{gap['id']}/state", {"state": "open"}, 204)
    assert (await sent(staff, "GET"))["counts"] == {"open": 1}
    await sent(staff, "PUT", f"/{gap['id']}/state", {"state": "solved"}, 422)
    await sent(staff, "PUT", "/unknown/state", {"state": "open"}, 404)
    await sent(staff, "GET", "/unknown", status=404)
    assert len(await both_desk.audit_rows("gap.decide")) == 2
