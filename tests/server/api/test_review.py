"""The queue of one reviewer, near-equal examples as one, taking a word back, and the rows of a dataset."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from server.routes import Role
from server.store.statements import load, parse
from tests.server.api.test_examples import talked
from tests.server.desk import TENANT, Browser, Desk

MORE = """
-- name: copy
-- Near-equal examples of one that is there.
insert into example (id, tenant, source, kind, origin, behaviour, status, prompt, exact, question, target, rejected,
    tools, sources, language, channel, account, conversation_id, customer_id, message_id, turn_id, release_id, person,
    basis, cluster, weight, created_at, updated_at)
select :id, tenant, :id, kind, origin, behaviour, 'pending', prompt, exact, question, target, rejected, tools, sources,
    language, channel, account, conversation_id, customer_id, message_id, turn_id, release_id, person, basis, :cluster,
    weight, created_at + 1, updated_at from example where id = :from_id;
-- name: run
-- A run that is over.
insert into retrain_run (id, tenant, state, stage, folder, recipe, cause, note, progress, started_by, created_at,
    updated_at)
values ('r1', :tenant, 'done', 'candidate', '/nowhere', '{}', 'person', '', '{}', 'ana', 0.0, 0.0);
-- name: dataset
-- What it was trained on.
insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
values ('d1', :tenant, 'r1', 'd', '{}', 1, 0.0);
-- name: row
-- A row of it.
insert into dataset_row (dataset_id, example_id, usable, message_id, split) values ('d1', :id, 1, null, 'train');
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("reviewtest", MORE, dialect))


async def change(desk: Desk, query: str, **values: Any) -> None:
    await desk.store.write(lambda tx: tx.run(f"reviewtest.{query}", **values))


async def asked(browser: Browser, path: str, method: str = "GET", body: Any = None, status: int = 200) -> Any:
    answer = await browser.call(method, path, body)
    assert answer.status == status, await answer.text()
    return await answer.json()


@asynccontextmanager
async def queued(url: str, folder: Path, **training: Any) -> AsyncIterator[tuple[Desk, Browser, str]]:
    """A desk whose queue holds one correction, with the admin and the example's id."""
    async with talked(url, folder, **training) as (desk, answers):
        admin = await desk.signed_in(Role.ADMIN)
        body = {"message_id": answers[0], "text": "Three days."}
        made = await asked(admin, "/api/corrections", "POST", body, 201)
        yield desk, admin, made["example"]


async def test_near_equal_examples_are_one_line(store_url: str, tmp_path: Path):
    async with queued(store_url, tmp_path) as (desk, admin, example):
        cluster = (await asked(admin, f"/api/examples/{example}"))["example"]["cluster"]
        for number in range(3):
            await change(desk, "copy", id=f"same{number}", cluster=cluster, from_id=example)
        await change(desk, "copy", id="other", cluster="another", from_id=example)
        page = await asked(admin, "/api/examples/queue?limit=1")
        assert [(row["id"], row["alike"]) for row in page["queue"]] == [(example, 4)]
        assert (page["waiting"], page["clusters"], page["barred"], page["judged"]) == (5, 2, 0, 0)
        after = await asked(admin, f"/api/examples/queue?limit=1&cursor={page['next']}")
        assert ([row["id"] for row in after["queue"]], after["next"]) == (["other"], None)
        assert (await asked(admin, "/api/examples/queue?behaviour=handoff"))["queue"] == []
        ids = (await asked(admin, f"/api/examples/{example}/alike"))["ids"]
        assert ids == [example, "same0", "same1", "same2"]
        await asked(admin, "/api/examples/decide", "POST", {"ids": ids, "verdict": "approve"})
        page = await asked(admin, "/api/examples/queue")
        assert ([row["id"] for row in page["queue"]], page["judged"]) == (["other"], 4)


async def test_ones_own_word_can_be_taken_back(store_url: str, tmp_path: Path):
    async with queued(store_url, tmp_path, second_reviewer=True) as (desk, admin, example):
        other = await desk.signed_in(Role.ADMIN, "ben@example.com")
        path = f"/api/examples/{example}"
        await asked(admin, f"{path}/reopen", "POST", {}, 409)
        assert (await asked(admin, f"{path}/approve", "POST", {}))["needed"] == 1
        line = (await asked(other, "/api/examples/queue"))["queue"][0]
        assert (line["id"], line["approvals"]) == (example, 1)
        assert (await asked(other, f"{path}/approve", "POST", {}))["status"] == "approved"
        assert (await asked(other, f"{path}/reopen", "POST", {}))["status"] == "pending"
        whole = await asked(admin, path)
        assert ([one["verdict"] for one in whole["reviews"]], whole["example"]["decided_by"]) == (["approve"], None)
        assert (await asked(other, f"{path}/reject", "POST", {"reasons": ["tone"]}))["status"] == "rejected"
        refused = await asked(admin, f"{path}/reopen", "POST", {}, 409)
        assert "your own" in refused["detail"]
        await asked(other, f"{path}/reopen", "POST", {})
        assert (await asked(other, f"{path}/skip", "POST", {}))["status"] == "pending"
        assert (await asked(other, "/api/examples/queue"))["waiting"] == 0
        await asked(other, f"{path}/reopen", "POST", {})
        assert (await asked(other, "/api/examples/queue"))["waiting"] == 1
        assert len(await desk.audit_rows("example.reopen")) == 3
        await asked(admin, "/api/examples/nobody/reopen", "POST", {}, 404)
        await asked(admin, "/api/examples/nobody/alike", "GET", None, 404)


async def test_what_a_dataset_holds_is_shown_and_not_taken_back(store_url: str, tmp_path: Path):
    async with queued(store_url, tmp_path) as (desk, admin, example):
        await asked(admin, f"/api/examples/{example}/approve", "POST", {})
        await change(desk, "run", tenant=TENANT)
        await change(desk, "dataset", tenant=TENANT)
        await change(desk, "row", id=example)
        rows = (await asked(admin, "/api/datasets/d1/rows?split=train"))["rows"]
        assert [(row["id"], row["usable"], row["target"]["content"]) for row in rows] == [
            (example, True, "Three days.")
        ]
        assert (await asked(admin, "/api/datasets/d1/rows?split=heldout"))["rows"] == []
        await asked(admin, "/api/datasets/none/rows", "GET", None, 404)
        refused = await asked(admin, f"/api/examples/{example}/reopen", "POST", {}, 409)
        assert "dataset" in refused["detail"]
