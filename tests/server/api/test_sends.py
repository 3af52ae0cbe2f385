"""What staff send over both stores: undo, repeats, races with claims, files within limits, the window, retries."""

import asyncio
import json
import time
from functools import partial
from typing import Any

import pytest

from server.desk import sends as sends_module
from server.handoff import Handoff
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.server.staff import TENANT, Staff, open_staff

PATIENCE_S = 15.0
QUERIES = """
-- name: outbox
-- Everything queued for platforms by people; beside it a customer is told who took over.
select o.id, o.message_id, o.state, o.author from outbox o join message m on m.id = o.message_id
where coalesce(m.author, '') <> '' order by o.created_at, o.id;
-- name: ended
-- A row ended badly.
update outbox set state = :state where id = :id;
-- name: parts
-- Its parts.
select number, state from part where outbox_id = :id order by number;
-- name: part
-- A part as it was left.
insert into part (id, tenant, outbox_id, number, channel, account, payload, state, updated_at)
values (:id, 'shop', :outbox, cast(:number as integer), 'telegram', 'default', '{}', :state, 0);
-- name: silent_since
-- The customer wrote long ago.
update conversation set said_at = said_at - 90000 where id = :id;
-- name: due_now
-- Every moment has come.
update scheduled_message set due_at = due_at - 1000 where state = 'waiting';
-- name: items
-- What waits in out lanes.
select i.body from item i join lane l on l.id = i.lane_id where l.kind = 'out' order by i.seq;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("sends_bench", QUERIES, dialect))


@pytest.fixture
async def staff(both_staff: Staff) -> Staff:
    """On each kind of store."""
    return both_staff


@pytest.fixture(autouse=True)
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment comes when a test says so, however busy the machine is."""
    monkeypatch.setattr("server.api.sends.UNDO_S", 600.0)


async def the_moment_comes(staff: Staff) -> None:
    """Nobody waits for five seconds in a test."""

    async def unit(tx: Tx) -> None:
        await tx.run("sends_bench.due_now")
        tx.notify(sends_module.TOPIC)

    await staff.store.write(unit)


async def claimed(staff: Staff, name: str = "marta", channel: str = "web") -> str:
    conversation_id = await staff.talk(name, channel)
    await Handoff(staff.store).claim(conversation_id, "ana")
    return conversation_id


async def said(staff: Staff, conversation_id: str) -> list[str]:
    rows = await staff.store.rows("inbox.messages", tenant=TENANT, id=conversation_id, before=2**60, count=99)
    return [row["text"] for row in reversed(rows) if row["role"] == "staff"]


async def until_said(staff: Staff, conversation_id: str, *texts: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await said(staff, conversation_id) != list(texts):
            await asyncio.sleep(0.02)


async def kinds(staff: Staff, *wanted: str) -> list[tuple[str, Any]]:
    rows = [(row["kind"], json.loads(row["body"])) for row in await staff.events()]
    return [(kind, body.get("why")) for kind, body in rows if kind in wanted]


@pytest.mark.parametrize("channel", ["web", "telegram"])
async def test_a_message_goes_out_after_its_moment_and_not_before(staff: Staff, channel: str):
    marta = await claimed(staff, channel=channel)
    started = time.time()
    made = await staff.json("ana", "POST", f"/api/conversations/{marta}/send", {"text": "On its way!"}, 202)
    assert (made["state"], made["due_at"] - started > 4.5) == ("waiting", True)
    assert (await said(staff, marta), await staff.store.rows("sends_bench.outbox")) == ([], [])
    (waiting,) = (await staff.json("vera", "GET", f"/api/conversations/{marta}/desk"))["scheduled"]
    assert (waiting["id"], waiting["text"], waiting["author_name"]) == (made["id"], "On its way!", "Ana")
    await the_moment_comes(staff)
    await until_said(staff, marta, "On its way!")
    rows = await staff.store.rows("sends_bench.outbox")
    assert [row["message_id"] for row in rows] == ([made["id"]] if channel == "telegram" else [])
    assert (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["scheduled"] == []
    if channel == "web":  # its customer has it
        await staff.json("ana", "DELETE", f"/api/conversations/{marta}/send/{made['id']}", None, 409)


async def test_a_message_can_be_taken_back_until_then(staff: Staff):
    marta = await claimed(staff)
    path = f"/api/conversations/{marta}/send"
    await staff.json("ana", "PUT", f"/api/conversations/{marta}/draft", {"text": "Wrong wor"}, 204)
    made = await staff.json("ana", "POST", path, {"text": "Wrong words"}, 202)
    assert made["due_at"] > time.time()
    assert (await staff.json("ana", "GET", f"/api/conversations/{marta}/desk"))["drafts"] == {}
    await staff.json("ben", "DELETE", f"{path}/{made['id']}", None, 409)
    taken = await staff.json("ana", "DELETE", f"{path}/{made['id']}")
    assert taken == {"id": made["id"], "text": "Wrong words", "attachments": []}
    await staff.json("ana", "DELETE", f"{path}/{made['id']}", None, 409)
    await staff.json("ana", "DELETE", f"{path}/unknown", None, 404)
    await staff.json("ana", "POST", path, {"text": "At once", "undo": False}, 202)
    assert await said(staff, marta) == ["At once"]
    assert await kinds(staff, "scheduled", "unscheduled") == [("scheduled", None), ("unscheduled", "taken_back")]
    customers = await staff.store.rows("conversations.events_after", conversation_id=marta, after=0, limit=99)
    assert "Wrong words" not in " ".join(row["body"] for row in customers)


async def test_taking_back_and_the_moment_itself_have_one_winner(staff: Staff):
    marta = await claimed(staff)
    desk, path = staff.desk.sends, f"/api/conversations/{marta}/send"
    for number in range(20):
        made = await staff.json("ana", "POST", path, {"text": f"{number}"}, 202)
        answer, _ = await asyncio.gather(
            staff.call("ana", "DELETE", f"{path}/{made['id']}"),
            staff.store.write(partial(desk._due, made["id"]), order=marta),
        )
        taken = answer.status == 200
        assert (f"{number}" in await said(staff, marta)) is not taken


async def test_whoever_claims_meanwhile_stops_it_and_its_author_may_close(staff: Staff):
    handoff = Handoff(staff.store)
    marta, luis, nina = [await claimed(staff, name) for name in ("marta", "luis", "nina")]
    for conversation_id in (marta, luis, nina):
        await staff.json("ana", "POST", f"/api/conversations/{conversation_id}/send", {"text": "Bye"}, 202)
    await handoff.give_back(marta, "ana")
    await handoff.claim(marta, "ben")
    await handoff.close(luis, "ana")
    await handoff.give_back(nina, "ana")
    await the_moment_comes(staff)
    await until_said(staff, luis, "Bye")
    await until_said(staff, nina, "Bye")
    async with asyncio.timeout(PATIENCE_S):
        while await kinds(staff, "unscheduled") != [("unscheduled", "changed_hands")]:
            await asyncio.sleep(0.02)
    assert await said(staff, marta) == []


async def test_only_the_claimer_sends_and_repeats_send_once(staff: Staff):
    marta, luis = await claimed(staff), await claimed(staff, "luis")
    path = f"/api/conversations/{marta}/send"
    await staff.json("ben", "POST", path, {"text": "Hi"}, 409)
    await staff.json("ana", "POST", "/api/conversations/nowhere/send", {"text": "Hi"}, 404)
    await staff.json("ana", "POST", path, {"text": "  "}, 422)
    answers = [
        await staff.call("ana", "POST", path, {"text": "Hi", "undo": False}, Idempotency_Key="one") for _ in range(3)
    ]
    assert {answer.status for answer in answers} == {202}
    assert len({(await answer.json())["id"] for answer in answers}) == 1
    assert await said(staff, marta) == ["Hi"]
    elsewhere = f"/api/conversations/{luis}/send"
    assert (await staff.call("ana", "POST", elsewhere, {"text": "Hi"}, Idempotency_Key="one")).status == 409
    assert (await staff.call("ana", "POST", path, {"text": "Hi"}, Idempotency_Key="x" * 201)).status == 422


async def test_waiting_messages_survive_a_restart_in_order(store_url: str) -> None:
    async with open_staff(store_url) as before:
        marta = await claimed(before)
        for text in ("one", "two", "three"):
            await before.json("ana", "POST", f"/api/conversations/{marta}/send", {"text": text}, 202)
    async with open_staff(store_url, people=False) as staff:
        await staff.store.write(lambda tx: tx.run("sends_bench.due_now"))  # nothing notifies: the poll finds them
        await until_said(staff, marta, "one", "two", "three")


async def test_channel_limits_and_the_window_are_shown_and_kept(staff: Staff):
    luis = await claimed(staff, "luis", "whatsapp")
    shown = (await staff.json("vera", "GET", f"/api/conversations/{luis}/desk"))["room"]
    assert shown["closes_at"] == pytest.approx(time.time() + 86_400, abs=60)
    assert {name: shown[name] for name in ("text_units", "unit", "open", "template", "image_bytes", "running")} == {
        "text_units": 1_600, "unit": "characters", "open": True, "template": True, "image_bytes": 5_000_000,
        "running": True,
    }  # fmt: skip
    await staff.store.write(lambda tx: tx.run("sends_bench.silent_since", id=luis))
    assert not (await staff.json("vera", "GET", f"/api/conversations/{luis}/desk"))["room"]["open"]
    refused = await staff.json("ana", "POST", f"/api/conversations/{luis}/send", {"text": "Hi"}, 409)
    assert "template" in refused["detail"]
    web = (await staff.json("vera", "GET", f"/api/conversations/{await claimed(staff)}/desk"))["room"]
    assert (web["unit"], web["file_bytes"], web["closes_at"], web["open"]) == ("bytes", 0, None, True)
    off = (await staff.json("vera", "GET", f"/api/conversations/{await claimed(staff, 'omar', 'slack')}/desk"))["room"]
    assert not off["running"]


async def test_what_did_not_arrive_is_sent_again_and_nothing_else(staff: Staff):
    marta = await claimed(staff, channel="telegram")
    sent = await staff.json("ana", "POST", f"/api/conversations/{marta}/send", {"text": "Hi", "undo": False}, 202)
    path = f"/api/conversations/{marta}/messages/{sent['id']}/retry"
    await staff.json("ana", "POST", path, None, 409)  # it is on its way
    (row,) = await staff.store.rows("sends_bench.outbox")

    async def fail(tx: Tx) -> None:
        await tx.run("sends_bench.ended", id=row["id"], state="failed")
        for number, state in enumerate(("delivered", "failed", "queued", "uncertain"), 1):
            await tx.run("sends_bench.part", id=f"p{number}", outbox=row["id"], number=number, state=state)

    await staff.store.write(fail)
    await staff.json("vera", "POST", path, None, 403)
    await staff.json("ana", "POST", path, None, 204)
    parts = await staff.store.rows("sends_bench.parts", id=row["id"])
    assert [part["state"] for part in parts] == ["delivered", "queued", "queued", "uncertain"]
    items = [json.loads(item["body"])["outbox"] for item in await staff.store.rows("sends_bench.items")]
    assert items == [row["id"]] * 2
    await staff.json("ana", "POST", path, None, 409)
    await staff.json("ana", "POST", f"/api/conversations/{marta}/messages/unknown/retry", None, 404)
    assert [body for kind, body in await kinds(staff, "delivery")] == [None]


def test_the_moment_is_five_seconds():
    assert sends_module.UNDO_S == 5.0


async def test_what_waits_for_its_platform_can_still_be_taken_back(staff: Staff):
    marta = await claimed(staff, channel="telegram")
    path = f"/api/conversations/{marta}/send"
    first = await staff.json("ana", "POST", path, {"text": "One", "undo": False}, 202)
    second = await staff.json("ana", "POST", path, {"text": "Two", "undo": False}, 202)
    assert (await staff.json("ana", "DELETE", f"{path}/{first['id']}"))["text"] == "One"
    await staff.json("ana", "DELETE", f"{path}/{first['id']}", None, 409)
    rows = {row["message_id"]: row["state"] for row in await staff.store.rows("sends_bench.outbox")}
    assert rows == {first["id"]: "cancelled", second["id"]: "queued"}
    (row,) = [row for row in await staff.store.rows("sends_bench.outbox") if row["message_id"] == second["id"]]

    async def left(tx: Tx) -> None:
        await tx.run("sends_bench.part", id="p1", outbox=row["id"], number=1, state="queued")
        await tx.run("outbox.mark_part", id="p1", repeat=0, now=tx.now_s)

    await staff.store.write(left)
    await staff.json("ana", "DELETE", f"{path}/{second['id']}", None, 409)


TEMPLATE = {"key": "order_ready", "language": "en", "values": ["Luis", " #1042\n(two  boxes) "]}


async def test_outside_the_window_a_template_goes_out_and_can_be_taken_back_until_then(staff: Staff):
    luis = await claimed(staff, "luis", "whatsapp")
    await staff.store.write(lambda tx: tx.run("sends_bench.silent_since", id=luis))
    room = (await staff.json("vera", "GET", f"/api/conversations/{luis}/desk"))["room"]
    assert [(each["key"], each["variables"]) for each in room["templates"]] == [("order_ready", 2), ("HX0123", 0)]
    path, words = f"/api/conversations/{luis}/send", "Hello Luis, your order #1042 (two boxes) is ready."
    made = await staff.json("ana", "POST", path, {"template": TEMPLATE}, 202)
    (waiting,) = (await staff.json("vera", "GET", f"/api/conversations/{luis}/desk"))["scheduled"]
    assert (waiting["id"], waiting["text"]) == (made["id"], words)
    taken = await staff.json("ana", "DELETE", f"{path}/{made['id']}")
    assert taken == {"id": made["id"], "text": "", "attachments": []}
    made = await staff.json("ana", "POST", path, {"template": TEMPLATE}, 202)
    await the_moment_comes(staff)
    await until_said(staff, luis, words)
    (row,) = await staff.store.rows("sends_bench.outbox")
    assert (row["message_id"], row["state"]) == (made["id"], "queued")
    (last, *_rest) = await staff.store.rows("inbox.messages", tenant=TENANT, id=luis, before=2**60, count=99)
    assert json.loads(last["body"])["template"]["values"] == ["Luis", "#1042 (two boxes)"]
    await staff.store.write(lambda tx: tx.run("sends_bench.ended", id=row["id"], state="failed"))
    await staff.json("ana", "POST", f"/api/conversations/{luis}/messages/{made['id']}/retry", None, 204)


async def test_a_template_must_be_one_of_the_account_whole_alone_and_from_the_claimer(staff: Staff):
    luis = await claimed(staff, "luis", "whatsapp")
    path = f"/api/conversations/{luis}/send"
    await staff.json("ben", "POST", path, {"template": TEMPLATE}, 409)
    for wrong, status, word in (
        ({"template": TEMPLATE | {"key": "other"}}, 409, "reload"),
        ({"template": TEMPLATE | {"language": "de"}}, 409, "reload"),
        ({"template": TEMPLATE | {"values": ["Luis"]}}, 409, "takes 2 values, not 1"),
        ({"template": TEMPLATE | {"values": ["Luis", " "]}}, 422, "values"),
        ({"template": TEMPLATE, "text": "and this"}, 422, "alone"),
    ):
        refused = await staff.json("ana", "POST", path, wrong, status)
        assert word in json.dumps(refused), refused
    for name, channel in (("marta", "web"), ("tom", "telegram")):
        other = f"/api/conversations/{await claimed(staff, name, channel)}/send"
        await staff.json("ana", "POST", other, {"template": TEMPLATE}, 409)


async def test_a_claim_by_somebody_else_stops_a_waiting_template(staff: Staff):
    luis = await claimed(staff, "luis", "whatsapp")
    await staff.json("ana", "POST", f"/api/conversations/{luis}/send", {"template": TEMPLATE}, 202)
    await Handoff(staff.store).give_back(luis, "ana")
    await Handoff(staff.store).claim(luis, "ben")
    await the_moment_comes(staff)
    async with asyncio.timeout(PATIENCE_S):
        while ("unscheduled", "changed_hands") not in await kinds(staff, "unscheduled"):
            await asyncio.sleep(0.02)
    assert await said(staff, luis) == []
