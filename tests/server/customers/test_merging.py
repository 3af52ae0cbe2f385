"""Two customers who are one person, and the way back, on both stores."""

from __future__ import annotations

import pytest

from server.conversation import NotFound, Refused
from server.customers.merging import merge, unmerge
from server.customers.records import Customers
from tests.server.customers.people import known, proven
from tests.server.staff import TENANT, Staff


async def both(staff: Staff, kept: str, merged: str) -> str:
    return await staff.store.write(lambda tx: merge(tx, TENANT, kept, merged, "ana"), order="~")


async def undone(staff: Staff, merge_id: str) -> tuple[str, str]:
    return await staff.store.write(lambda tx: unmerge(tx, TENANT, merge_id, "ben"), order="~")


async def talks(staff: Staff, customer: str) -> set[str]:
    record = await Customers(staff.store, TENANT).read(customer)
    return {str(row["id"]) for row in record.conversations}


async def test_addresses_move_and_come_back(both_staff: Staff) -> None:
    one, two, three = [await known(both_staff, name) for name in ("nora", "norah", "quinn")]
    first = await both(both_staff, "cnora", "cnorah")
    assert await talks(both_staff, "cnora") == {one, two}
    with pytest.raises(NotFound):
        await talks(both_staff, "cnorah")
    second = await both(both_staff, "cquinn", "cnora")
    assert await talks(both_staff, "cquinn") == {one, two, three}
    record = await Customers(both_staff.store, TENANT).read("cquinn")
    assert [(row["merged_id"], row["basis"]) for row in record.merges] == [("cnora", "person")]
    with pytest.raises(Refused):
        await undone(both_staff, first)
    assert await undone(both_staff, second) == ("cquinn", "cnora")
    assert await talks(both_staff, "cnora") == {one, two}
    assert await undone(both_staff, first) == ("cnora", "cnorah")
    assert (await talks(both_staff, "cnora"), await talks(both_staff, "cnorah")) == ({one}, {two})
    with pytest.raises(NotFound):
        await undone(both_staff, first)


async def test_what_the_shop_proved_to_be_two_stays_two(both_staff: Staff) -> None:
    await known(both_staff, "nora", address="user:77", verified=True)
    talk = await known(both_staff, "tom")
    await proven(both_staff, talk, "78")
    with pytest.raises(Refused, match="different customers"):
        await both(both_staff, "cnora", "ctom")
    again = await known(both_staff, "phone", channel="whatsapp", profile={})
    await proven(both_staff, again, "77")
    alike = (await Customers(both_staff.store, TENANT).read("cnora")).alike
    assert [(one.id, one.basis) for one in alike] == [("cphone", "proven")]
    await both(both_staff, "cnora", "cphone")
    record = await Customers(both_staff.store, TENANT).read("cnora")
    assert [row["basis"] for row in record.merges] == ["proven"]


async def test_a_merge_proves_nobody(both_staff: Staff) -> None:
    """The address that came with a merge is as unproven as before: personal tools ask its own conversation."""
    await known(both_staff, "nora", address="user:77", verified=True)
    await known(both_staff, "guest", profile={"email": "nora@example.com"})
    await both(both_staff, "cnora", "cguest")
    record = await Customers(both_staff.store, TENANT).read("cnora")
    assert {row["id"]: row["verified"] for row in record.identities} == {"inora": 1, "iguest": 0}


async def test_nobody_is_merged_with_themselves_or_with_strangers(both_staff: Staff) -> None:
    await known(both_staff, "nora")
    with pytest.raises(Refused):
        await both(both_staff, "cnora", "cnora")
    with pytest.raises(NotFound):
        await both(both_staff, "cnora", "nobody")
    with pytest.raises(NotFound):
        await both_staff.store.write(lambda tx: merge(tx, "another", "cnora", "cnora2", "ana"))
