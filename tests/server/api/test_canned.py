"""Ready replies: kept, filled in, changed."""

import pytest

from tests.server.staff import Staff


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def test_ready_replies_are_filled_in_for_a_conversation(staff: Staff):
    marta = await staff.talk("marta lopez", "telegram")
    text = "Hello {{customer.first_name}}, this is {{ staff.name }}. {{customer.phone}} {{order}}"
    made = (await staff.json("ana", "POST", "/api/canned", {"short": "hi", "text": text}, 201))["id"]
    await staff.json("ana", "POST", "/api/canned", {"short": "hi", "text": "again"}, 409)
    await staff.json("ana", "POST", "/api/canned", {"short": "Hi there", "text": "x"}, 422)
    await staff.json("ana", "POST", "/api/canned", {"short": "hi", "text": "Hola", "language": "es"}, 201)
    await staff.json("ana", "POST", "/api/canned", {"short": "bye", "text": "Bye"}, 201)
    found = await staff.json("ana", "GET", f"/api/canned?prefix=h&conversation={marta.replace(' ', '%20')}")
    filled = {row["language"]: row for row in found["replies"]}
    assert filled[""]["filled"] == "Hello Marta, this is Ana. {{customer.phone}} {{order}}"
    assert filled[""]["missing"] == ["customer.phone", "order"]
    assert filled["es"]["filled"] == "Hola"
    assert "customer.email" in found["variables"]
    await staff.json("ben", "PUT", f"/api/canned/{made}", {"short": "hey", "text": "Hey"}, 204)
    await staff.json("ben", "DELETE", f"/api/canned/{made}", None, 204)
    await staff.json("ben", "DELETE", f"/api/canned/{made}", None, 404)
    assert len((await staff.json("ana", "GET", "/api/canned"))["replies"]) == 2
