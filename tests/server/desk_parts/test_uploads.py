"""Files that staff add: typed by content, within limits, and theirs again when a message is taken back."""

import json
from typing import Any

import pytest

from server.handoff import Handoff
from tests.server.staff import Staff

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 600


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def claimed(staff: Staff, name: str = "marta", channel: str = "web") -> str:
    conversation_id = await staff.talk(name, channel)
    await Handoff(staff.store).claim(conversation_id, "ana")
    return conversation_id


async def upload(staff: Staff, conversation_id: str, content: bytes, name: str, mime: str, status: int = 201) -> Any:
    path = f"/api/conversations/{conversation_id}/files?name={name}"
    answer = await staff.call("ana", "POST", path, data=content, Content_Type=mime)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def test_files_go_with_a_message_within_the_channels_limits(staff: Staff, monkeypatch: pytest.MonkeyPatch):
    marta = await claimed(staff, channel="telegram")
    made = await upload(staff, marta, PNG, "map.png", "image/png")
    assert {name: made[name] for name in ("name", "mime", "kind", "size_bytes")} == {
        "name": "map.png", "mime": "image/png", "kind": "image", "size_bytes": len(PNG),
    }  # fmt: skip
    body = {"text": "See the map", "uploads": [made["id"]], "undo": False}
    sent = await staff.json("ana", "POST", f"/api/conversations/{marta}/send", body, 202)
    rows = await staff.store.rows("media.of_message", conversation_id=marta, message_id=sent["id"])
    assert [(row["id"], row["state"], row["mime"]) for row in rows] == [(made["id"], "stored", "image/png")]
    (message,) = [row for row in await staff.events() if row["kind"] == "message" and "See the map" in row["body"]]
    (attachment,) = json.loads(message["body"])["attachments"]
    assert (attachment["ref"], attachment["kind"]) == (made["id"], "image")
    await staff.json("ana", "POST", f"/api/conversations/{marta}/send", body, 409)  # it went already
    await upload(staff, marta, b"\x7fELF" + b"\0" * 600, "a.png", "image/png", 409)
    await upload(staff, marta, b"", "a.txt", "text/plain", 409)
    await upload(staff, await claimed(staff, "luis"), PNG, "a.png", "image/png", 409)  # the web chat shows none
    monkeypatch.setattr("server.desk.places.FILES", {"telegram": 300})
    await upload(staff, marta, PNG, "map.png", "image/png", 413)


async def test_a_taken_back_message_gives_its_files_back(staff: Staff):
    marta = await claimed(staff, channel="telegram")
    made = await upload(staff, marta, PNG, "map.png", "image/png")
    path = f"/api/conversations/{marta}/send"
    sent = await staff.json("ana", "POST", path, {"uploads": [made["id"]]}, 202)
    taken = await staff.json("ana", "DELETE", f"{path}/{sent['id']}")
    assert [file["ref"] for file in taken["attachments"]] == [made["id"]]
    await staff.json("ana", "POST", path, {"uploads": [made["id"]], "undo": False}, 202)
