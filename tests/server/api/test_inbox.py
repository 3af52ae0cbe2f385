"""The staff's list over both stores: views, counts, filters, order, search, saved filters, read marks."""

import asyncio
import time
from typing import Any

import pytest

from server.desk.words import bounds, words
from tests.server.staff import TENANT, Staff


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


async def ids(staff: Staff, query: str = "", who: str = "ana") -> list[str]:
    found = await staff.json(who, "GET", f"/api/inbox?{query}")
    return [row["id"].removeprefix("conversation-") for row in found["conversations"]]


async def test_a_line_shows_what_the_list_needs(staff: Staff):
    marta = await staff.talk("marta", texts=("Hello", "Where is my parcel?"))
    await staff.json("ana", "PUT", f"/api/conversations/{marta}/priority", {"priority": "urgent"}, 204)
    label = (await staff.json("ana", "POST", "/api/labels", {"name": "parcel"}, 201))["id"]
    await staff.json("ana", "PUT", f"/api/conversations/{marta}/labels", {"labels": [label]}, 204)
    (line,) = (await staff.json("ana", "GET", f"/api/inbox?ids={marta},unknown"))["conversations"]
    wanted = {
        "id": marta, "customer_name": "Marta", "preview": "Where is my parcel?", "preview_role": "customer",
        "priority": "urgent", "labels": [label], "unread": True, "snoozed": False, "owner": None, "status": "bot",
    }  # fmt: skip
    assert {name: line[name] for name in wanted} == wanted
    await staff.json("ana", "POST", f"/api/conversations/{marta}/seen", {"seq": 99}, 204)
    assert not (await staff.json("ana", "GET", "/api/inbox"))["conversations"][0]["unread"]
    assert (await staff.json("ben", "GET", "/api/inbox"))["conversations"][0]["unread"]
    assert (await staff.json("ana", "GET", "/api/views"))["labels"] == {label: 1}


async def found(staff: Staff, q: str) -> list[str]:
    await staff.desk.search.catch_up()
    answer: Any = await staff.json("vera", "GET", f"/api/search?q={q}")
    return [row["text"] for row in answer["messages"]]


async def test_messages_are_found_by_the_beginnings_of_their_words(staff: Staff):
    await staff.talk("marta", texts=("My parcel has not arrived", "The PARCEL number is AB-1234"))
    await staff.talk("luis", texts=("¿Dónde está mi envío?", "注文はどこですか"))
    assert await found(staff, "parcel") == ["The PARCEL number is AB-1234", "My parcel has not arrived"]
    assert await found(staff, "arriv parc") == ["My parcel has not arrived"]
    assert await found(staff, "envio") == ["¿Dónde está mi envío?"]
    assert await found(staff, "注文") == ["注文はどこですか"]
    assert await found(staff, "1234 missing") == []
    assert await found(staff, "???") == []
    assert await ids(staff, "q=parcel") == ["marta"]
    assert await ids(staff, "q=lui") == ["luis"]  # by the customer's name
    assert await ids(staff, "q=%25") == []
    first = await staff.json("ana", "GET", "/api/search?q=parcel&limit=1")
    second = await staff.json("ana", "GET", f"/api/search?q=parcel&limit=1&cursor={first['next']}")
    assert (second["messages"][0]["text"], second["next"]) == ("My parcel has not arrived", None)


async def test_new_messages_can_be_found_soon_and_removed_ones_are_gone(staff: Staff):
    marta = await staff.talk("marta", texts=("A kettle, please",))
    async with asyncio.timeout(10):
        while not (await staff.json("ana", "GET", "/api/search?q=kettle"))["messages"]:
            await asyncio.sleep(0.05)
    message = (await staff.json("ana", "GET", "/api/search?q=kettle"))["messages"][0]
    assert (message["conversation_id"], message["customer_name"]) == (marta, "Marta")
    await staff.store.write(lambda tx: tx.run("retention.messages", tenant=TENANT, before=time.time() + 60, limit=10))
    assert (await staff.json("ana", "GET", "/api/search?q=kettle"))["messages"] == []


async def test_saved_views_belong_to_somebody_and_may_be_shared(staff: Staff):
    mine = (await staff.json("ana", "POST", "/api/views", {"name": "Urgent", "query": {"priority": "urgent"}}, 201))[
        "id"
    ]
    await staff.json("ben", "POST", "/api/views", {"name": "All", "query": {"view": "all"}, "shared": True}, 201)
    saved = (await staff.json("ana", "GET", "/api/views"))["saved"]
    assert [(row["name"], row["mine"], row["query"]) for row in saved] == [
        ("All", False, {"view": "all"}), ("Urgent", True, {"priority": "urgent"}),
    ]  # fmt: skip
    assert [row["name"] for row in (await staff.json("ben", "GET", "/api/views"))["saved"]] == ["All"]
    changed = {"name": "Hot", "query": {"sort": "waiting"}}
    await staff.json("ben", "PUT", f"/api/views/{mine}", changed, 404)
    await staff.json("ana", "PUT", f"/api/views/{mine}", changed, 204)
    assert {"Hot"} == {row["name"] for row in (await staff.json("ana", "GET", "/api/views"))["saved"] if row["mine"]}
    await staff.json("ben", "DELETE", f"/api/views/{mine}", None, 404)
    await staff.json("adam", "DELETE", f"/api/views/{mine}", None, 204)
    await staff.json("ana", "POST", "/api/views", {"name": "Odd", "query": {"sql": "1"}}, 422)
    await staff.json("vera", "POST", "/api/views", {"name": "Own", "query": {}}, 201)
    await staff.json("vera", "POST", "/api/views", {"name": "Own", "query": {}, "shared": True}, 403)


def test_words_are_folded_alike_in_both_databases():
    assert words("Größe & Straße, ÉTÉ!") == ["grosse", "strasse", "ete"]
    assert all(word.isascii() and word.isalnum() for word in words("Где мой заказ 注文"))
    assert words("注文はどこ")[0] == words("注文")[0]
    assert len(words(" ".join(map(str, range(1_000))))) == 200
    assert bounds("a longer b c d e")["low1"] == "longer"
    assert set(bounds("").values()) == {""}
