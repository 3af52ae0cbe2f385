"""The API of documents, search and gaps: who sees what, nobody's change is lost, everything is written down."""

from __future__ import annotations

from typing import Any

import pytest

from server.knowledge.contract import Retrieved
from server.routes import Role
from server.store.statements import load, parse
from tests.server.api.test_conversations import talk
from tests.server.desk import TENANT, Browser, Desk
from tests.server.wits import passage

QUERIES = """
-- name: indexed
-- As the indexer leaves a document.
update document set state = 'indexed', indexed_digest = digest where id = :id;
-- name: chunk
-- One passage.
insert into chunk (id, tenant, document_id, number, heading, text, audience, digest)
values (:id, :tenant, :document_id, 0, 'Returns', 'Thirty days.', 'customer', 'x');
-- name: alarm
-- Something is wrong.
insert into knowledge_state (tenant, name, value) values (:tenant, 'alarm:chroma', 'it does not start');
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("knowledge_api", QUERIES, dialect))

ARTICLE = {"title": "Returns", "text": "# Returns\n\nThirty days."}


async def sent(browser: Browser, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await browser.call(method, f"/api/knowledge{path}", body)
    assert answer.status == status, await answer.text()
    return await answer.json() if status != 204 else None


async def source(desk: Desk, name: str = "Internal", audience: str = "staff") -> str:
    admin = await desk.signed_in(Role.ADMIN, f"{name.lower()}@admin.example.com")
    body = {"name": name, "kind": "article", "audience": audience}
    return str((await sent(admin, "POST", "/sources", body, 201))["id"])


async def test_an_article_is_written_changed_restored_and_deleted(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    made = await sent(staff, "POST", "/documents", ARTICLE, 201)
    assert (made["version"], made["state"], made["audience"]) == (1, "queued", "customer")
    one = f"/documents/{made['id']}"
    changed = await sent(staff, "PUT", one, {"text": "# Returns\n\nSixty days.", "version": 1})
    assert changed["version"] == 2
    late = await sent(staff, "PUT", one, {"text": "Ninety days.", "version": 1}, 409)
    assert "meanwhile" in late["detail"]
    versions = (await sent(staff, "GET", f"{one}/versions"))["versions"]
    assert [(each["version"], each["changed_by"]) for each in versions] == [
        (2, "person-staff@example.com"),
        (1, "person-staff@example.com"),
    ]
    assert "Thirty" in (await sent(staff, "GET", f"{one}/versions/1"))["text"]
    assert (await sent(staff, "POST", f"{one}/restore", {"version": 1}))["version"] == 3
    assert "Thirty" in (await sent(staff, "GET", one))["text"]
    await sent(staff, "DELETE", one, status=204)
    await sent(staff, "DELETE", one, status=404)
    actions = [row["action"] for row in await both_desk.audit_rows() if row["target"] == made["id"]]
    assert actions == ["document.delete", "document.restore", "document.save", "document.write"]


async def test_documents_come_in_pages_by_title(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    for title in ("Wool", "Lamps", "Returns", 'Odd "title" ü'):
        await sent(staff, "POST", "/documents", {"title": title, "text": title}, 201)
    first = await sent(staff, "GET", "/documents?limit=3")
    rest = await sent(staff, "GET", f"/documents?limit=3&cursor={first['next']}")
    assert sorted(row["title"] for row in first["documents"] + rest["documents"]) == [
        "Lamps", 'Odd "title" ü', "Returns", "Wool",
    ]  # fmt: skip
    assert rest["next"] is None
    found = await sent(staff, "GET", "/documents?q=amp&state=queued")
    assert [row["title"] for row in found["documents"]] == ["Lamps"]
    await sent(staff, "GET", "/documents?cursor=made-up", status=422)


async def test_a_document_shows_its_passages(both_desk: Desk):
    staff = await both_desk.signed_in(Role.STAFF)
    made = await sent(staff, "POST", "/documents", ARTICLE, 201)
    key = {"tenant": TENANT, "document_id": made["id"]}
    await both_desk.store.write(lambda tx: tx.run("knowledge_api.chunk", id="c1", **key))
    await both_desk.store.write(lambda tx: tx.run("knowledge_api.indexed", id=made["id"]))
    found = await sent(staff, "GET", f"/documents/{made['id']}")
    assert found["chunks"] == [{"id": "c1", "number": 0, "heading": "Returns", "text": "Thirty days."}]
    assert (found["document"]["state"], found["text"]) == ("indexed", "# Returns\n\nThirty days.")


async def test_what_only_staff_may_read_is_hidden_from_viewers(desk: Desk):
    staff, viewer = await desk.signed_in(Role.STAFF), await desk.signed_in(Role.VIEWER)
    made = await sent(staff, "POST", "/documents", {**ARTICLE, "source": await source(desk)}, 201)
    assert made["audience"] == "staff"
    for path in ("", "/versions", "/versions/1"):
        await sent(viewer, "GET", f"/documents/{made['id']}{path}", status=404)
        await sent(staff, "GET", f"/documents/{made['id']}{path}")
    assert (await sent(viewer, "GET", "/documents"))["documents"] == []
    await sent(viewer, "GET", "/search?q=rota&audience=staff", status=403)
    await sent(staff, "GET", "/search?q=rota&audience=staff")
    await sent(viewer, "GET", "/search?q=rota&limit=3")
    assert desk.retriever.asked == [("rota", "staff", 8), ("rota", "customer", 3)]


async def test_search_tells_ranks_and_whether_it_would_answer(desk: Desk):
    viewer = await desk.signed_in(Role.VIEWER)
    found = await sent(viewer, "GET", "/search?q=May%20I%20return%20it%3F")
    assert found["hits"][0] | {"text": ""} == {
        "passage": "d1:1:0123456789ab", "document_id": "d1", "title": "Returns", "heading": "Returns > Blankets",
        "url": "https://shop.example/returns", "audience": "customer", "text": "", "score": 0.5, "lexical_rank": 1,
        "vector_rank": None, "similarity": 0.7,
    }  # fmt: skip
    assert (found["confidence"], found["answerable"], found["took_ms"]) == (0.9, True, {"lexical": 0.4})
    desk.retriever.found = Retrieved((passage(),), 0.1, degraded="vectors")
    found = await sent(viewer, "GET", "/search?q=x")
    assert (found["answerable"], found["degraded"]) == (False, "vectors")
    await sent(viewer, "GET", "/search?q=", status=422)


async def test_a_gap_is_closed_by_its_answer_or_taken_off(both_desk: Desk):
    conversation = await talk(both_desk, 1)
    for number in range(3):
        key = {"tenant": TENANT, "conversation_id": conversation, "turn_id": f"{conversation}:1"}
        await both_desk.store.write(
            lambda tx, number=number, key=key: tx.run(
                "engine.add_miss", **key, id=f"g{number}", question=f"Do you hire? {number}", confidence=0.1, now=number
            )
        )
    staff = await both_desk.signed_in(Role.STAFF)
    page = await sent(staff, "GET", "/gaps?limit=2")
    assert [row["id"] for row in page["gaps"]] == ["g2", "g1"]
    rest = await sent(staff, "GET", f"/gaps?limit=2&cursor={page['next']}")
    assert [(row["question"], row["channel"]) for row in rest["gaps"]] == [("Do you hire? 0", "web")]
    pair = {"question": "Do you hire?", "answer": "Yes, look at our jobs page.", "gap": "g2"}
    made = await sent(staff, "POST", "/pairs", pair, 201)
    assert "# Do you hire?" in (await sent(staff, "GET", f"/documents/{made['id']}"))["text"]
    await sent(staff, "DELETE", "/gaps/g1", status=204)
    await sent(staff, "DELETE", "/gaps/g1", status=404)
    assert [row["id"] for row in (await sent(staff, "GET", "/gaps"))["gaps"]] == ["g0"]
    assert [row["target"] for row in await both_desk.audit_rows("gap.forget")] == ["g1"]


async def test_the_state_counts_and_keeps_alarms_for_admins(both_desk: Desk):
    staff, admin = await both_desk.signed_in(Role.STAFF), await both_desk.signed_in(Role.ADMIN)
    empty = await sent(staff, "GET", "")
    assert (empty["documents"], empty["chunks"], empty["revision"], empty["waiting"]) == ({}, 0, 0, 0)
    made = await sent(staff, "POST", "/documents", ARTICLE, 201)
    await both_desk.store.write(lambda tx: tx.run("knowledge_api.alarm", tenant=TENANT))
    state = await sent(staff, "GET", "")
    assert (state["documents"], state["waiting"], state["alarms"]) == ({"queued": 1}, 1, {})
    assert (state["followed"], state["degraded"], state["enabled"]) == (7, "", True)
    await both_desk.store.write(lambda tx: tx.run("knowledge_api.indexed", id=made["id"]))
    state = await sent(admin, "GET", "")
    assert (state["documents"], state["waiting"]) == ({"indexed": 1}, 0)
    assert state["alarms"] == {"alarm:chroma": "it does not start"}


@pytest.mark.parametrize(
    "body",
    [{"title": " ", "text": "x"}, {"title": "x", "text": " \n"}, {**ARTICLE, "url": "javascript:alert(1)"}],
)
async def test_articles_without_words_or_with_a_strange_address_are_refused(desk: Desk, body: dict[str, str]):
    staff = await desk.signed_in(Role.STAFF)
    await sent(staff, "POST", "/documents", body, 422)
    assert await desk.audit_rows("document.write") == []
