"""Views, counts, filters and orders of the staff's list."""

import time

import pytest

from server.conversation import Reason
from server.handoff import Handoff
from tests.server.staff import Staff


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def ids(staff: Staff, query: str = "", who: str = "ana") -> list[str]:
    found = await staff.json(who, "GET", f"/api/inbox?{query}")
    return [row["id"].removeprefix("conversation-") for row in found["conversations"]]


async def counts(staff: Staff, who: str = "ana") -> dict[str, int]:
    return dict((await staff.json(who, "GET", "/api/views"))["views"])


async def test_views_show_and_count_what_they_name(staff: Staff):
    handoff = Handoff(staff.store)
    marta, luis, nina, _ = [await staff.talk(name) for name in ("marta", "luis", "nina", "omar")]
    await handoff.claim(marta, "ana")
    await handoff.ask(luis, Reason.CUSTOMER_ASKED)
    await handoff.close(nina, "ben")
    assert {view: sorted(await ids(staff, f"view={view}")) for view in await counts(staff)} == {
        "mine": ["marta"], "unassigned": ["luis", "omar"], "all": ["luis", "marta", "omar"], "mentions": [],
        "bot": ["omar"], "waiting": ["luis"], "snoozed": [], "closed": ["nina"],
    }  # fmt: skip
    assert await counts(staff) == {
        "mine": 1, "unassigned": 2, "all": 3, "mentions": 0, "bot": 1, "waiting": 1, "snoozed": 0, "closed": 1,
    }  # fmt: skip
    assert (await counts(staff, "ben"))["mine"] == 0
    found = await staff.json("vera", "GET", "/api/views")
    assert found["oldest"] <= time.time()
    assert found["channels"] == [{"channel": "web", "account": "default", "open": 3}]


async def test_filters_and_orders(staff: Staff):
    handoff = Handoff(staff.store)
    names = ["marta", "luis", "nina"]
    for name in names:
        await handoff.ask(await staff.talk(name, "telegram" if name == "nina" else "web"), Reason.CUSTOMER_ASKED)
    await staff.json("ana", "PUT", "/api/conversations/conversation-luis/priority", {"priority": "high"}, 204)
    await staff.json("ana", "PUT", "/api/conversations/conversation-marta/priority", {"priority": "low"}, 204)
    assert await ids(staff, "sort=newest") == ["nina", "luis", "marta"]
    assert await ids(staff, "sort=waiting") == names
    assert await ids(staff, "sort=priority") == ["luis", "nina", "marta"]
    assert await ids(staff, "channel=telegram") == ["nina"]
    assert await ids(staff, "priority=low") == ["marta"]
    assert await ids(staff, "owner=ana") == []
    for sort in ("newest", "waiting", "priority"):
        whole, cursor, seen = await ids(staff, f"sort={sort}"), "", []
        for _ in names:
            page = await staff.json("ana", "GET", f"/api/inbox?sort={sort}&limit=1&cursor={cursor}")
            seen += [row["id"].removeprefix("conversation-") for row in page["conversations"]]
            cursor = page["next"]
        assert (seen, cursor) == (whole, None)
    for wrong in ("view=lost", "sort=up", "ids=a;b", "priority=5", "nothing=1", "cursor=made-up"):
        assert (await staff.call("ana", "GET", f"/api/inbox?{wrong}")).status == 422
