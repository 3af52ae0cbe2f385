"""Labels: carried, removed, brought back."""

import json
from typing import Any

import pytest

from tests.server.staff import Staff


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def told(staff: Staff, kind: str) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in await staff.events() if row["kind"] == kind]


async def test_labels_are_carried_removed_and_brought_back(staff: Staff):
    marta = await staff.talk("marta")
    made = [(await staff.json("ana", "POST", "/api/labels", {"name": name}, 201))["id"] for name in ("vip", "late")]
    await staff.json("ana", "POST", "/api/labels", {"name": "vip"}, 409)
    await staff.json("ana", "PUT", f"/api/conversations/{marta}/labels", {"labels": [*made, made[0]]}, 204)
    await staff.json("ana", "PUT", f"/api/conversations/{marta}/labels", {"labels": ["unknown"]}, 409)
    assert (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["labels"] != []
    assert [row["open"] for row in (await staff.json("vera", "GET", "/api/labels"))["labels"]] == [1, 1]
    await staff.json("ana", "DELETE", f"/api/labels/{made[0]}", None, 204)
    assert (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["labels"] == [made[1]]
    await staff.json("ana", "POST", f"/api/labels/{made[0]}/restore", None, 204)
    await staff.json("ana", "PUT", f"/api/labels/{made[1]}", {"name": "late!", "colour": "#ff0000"}, 204)
    labels = (await staff.json("ana", "GET", "/api/labels"))["labels"]
    assert [(row["name"], row["colour"]) for row in labels] == [("late!", "#ff0000"), ("vip", "#6b7280")]
    lines = (await staff.json("ana", "GET", f"/api/inbox?label={made[0]}"))["conversations"]
    assert [line["id"] for line in lines] == [marta]
    await staff.json("ana", "DELETE", "/api/labels/unknown", None, 404)
    assert await told(staff, "labels") == [{"seq": 2, "labels": made}]
