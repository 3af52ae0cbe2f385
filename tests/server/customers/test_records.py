"""The list, one customer, and whoever may be the same person, on both stores."""

from __future__ import annotations

import json

import pytest

from server.conversation import NotFound, Refused
from server.customers.records import MOST_ATTRIBUTES, Customers, pattern
from tests.server.customers.people import known
from tests.server.staff import TENANT, Staff

FIRST = (float("inf"), "")


async def test_the_list_is_by_last_word_and_found_by_name_address_or_profile(both_staff: Staff) -> None:
    for name in ("nora", "tom", "Ömer"):
        await known(both_staff, name)
    customers = Customers(both_staff.store, TENANT)
    lines = await customers.page("", FIRST, 10)
    assert [line.id for line in lines] == ["cÖmer", "ctom", "cnora"]
    assert lines[0].channels == ("web",)
    assert (lines[0].conversations, lines[0].open_ones) == (1, 1)
    rest = await customers.page("", (lines[0].said_at, lines[0].id), 10)
    assert [line.id for line in rest] == ["ctom", "cnora"]
    assert [line.id for line in await customers.page("TOM@example", FIRST, 10)] == ["ctom"]
    assert [line.id for line in await customers.page("ömer", FIRST, 10)] == ["cÖmer"]
    assert await customers.page("100%_", FIRST, 10) == []


async def test_one_customer_has_addresses_talks_and_attributes(both_staff: Staff) -> None:
    talk = await known(both_staff, "nora", texts=("Hello", "Where is it?"))
    customers = Customers(both_staff.store, TENANT)
    await both_staff.store.write(lambda tx: customers.describe(tx, "cnora", "Nora Quinn", {"size": "L"}))
    record = await customers.read("cnora")
    assert record.customer["name"] == "Nora Quinn"
    assert record.attributes == {"size": "L"}
    assert [(one["id"], one["last_text"], one["messages"]) for one in record.conversations] == [
        (talk, "Where is it?", 2)
    ]
    assert await customers.of_conversation(talk) == "cnora"
    revealed = await both_staff.store.write(lambda tx: customers.reveal(tx, "cnora", "inora/profile.email"))
    assert revealed == "nora@example.com"
    assert [json.loads(row["body"])["what"] for row in await both_staff.events() if row["kind"] == "customer"] == [
        "changed"
    ]


async def test_whoever_shares_a_contact_may_be_the_same_person(both_staff: Staff) -> None:
    await known(both_staff, "nora")
    await known(both_staff, "nora2", channel="whatsapp", profile={"email": "NORA@example.com"})
    await known(both_staff, "tom")
    customers = Customers(both_staff.store, TENANT)
    assert [(one.id, one.basis) for one in (await customers.read("cnora")).alike] == [("cnora2", "contact")]
    assert (await customers.read("ctom")).alike == []


async def test_strangers_are_not_found(both_staff: Staff) -> None:
    await known(both_staff, "nora")
    customers = Customers(both_staff.store, TENANT)
    with pytest.raises(NotFound):
        await customers.read("nobody")
    with pytest.raises(NotFound):
        await customers.of_conversation("nowhere")
    with pytest.raises(NotFound):
        await Customers(both_staff.store, "another").read("cnora")
    many = {f"n{number}": "x" for number in range(MOST_ATTRIBUTES + 1)}
    with pytest.raises(Refused):
        await both_staff.store.write(lambda tx: customers.describe(tx, "cnora", "", many))


def test_a_pattern_takes_nothing_for_a_sign() -> None:
    assert pattern(" 50%_Ö\\ ") == "%50\\%\\__\\\\%"
