"""A row out of scope is in no list: every list of the whole server, on both stores, page by page, and writes by id."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from config.settings import Settings
from server.app import Parts
from server.retrain.folder import Folder, write_rows
from server.routes import Role, install
from server.sight import ALL, Sight
from server.store.contract import Tx
from server.store.open import open_store
from server.store.statements import load, parse
from server.teams import JUDGED, Team
from server.timeline import lock
from tests.server.staff import TENANT, NamedGate, _people

AT = 1_700_000_000.0
OURS, THEIRS = ("tulip",), ("alien1", "alien2")  # made in the order alien1, tulip, alien2: one of them is always before
PERIOD = f"from={AT - 3_600:.0f}&to={AT + 3_600:.0f}"
LISTS = {  # every address that lists rows of conversations or customers, and whether it comes in pages
    "/api/conversations": True,
    "/api/inbox": True,
    "/api/search?q=words": True,
    "/api/drafts": False,
    "/api/customers": True,
    "/api/customers?q=who": True,
    "/api/tickets": True,
    "/api/feedback": True,
    "/api/corrections": True,
    "/api/surveys": True,
    f"/api/analytics/conversations?{PERIOD}": True,
    "/api/tools/requests": True,
    "/api/tools/leads": True,
    "/api/tools/tickets": True,
    "/api/knowledge/gaps": True,
    "/api/gaps": True,
    "/api/gaps/shared": False,
    "/api/examples": True,
    "/api/examples/queue": True,
    "/api/examples/next": False,
    "/api/examples/e-tulip/alike": False,
    "/api/datasets/d1/rows": True,
    "/api/retrains/run1/cases?kind=all": False,
    "/api/retrains/run1/ballot": False,
    "/api/releases/lineage/m-tulip": False,
}
FIGURES = {  # what tells of conversations in figures only, names no conversation, or streams (tested beside the teams)
    "/api/views", "/api/labels", "/api/presence", "/api/presence/all", "/api/hours", "/api/canned", "/api/colleagues",
    "/api/analytics", "/api/analytics/series", "/api/analytics/export", "/api/analytics/definitions", "/api/events",
    "/api/examples/summary", "/api/datasets", "/api/datasets/{", "/api/retrains", "/api/retrains/plan", "/api/tools",
    "/api/retrains/advice", "/api/retrains/{", "/api/releases", "/api/releases/changes", "/api/releases/canary",
    "/api/releases/{", "/api/teams", "/api/switch", "/api/session", "/api/sessions", "/api/profile", "/api/channels",
    "/api/simulator/{", "/v1/models", "/v1/models/{",
    "/api/knowledge", "/api/knowledge/search", "/api/knowledge/documents", "/api/knowledge/documents/{",
    "/api/knowledge/sources", "/api/knowledge/sources/{",
}  # fmt: skip
WRITES: tuple[tuple[str, str, Any], ...] = (  # by the id of a row, in the address or in the body
    ("POST", "/api/examples/e-{}/approve", {}),
    ("POST", "/api/examples/e-{}/reject", {}),
    ("POST", "/api/examples/e-{}/skip", {}),
    ("POST", "/api/examples/e-{}/reopen", None),
    ("PUT", "/api/examples/e-{}/target", {"content": "Better"}),
    ("POST", "/api/gaps/g-{}/answer", {"question": "Why so?", "answer": "So."}),
    ("PUT", "/api/gaps/g-{}/state", {"state": "dismissed"}),
    ("DELETE", "/api/knowledge/gaps/q-{}", None),
    ("POST", "/api/feedback", {"message_id": "m-{}", "value": "up"}),
    ("POST", "/api/corrections", {"message_id": "m-{}", "text": "Better", "reason": "tone"}),
    ("POST", "/api/corrections/k-{}/decide", {"route": "behaviour"}),
    ("POST", "/api/tools/requests/r-{}/approve", None),
    ("POST", "/api/tools/tickets/t-{}/close", None),
    ("PATCH", "/api/tickets/t-{}", {"summary": "Changed"}),
    ("POST", "/api/tickets", {"conversation_id": "c-{}", "category": "other", "summary": "A new one"}),
    ("PUT", "/api/customers/u-{}", {"name": "Changed", "attributes": {}}),
    ("POST", "/api/customers/u-tulip/merge", {"other": "u-{}"}),
)
SEED = """
-- name: feedback
insert into feedback (id, tenant, conversation_id, message_id, giver_kind, giver_id, kind, value, comment, created_at,
    updated_at)
values ('f-' || cast(:tag as text), :tenant, :talk, 'm-' || cast(:tag as text), 'staff', 'x', 'rating', 'down',
    'words ' || cast(:tag as text), :at, :at);
-- name: correction
insert into correction (id, tenant, conversation_id, message_id, original, text, calls, reason, note, corrected_by,
    created_at, updated_at)
values ('k-' || cast(:tag as text), :tenant, :talk, 'm-' || cast(:tag as text), 'words', 'words ' || cast(:tag as text),
    '{"calls": []}', 'wrong', '', 'x', :at, :at);
-- name: survey
insert into survey (id, tenant, conversation_id, case_id, customer_id, channel, account, kind, score, comment, asked_at,
    scored_at)
values ('v-' || cast(:tag as text), :tenant, :talk, 'case-' || cast(:tag as text), 'u-' || cast(:tag as text), 'web',
    'default', 'csat', 1, 'words ' || cast(:tag as text), :at, :at);
-- name: fact
insert into fact_case (case_id, tenant, conversation_id, channel, account, language, opened_at, opened_number, number,
    last_at)
values ('case-' || cast(:tag as text), :tenant, :talk, 'web', 'default', 'en', :at, 1, 1, :at);
-- name: request
insert into tool_request (id, tenant, conversation_id, first_seq, number, tool, arguments, digest, kind, state, summary,
    expires_at, created_at)
values ('r-' || cast(:tag as text), :tenant, :talk, 1, 1, 'book', '{}', '', 'approve', 'waiting',
    'words ' || cast(:tag as text), 1e12, :at);
-- name: lead
insert into lead (id, tenant, conversation_id, name, contact, interest, idempotency_key, created_at)
values ('l-' || cast(:tag as text), :tenant, :talk, 'words ' || cast(:tag as text), 'a@b.example', 'x',
    'l-' || cast(:tag as text), :at);
-- name: ticket
insert into ticket (id, tenant, conversation_id, category, priority, summary, suggested_action, state, idempotency_key,
    created_at, updated_at)
values ('t-' || cast(:tag as text), :tenant, :talk, 'other', 'normal', 'words ' || cast(:tag as text), '', 'open',
    't-' || cast(:tag as text), :at, :at);
-- name: gap
insert into gap (id, tenant, state, created_at) values (:id, :tenant, 'open', :at) on conflict do nothing;
-- name: asked
insert into gap_question (id, tenant, gap_id, kind, question, conversation_id, turn_id, at)
values ('unanswered:' || cast(:turn as text), :tenant, :id, 'unanswered', 'words ' || cast(:tag as text), :talk,
    :turn, :at);
-- name: example
insert into example (id, tenant, source, kind, origin, behaviour, status, prompt, exact, question, target, tools,
    sources, language, channel, account, conversation_id, person, basis, cluster, weight, created_at, updated_at)
values (:id, :tenant, :id, 'sft', 'confirmed', 'chat', 'pending', '[]', 0, 'words ' || cast(:id as text),
    '{"content": "Words", "tool_calls": []}', '[]', '[]', 'en', 'web', 'default', :talk, '', 'consent', :cluster, 1.0,
    :at, :at);
-- name: approval
insert into approval (example_id, tenant, basis, digest, approved_by, approved_at)
values (:id, :tenant, 'consent', '', 'x', :at);
-- name: row
insert into dataset_row (dataset_id, example_id, usable, message_id, split) values ('d1', :id, 1, :message, 'heldout');
-- name: dataset
insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
values ('d1', :tenant, 'run1', 'x', '{}', 3, :at);
-- name: run
insert into retrain_run (id, tenant, state, stage, folder, recipe, cause, note, progress, started_by, created_at,
    updated_at)
values ('run1', :tenant, 'done', 'gate', :folder, '{}', 'person', '', '{}', 'x', :at, :at);
-- name: trained
update message set release_id = 'rel' where id = 'm-tulip';
-- name: release
insert into release (id, tenant, body, created_at, created_by) values ('rel', :tenant, '{}', :at, 'x');
-- name: adapter
insert into adapter (name, tenant, dataset_id, run_id, digest, manifest, created_at)
values ('ad', :tenant, 'd1', 'run1', '', '{}', :at);
-- name: carries
insert into release_adapter (tenant, release_id, language, name) values (:tenant, 'rel', '', 'ad');
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("test_sight", SEED.replace(":at", "cast(:at as double precision)"), dialect))


class Whole:
    """All addresses of the server; ``ana`` is of a team that sees the web, ``ben`` of none."""

    def __init__(self, parts: Parts, server: TestServer, session: ClientSession) -> None:
        self.parts = parts
        self._server = server
        self._session = session

    async def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {who}"}
        url = self._server.make_url(path)
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def pages(self, who: str, path: str) -> str:
        """A list read to its end, a row at a time; a page that ends early would be missed."""
        found, cursor = "", ""
        while True:
            mark = "&" if "?" in path else "?"
            status, text = await self.call(who, "GET", f"{path}{mark}limit=1{cursor}")
            assert status == 200, (path, text)
            rows = next(value for value in json.loads(text).values() if isinstance(value, list))
            assert len(rows) == 1, (path, who, text)
            found, following = found + text, json.loads(text)["next"]
            if following is None:
                return found
            cursor = f"&cursor={following}"


@pytest.fixture
async def whole(store_url: str, tmp_path: Path) -> AsyncIterator[Whole]:
    async with open_whole(store_url, tmp_path) as running:
        yield running


@asynccontextmanager
async def open_whole(url: str, folder: Path) -> AsyncIterator[Whole]:
    settings = Settings(tenant=TENANT, data_dir=folder, training={"reviewers": "staff"})
    store = open_store(url, settings.store)
    parts = Parts(settings, "gateway", store)
    app = web.Application()
    teams = parts.staff.teams
    install(app, parts.routes(), NamedGate(store, teams))
    async with store.running(), ClientSession() as session:
        await store.write(_people)
        for number, tag in enumerate((THEIRS[0], *OURS, THEIRS[1])):
            await store.write(lambda tx, tag=tag, number=number: seed(tx, tag, number))  # type: ignore[misc]
        await store.write(lambda tx: trained(tx, folder))
        await store.write(lambda tx: teams.add(tx, Team("Web", ("ana",), (("web", "*"),))))
        await parts.staff.search.catch_up()
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        try:
            yield Whole(parts, server, session)
        finally:
            await server.close()


async def seed(tx: Tx, tag: str, number: int) -> None:
    """A conversation with one row of each kind; those of OURS are on the web."""
    at, talk = AT + number, f"c-{tag}"
    one = {"tenant": TENANT, "talk": talk, "tag": tag, "at": at}
    channel = "web" if tag in OURS else "telegram"
    place = {"tenant": TENANT, "channel": channel, "account": "default", "address": f"who-{tag}"}
    await tx.run("conversations.create_customer", id=f"u-{tag}", tenant=TENANT, name=f"Who {tag}", now=at)
    await tx.run(
        "conversations.create_identity",
        **place,
        id=f"i-{tag}",
        customer_id=f"u-{tag}",
        verified=0,
        profile="{}",
        now=at,
    )
    await tx.run(
        "conversations.create", **place, id=talk, identity_id=f"i-{tag}", customer_id=f"u-{tag}", language="en", now=at
    )
    timeline = await lock(tx, talk)
    await timeline.say("assistant", f"Words {tag}", message_id=f"m-{tag}", send=False)
    await timeline.save()
    for kind in ("feedback", "correction", "survey", "fact", "request", "lead", "ticket"):
        await tx.run(f"test_sight.{kind}", **one)
    await tx.run(
        "engine.add_miss", id=f"q-{tag}", tenant=TENANT, conversation_id=talk, turn_id=f"{talk}:1",
        question=f"Was ist mit {tag}?", confidence=0.1, now=at,
    )  # fmt: skip
    for gap, turns in ((f"g-{tag}", 1 if tag in OURS else 2), ("shared", 1)):
        await tx.run("test_sight.gap", id=gap, tenant=TENANT, at=at)
        for turn in range(turns):
            await tx.run("test_sight.asked", **one, id=gap, turn=f"{gap}:{tag}:{turn}")
    for person in ("ana", "ben"):
        await tx.run(
            "inbox_desk.keep_draft", id=talk, person=person, kind="reply", tenant=TENANT, text=f"Dear {tag}", now=at
        )
    cluster = "same" if tag != THEIRS[1] else "other"
    await tx.run("test_sight.example", id=f"e-{tag}", tenant=TENANT, talk=talk, cluster=cluster, at=at)


async def trained(tx: Tx, folder: Path) -> None:
    """A run over the examples, and one example of no conversation; the answers of both sides are on the disk."""
    at, runs = AT, Folder(folder / "run1")
    runs.make()
    for side in ("live", "candidate"):
        rows = [{"id": f"e-{tag}", "messages": [{"role": "user", "content": f"Words {tag}"}]} for tag in OURS + THEIRS]
        told = {"suite": "heldout", "prompt": "p", "answer": {"content": side}}
        write_rows(runs.answers(side), [{**told, "id": row["id"], "row": row} for row in rows])
    await tx.run("test_sight.run", tenant=TENANT, folder=str(runs.path), at=at)
    await tx.run("test_sight.dataset", tenant=TENANT, at=at)
    await tx.run("test_sight.example", id="e-imported", tenant=TENANT, talk=None, cluster="imported", at=at + 9)
    for tag in OURS + THEIRS:
        await tx.run("test_sight.approval", id=f"e-{tag}", tenant=TENANT, at=at)
        await tx.run("test_sight.row", id=f"e-{tag}", message=f"m-{tag}")
    await tx.run("test_sight.release", tenant=TENANT, at=at)
    await tx.run("test_sight.trained")
    await tx.run("test_sight.adapter", tenant=TENANT, at=at)
    await tx.run("test_sight.carries", tenant=TENANT)


async def test_a_row_out_of_scope_is_in_no_list(whole: Whole, subtests: pytest.Subtests):
    for path, paged in LISTS.items():
        with subtests.test(path):
            status, scoped = await whole.call("ana", "GET", path)
            assert status == 200, scoped
            assert "tulip" in scoped, scoped
            # where an answer came from names the rows that trained it by their ids, and no conversation
            assert not re.search(r"[cmu]-alien|ords alien" if "lineage" in path else "alien", scoped), scoped
            everything = (await whole.call("ben", "GET", path))[1]
            assert "alien" in everything, everything
            assert (await whole.call("adam", "GET", path))[0] == 200
            if paged:
                found = await whole.pages("ana", path)
                assert "tulip" in found
                assert "alien" not in found


async def test_every_list_of_the_server_is_judged(tmp_path: Path):
    """A new address has to say here what it is: a list, one thing of a conversation, or figures."""
    lists = {re.sub(r"/(shared|d1|run1|[em]-tulip)", "/{", path.partition("?")[0]) for path in LISTS}
    lists = {re.sub(r"/\{/.*", "/{", path) for path in lists} | lists
    table = Parts(Settings(data_dir=tmp_path), "gateway").routes()
    for route in table:
        if route.unsafe or route.role not in {Role.VIEWER, Role.STAFF}:
            continue  # admins see everything, strangers nothing
        start = re.sub(r"\{.*", "{", route.path)
        assert start in lists or start in FIGURES or start in JUDGED, f"{route.path}: is it limited by teams?"


async def test_what_is_out_of_scope_is_not_there_to_write(whole: Whole, subtests: pytest.Subtests):
    for method, path, body in WRITES:
        theirs, sent = path.format("alien1"), json.loads(json.dumps(body).replace("-{}", "-alien1"))
        with subtests.test(f"{method} {path}"):
            status, text = await whole.call("ana", method, theirs, sent)
            assert status == 404, text
            status, text = await whole.call("ben", method, theirs, sent)
            assert status in {200, 201, 204, 409}, text


async def test_many_at_once_and_what_is_beside_a_row(whole: Whole):
    decide = {"verdict": "approve", "ids": ["e-alien1", "e-tulip", "e-imported"]}
    status, text = await whole.call("ana", "POST", "/api/examples/decide", decide)
    assert status == 200
    assert [one["id"] for one in json.loads(text)["refused"]] == ["e-alien1"]
    assert [one["id"] for one in json.loads(text)["decided"]] == ["e-tulip", "e-imported"]
    await whole.call("ana", "POST", "/api/canned", {"short": "hi", "text": "Hi {{customer.name}}", "language": ""})
    assert "Who alien" not in (await whole.call("ana", "GET", "/api/canned?conversation=c-alien1"))[1]
    assert "Who alien" in (await whole.call("ben", "GET", "/api/canned?conversation=c-alien1"))[1]
    pair = {"question": "What is it?", "answer": "It is.", "gap": "q-alien1"}
    assert (await whole.call("ana", "POST", "/api/knowledge/pairs", pair))[0] == 201
    assert "q-alien1" in (await whole.call("ben", "GET", "/api/knowledge/gaps"))[1]


async def test_a_gap_of_many_teams_speaks_with_words_of_ones_own(whole: Whole):
    (shared,) = (
        gap for gap in json.loads((await whole.call("ana", "GET", "/api/gaps"))[1])["gaps"] if gap["id"] == "shared"
    )
    assert (shared["question"], shared["asked"], shared["conversations"]) == ("words tulip", 3, 3)
    found = json.loads((await whole.call("ben", "GET", "/api/gaps?limit=1"))[1])["gaps"]
    assert (found[0]["id"], found[0]["question"]) == ("shared", "words alien1")


def test_a_sight_is_what_queries_take():
    assert ALL.values() == {"person": "", "scope": ""}
    assert Sight("ana", ",web/*,").values() == {"person": "ana", "scope": ",web/*,"}
