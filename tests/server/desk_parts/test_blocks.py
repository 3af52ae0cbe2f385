"""Blocked customers: heard by nobody, kept all the same; over HTTP, on both stores."""

from __future__ import annotations

import time
from typing import Any

from channels.message import Inbound
from config.settings import Settings
from server.desk.blocks import BLOCKED, UNBLOCKED
from server.gateway import Gateway
from server.store.contract import Row
from server.store.statements import load, parse
from server.telemetry import Metrics
from tests.server.staff import TENANT, Staff

SAME = """
-- name: same_customer
-- Another conversation of a customer.
update conversation set customer_id = :customer where id = :id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("test_blocks", SAME, dialect))
MARKUP = "<script>alert(1)</script>"


async def write(staff: Staff, name: str, text: str, number: int) -> None:
    gateway = Gateway(staff.store, Settings(tenant=TENANT), Metrics())
    await gateway.accept(Inbound("telegram", "default", name, f"x{number}", text, time.time()))


async def now(staff: Staff, talk: str) -> Row:
    row = await staff.store.row("inbox.one", tenant=TENANT, id=talk)
    assert row is not None
    return row


async def lane(staff: Staff, talk: str) -> int:
    row = await staff.store.row("conversations.in_tail", tenant=TENANT, conversation_id=talk)
    return int(row["tail"]) if row else 0


async def notes(staff: Staff, talk: str) -> list[Any]:
    detail = await staff.json("ben", "GET", f"/api/conversations/{talk}/desk")
    return [note["text"] for note in detail["notes"]]


async def test_what_a_blocked_customer_writes_is_kept_and_nothing_else(both_staff: Staff):
    talk = await both_staff.talk("tom", "telegram")
    one = f"/api/conversations/{talk}/block"
    await both_staff.json("ana", "POST", one, {"reason": MARKUP}, 204)
    row = await now(both_staff, talk)
    assert (row["status"], row["banned_at"] is not None) == ("closed", True)
    before = await lane(both_staff, talk)
    await write(both_staff, "tom", "I want a person!", 1)
    row = await now(both_staff, talk)
    assert (row["status"], await lane(both_staff, talk)) == ("closed", before)
    messages = await both_staff.store.rows("inbox.messages", tenant=TENANT, id=talk, before=2**62, count=9)
    assert messages[0]["text"] == "I want a person!"
    assert await notes(both_staff, talk) == [f"{BLOCKED} {MARKUP}"]
    await both_staff.json("ben", "DELETE", one, None, 204)
    await write(both_staff, "tom", "Sorry.", 2)
    row = await now(both_staff, talk)
    assert (row["status"], row["banned_at"], await lane(both_staff, talk)) == ("bot", None, before + 1)
    assert await notes(both_staff, talk) == [f"{BLOCKED} {MARKUP}", UNBLOCKED]


async def test_every_conversation_of_the_customer_is_blocked(both_staff: Staff):
    first, second = await both_staff.talk("tom", "telegram"), await both_staff.talk("tim", "whatsapp")

    async def unit(tx: Any) -> None:
        await tx.run("test_blocks.same_customer", id=second, customer="ctom")

    await both_staff.store.write(unit)
    await both_staff.json("ana", "POST", f"/api/conversations/{first}/block", {}, 204)
    assert [(await now(both_staff, talk))["banned_at"] is not None for talk in (first, second)] == [True, True]
    await both_staff.json("ana", "DELETE", f"/api/conversations/{second}/block", None, 204)
    assert [(await now(both_staff, talk))["banned_at"] for talk in (first, second)] == [None, None]


async def test_who_may_block_and_what(staff: Staff):
    talk = await staff.talk("tom")
    assert (await staff.call("vera", "POST", f"/api/conversations/{talk}/block", {})).status == 403
    assert (await staff.call("ana", "POST", "/api/conversations/nobody/block", {})).status == 404
    assert (await staff.call("ana", "DELETE", "/api/conversations/nobody/block")).status == 404
    assert (await staff.call("ana", "POST", f"/api/conversations/{talk}/block", {"reason": "x" * 501})).status == 422
