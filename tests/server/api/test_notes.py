"""Notes, mentions, labels, snooze, ready replies and drafts over both stores, with roles and audit."""

import json
import time
from typing import Any

import pytest

from tests.server.staff import TENANT, Staff


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def told(staff: Staff, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in await staff.events() if row["kind"] == kind]


async def audited(staff: Staff) -> list[str]:
    rows = await staff.store.rows(
        "audit.page", tenant=TENANT, actor="", action="", target="", since=0.0, at=float("inf"), id="", count=99
    )
    return [row["action"] for row in reversed(rows)]


async def test_a_note_is_for_staff_and_never_sent(staff: Staff):
    for channel in ("web", "telegram"):
        conversation_id = await staff.talk(f"marta-{channel}", channel)
        body = {"text": "Please check the stock.", "mentions": ["ben", "ghost"]}
        made = await staff.json("ana", "POST", f"/api/conversations/{conversation_id}/notes", body, 201)
        assert (made["author"], made["author_name"], made["text"]) == ("ana", "Ana", "Please check the stock.")
        customers = await staff.store.rows(
            "conversations.events_after", conversation_id=conversation_id, after=0, limit=99
        )
        assert [row["kind"] for row in customers] == ["message"]
        assert await staff.store.row("outbox.job", id="any") is None
        assert await staff.store.rows("inbox.deliveries", tenant=TENANT, id=conversation_id, count=9) == []
        said = await staff.store.rows("inbox.messages", tenant=TENANT, id=conversation_id, before=2**60, count=9)
        assert len(said) == 1
        (note,) = (await staff.json("vera", "GET", f"/api/conversations/{conversation_id}/desk"))["notes"]
        assert (note["seq"], note["mentions"]) == (2, ["ben"])
    assert (await audited(staff)) == ["note.add", "note.add"]
    assert [row["audience"] for row in await staff.events() if row["kind"] == "note"] == ["staff", "staff"]


async def test_mentions_are_a_view_until_they_are_seen(staff: Staff):
    marta = await staff.talk("marta")
    await staff.json("ana", "POST", f"/api/conversations/{marta}/notes", {"text": "?", "mentions": ["ben"]}, 201)
    assert (await staff.json("ben", "GET", "/api/views"))["views"]["mentions"] == 1
    lines = (await staff.json("ben", "GET", "/api/inbox?view=mentions"))["conversations"]
    assert [line["id"] for line in lines] == [marta]
    await staff.json("ben", "POST", f"/api/conversations/{marta}/seen", {"seq": 2}, 204)
    assert (await staff.json("ben", "GET", "/api/views"))["views"]["mentions"] == 0
    people = (await staff.json("vera", "GET", "/api/colleagues"))["people"]
    assert [row["name"] for row in people] == ["Adam", "Ana", "Ben", "Vera"]


async def test_a_note_is_changed_by_its_author_and_removed_by_admins_too(staff: Staff):
    marta = await staff.talk("marta")
    note = (await staff.json("ana", "POST", f"/api/conversations/{marta}/notes", {"text": "one"}, 201))["id"]
    path = f"/api/notes/{note}"
    await staff.json("ben", "PUT", path, {"text": "two"}, 409)
    await staff.json("ana", "PUT", path, {"text": "two", "mentions": ["ben"]}, 204)
    await staff.json("ben", "DELETE", path, None, 409)
    await staff.json("adam", "DELETE", path, None, 204)
    await staff.json("ana", "PUT", path, {"text": "three"}, 404)
    await staff.json("ana", "DELETE", "/api/notes/unknown", None, 404)
    assert [(body["text"], "edited_at" in body, "deleted_at" in body) for body in await told(staff, "note")] == [
        ("one", False, False), ("two", True, False), ("", False, True),
    ]  # fmt: skip
    (shown,) = (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["notes"]
    assert (shown["text"], shown["deleted_at"] is not None) == ("", True)
    assert (await staff.json("ben", "GET", "/api/views"))["views"]["mentions"] == 0


async def test_drafts_belong_to_one_person_and_outlive_the_page(staff: Staff):
    marta = await staff.talk("marta")
    path = f"/api/conversations/{marta}/draft"
    await staff.json("ana", "PUT", path, {"text": "Dear"}, 204)
    await staff.json("ana", "PUT", path, {"text": "Dear Mart"}, 204)
    await staff.json("ana", "PUT", path, {"kind": "note", "text": "Look"}, 204)
    assert (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["drafts"] == {
        "reply": "Dear Mart", "note": "Look",
    }  # fmt: skip
    assert (await staff.json("ben", "GET", f"/api/conversations/{marta}/desk"))["drafts"] == {}
    assert len((await staff.json("ana", "GET", "/api/drafts"))["drafts"]) == 2
    await staff.json("ana", "POST", f"/api/conversations/{marta}/notes", {"text": "Look here"}, 201)
    await staff.json("ana", "PUT", path, {"text": "  "}, 204)
    assert (await staff.json("ana", "GET", "/api/drafts"))["drafts"] == []
    assert await audited(staff) == ["note.add"]
    await staff.json("ana", "PUT", "/api/conversations/nowhere/draft", {"text": "x"}, 404)


async def test_only_staff_change_things(staff: Staff):
    marta = await staff.talk("marta")
    for method, path in (
        ("POST", f"/api/conversations/{marta}/notes"),
        ("POST", f"/api/conversations/{marta}/send"),
        ("POST", f"/api/conversations/{marta}/snooze"),
        ("PUT", f"/api/conversations/{marta}/priority"),
        ("POST", "/api/labels"),
        ("POST", "/api/canned"),
        ("POST", f"/api/conversations/{marta}/suggestion"),
    ):
        assert (await staff.call("vera", method, path, {})).status == 403, path
        assert (await staff.call("nobody", method, path, {})).status == 401, path


async def test_what_staff_wrote_is_forgotten_with_the_messages(staff: Staff):
    marta = await staff.talk("marta")
    await staff.json("ana", "POST", f"/api/conversations/{marta}/notes", {"text": "x", "mentions": ["ben"]}, 201)
    await staff.json("ana", "PUT", f"/api/conversations/{marta}/draft", {"text": "Dear"}, 204)

    async def old(tx: Any) -> None:
        for name in ("old_notes", "old_drafts", "old_sends", "old_uploads"):
            await tx.run(f"inbox_desk.{name}", tenant=TENANT, before=time.time() + 60)

    await staff.desk.jobs()["forget-desk"]({})
    assert (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["notes"] != []
    await staff.store.write(old)
    shown = await staff.json("ana", "GET", f"/api/conversations/{marta}/desk")
    assert (shown["notes"], shown["drafts"]) == ([], {})
