import json

import pytest

from server.routes import Role
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.server.desk import TENANT, Desk


async def talk(desk: Desk, number: int, tenant: str = TENANT, conversation_id: str = "") -> str:
    """A conversation with one message, made at a time of its own."""
    conversation_id = conversation_id or f"conversation-{tenant}-{number}"
    at = desk.clock() + number
    place = {"tenant": tenant, "channel": "web", "account": "default", "address": conversation_id}

    async def unit(tx: Tx) -> None:
        await tx.run("conversations.create_customer", id=f"c{conversation_id}", tenant=tenant, name="Marta", now=at)
        await tx.run(
            "conversations.create_identity", **place, id=f"i{conversation_id}", customer_id=f"c{conversation_id}",
            verified=0, profile="{}", now=at,
        )  # fmt: skip
        await tx.run(
            "conversations.create", **place, id=conversation_id, identity_id=f"i{conversation_id}",
            customer_id=f"c{conversation_id}", language="en", now=at,
        )  # fmt: skip
        await tx.run(
            "conversations.add_message", id=f"m{conversation_id}", tenant=tenant, conversation_id=conversation_id,
            case_id=None, seq=1, item_seq=1, channel="web", account="default", role="customer", author=None,
            text="Where is my order?", body=json.dumps({"client_message_id": "x"}), turn_id=None, release_id=None,
            now=at,
        )  # fmt: skip

    await desk.store.write(unit)
    return conversation_id


async def test_the_list_pages_newest_first_and_filters(both_desk: Desk):
    ids = [await talk(both_desk, number) for number in range(5)]
    await talk(both_desk, 9, tenant="other")
    viewer = await both_desk.signed_in(Role.VIEWER)
    first = await (await viewer.call("GET", "/api/conversations?limit=3")).json()
    second = await (await viewer.call("GET", f"/api/conversations?limit=3&cursor={first['next']}")).json()
    assert second["next"] is None
    rows = first["conversations"] + second["conversations"]
    assert [row["id"] for row in rows] == ids[::-1]
    assert (rows[0]["customer_name"], rows[0]["preview"], rows[0]["preview_role"]) == (
        "Marta",
        "Where is my order?",
        "customer",
    )
    waiting = await (await viewer.call("GET", "/api/conversations?status=waiting")).json()
    assert waiting == {"conversations": [], "next": None}
    assert (await viewer.call("GET", "/api/conversations?status=lost")).status == 422


async def test_one_conversation_with_its_messages(both_desk: Desk):
    conversation_id = await talk(both_desk, 1)
    viewer = await both_desk.signed_in(Role.VIEWER)
    found = await (await viewer.call("GET", f"/api/conversations/{conversation_id}")).json()
    assert found["conversation"]["status"] == "bot"
    assert [(message["text"], message["body"]) for message in found["messages"]] == [
        ("Where is my order?", {"client_message_id": "x"})
    ]
    assert (found["turns"], found["case"]) == ([], None)


QUERIES = """
-- name: on_platform
-- The conversation came by a messaging platform.
update conversation set channel = 'telegram', opted_out_at = 5 where id = :id;
-- name: sent
-- An answer in two parts, the second refused.
insert into part (id, tenant, outbox_id, number, channel, account, payload, state, code, detail, repeats, updated_at)
values (:id, :tenant, 'o1', cast(:number as integer), 'telegram', 'default', '{}', 'sent',
    :code, :detail, 1, 0);
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("conversations_bench", QUERIES, dialect))


async def test_what_became_of_answers_and_files_is_shown_with_each_message(both_desk: Desk):
    conversation_id = await talk(both_desk, 1)
    message_id = f"m{conversation_id}"

    async def unit(tx: Tx) -> None:
        await tx.run("conversations_bench.on_platform", id=conversation_id)
        await tx.run(
            "outbox.put", id="o1", tenant=TENANT, conversation_id=conversation_id, message_id=message_id, turn_id=None,
            channel="telegram", account="default", kind="message", author="bot", owner_epoch=0, draft_seq=None, now=1.0,
        )  # fmt: skip
        await tx.run("conversations_bench.sent", id="p1", tenant=TENANT, number=1, code=None, detail=None)
        await tx.run("conversations_bench.sent", id="p2", tenant=TENANT, number=2, code="400", detail="chat not found")
        source = json.dumps({"kind": "image", "name": "a.png", "url": "https://platform.example/secret"})
        await tx.run(
            "media.add", id="f1", tenant=TENANT, conversation_id=conversation_id, message_id=message_id, number=0,
            source=source, now=1.0,
        )  # fmt: skip

    await both_desk.store.write(unit)
    viewer = await both_desk.signed_in(Role.VIEWER)
    answer = await viewer.call("GET", f"/api/conversations/{conversation_id}")
    found = await answer.json()
    (message,) = found["messages"]
    assert {name: message["delivery"][name] for name in ("state", "code", "detail", "repeats")} == {
        "state": "queued",
        "code": "400",
        "detail": "chat not found",
        "repeats": 2,
    }
    assert [(file["id"], file["kind"], file["name"], file["state"]) for file in message["files"]] == [
        ("f1", "image", "a.png", "waiting")
    ]
    assert "secret" not in await answer.text()
    assert found["conversation"]["opted_out_at"] == 5


async def test_transitions_reach_the_handoff_with_the_caller_and_are_audited(desk: Desk):
    conversation_id = await talk(desk, 1)
    staff = await desk.signed_in(Role.STAFF)
    person = "person-staff@example.com"
    for verb in ("claim", "return", "close"):
        answer = await staff.call("POST", f"/api/conversations/{conversation_id}/{verb}")
        assert (await answer.json()) == {"id": conversation_id, "step": verb}
    answer = await staff.call("POST", f"/api/conversations/{conversation_id}/messages", {"text": " Hello! "})
    assert answer.status == 200
    assert desk.handoff.calls == [
        ("claim", conversation_id, person),
        ("return", conversation_id, person),
        ("close", conversation_id, person),
        ("say", conversation_id, person, "Hello!"),
    ]
    rows = [row for row in await desk.audit_rows() if row["action"].startswith("conversation.")]
    assert [(row["action"], row["target"], row["actor_id"]) for row in reversed(rows)] == [
        (f"conversation.{verb}", conversation_id, person) for verb in ("claim", "return", "close", "say")
    ]
    assert "Hello" not in str([dict(row) for row in rows])


@pytest.mark.parametrize(("conversation_id", "status"), [("busy", 409), ("nowhere", 404), ("missing", 404)])
async def test_refusals_are_answered_with_their_reason_and_not_audited(desk: Desk, conversation_id: str, status: int):
    if conversation_id != "missing":
        await talk(desk, 1, conversation_id=conversation_id)
    staff = await desk.signed_in(Role.STAFF)
    answer = await staff.call("POST", f"/api/conversations/{conversation_id}/claim")
    assert answer.status == status
    assert (status != 409) or "Ana has it" in (await answer.json())["detail"]
    assert await desk.audit_rows("conversation.claim") == []


async def test_another_tenants_conversation_in_the_same_database_does_not_exist(both_desk: Desk):
    foreign = await talk(both_desk, 1, tenant="other")
    staff = await both_desk.signed_in(Role.STAFF)
    for method, path in (("GET", ""), ("POST", "/claim"), ("POST", "/return"), ("POST", "/close")):
        assert (await staff.call(method, f"/api/conversations/{foreign}{path}")).status == 404
    assert both_desk.handoff.calls == []


async def test_messages_of_staff_have_bounds(desk: Desk):
    conversation_id = await talk(desk, 1)
    staff = await desk.signed_in(Role.STAFF)
    for text in ("", "   ", "x" * 8_001):
        answer = await staff.call("POST", f"/api/conversations/{conversation_id}/messages", {"text": text})
        assert answer.status == 422
    assert desk.handoff.calls == []
