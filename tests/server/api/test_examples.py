"""Corrections, the queue and retrains over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from server.api.examples import ExamplesApi
from server.api.feedback import FeedbackApi
from server.api.retrain import RetrainApi
from server.api.review import ReviewApi
from server.corrections import Corrections
from server.examples import Examples
from server.retrain.runs import Runs
from server.routes import Role
from tests.server.desk import TENANT, Desk, open_desk
from tests.server.loop_bench import loop_bench


@asynccontextmanager
async def talked(url: str, folder: Path, **training: Any) -> AsyncIterator[tuple[Desk, list[str]]]:
    """A desk with the loop's addresses, over a store in which two customers were answered."""
    tenant = {"tenant": TENANT}
    async with loop_bench(url, folder, "3 days", **tenant) as one:
        answers = [await one.ask(conversation=name) for name in ("c1", "c2")]
    settings = Settings(**tenant, data_dir=folder, training=training)

    class Late:  # the desk makes its store itself, the addresses need it before
        def __getattr__(self, name: str) -> Any:
            return getattr(stores[0], name)

    stores: list[Any] = []
    store: Any = Late()
    extra = [
        *FeedbackApi(store, settings, Corrections(store, TENANT)).routes(),
        *ReviewApi(store, settings, Examples(store, TENANT, settings.training)).routes(),
        *ExamplesApi(store, settings, Examples(store, TENANT, settings.training)).routes(),
        *RetrainApi(store, settings, Runs(store, TENANT, folder / "runs")).routes(),
    ]
    async with open_desk(url, extra=extra) as desk:
        stores.append(desk.store)
        yield desk, answers


async def test_a_correction_is_approved_by_an_admin_and_listed(store_url: str, tmp_path: Path):
    async with talked(store_url, tmp_path) as (desk, answers):
        staff, admin = await desk.signed_in(Role.STAFF), await desk.signed_in(Role.ADMIN)
        body = {"message_id": answers[0], "text": "Three days.", "reason": "tone"}
        made = await staff.call("POST", "/api/corrections", body)
        assert made.status == 201, await made.text()
        example = (await made.json())["example"]
        assert (await staff.call("POST", f"/api/examples/{example}/approve", {})).status == 403
        waiting = await (await admin.call("GET", "/api/examples/next")).json()
        assert waiting["example"]["id"] == example
        assert waiting["example"]["rejected"] == {"content": "3 days", "tool_calls": []}
        assert [message["role"] for message in waiting["messages"]] == ["system", "user"]
        edited = await admin.call("PUT", f"/api/examples/{example}/target", {"content": "Three days, madam."})
        assert (await edited.json())["status"] == "pending"
        done = await admin.call("POST", f"/api/examples/{example}/approve", {"reasons": ["tone"]})
        assert (await done.json())["status"] == "approved"
        summary = await (await staff.call("GET", "/api/examples/summary")).json()
        assert summary["counts"] == [{"status": "approved", "origin": "correction", "behaviour": "style", "n": 1}]
        assert (await admin.call("GET", "/api/examples/next")).status == 404
        page = await (await staff.call("GET", "/api/corrections")).json()
        assert (page["corrections"][0]["original"], page["corrections"][0]["status"]) == ("3 days", "approved")
        one = await staff.call("GET", f"/api/corrections/{page['corrections'][0]['id']}")
        assert one.status == 200
        assert [row["target"] for row in await desk.audit_rows("correction.give")] == [answers[0]]
        assert len(await desk.audit_rows("example.approve")) == 1


async def test_many_at_once_and_pages(store_url: str, tmp_path: Path):
    async with talked(store_url, tmp_path) as (desk, answers):
        admin = await desk.signed_in(Role.ADMIN)
        for answer in answers:
            await admin.call("POST", "/api/corrections", {"message_id": answer, "text": "Three days."})
        first = await (await admin.call("GET", "/api/examples?limit=1&status=pending")).json()
        second = await (await admin.call("GET", f"/api/examples?limit=1&cursor={first['next']}")).json()
        ids = [page["examples"][0]["id"] for page in (first, second)]
        assert second["next"] is None
        assert len(set(ids)) == 2
        body = {"ids": [*ids, "nothing"], "verdict": "approve"}
        decided = await (await admin.call("POST", "/api/examples/decide", body)).json()
        assert [each["status"] for each in decided["decided"]] == ["approved", "approved"]
        assert [each["id"] for each in decided["refused"]] == ["nothing"]
        gone = await admin.call("POST", f"/api/examples/{ids[0]}/reject", {"reasons": ["private"]})
        assert (await gone.json())["status"] == "rejected"
        assert (await admin.call("POST", f"/api/examples/{ids[0]}/approve", {})).status == 409
        assert (await admin.call("GET", "/api/examples/nothing")).status == 404
        assert (await admin.call("GET", "/api/datasets/nothing")).status == 404
        assert (await (await admin.call("GET", "/api/datasets")).json())["datasets"] == []


async def test_staff_may_approve_where_the_settings_say_so(tmp_path: Path):
    async with talked(f"sqlite:///{tmp_path}/a.db", tmp_path, reviewers="staff") as (desk, answers):
        staff = await desk.signed_in(Role.STAFF)
        made = await staff.call("POST", "/api/corrections", {"message_id": answers[0], "text": "Three days."})
        example = (await made.json())["example"]
        assert (await staff.call("POST", f"/api/examples/{example}/skip", {})).status == 200
        assert (await staff.call("POST", f"/api/examples/{example}/approve", {})).status == 200


async def test_a_retrain_is_started_watched_and_stopped(store_url: str, tmp_path: Path):
    async with talked(store_url, tmp_path) as (desk, _):
        admin, viewer = await desk.signed_in(Role.ADMIN), await desk.signed_in(Role.VIEWER)
        assert (await viewer.call("POST", "/api/retrains", {})).status == 403
        started = await admin.call("POST", "/api/retrains", {"note": "new tone", "recipe": {"rank": 8}, "force": True})
        assert started.status == 202
        run = (await started.json())["id"]
        assert (await admin.call("POST", "/api/retrains", {})).status == 409, "one at a time"
        whole = await (await viewer.call("GET", f"/api/retrains/{run}")).json()
        assert (whole["retrain"]["state"], whole["retrain"]["cause"]) == ("queued", "person")
        assert whole["recipe"] == {"rank": 8}
        assert whole["curve"] == []
        stopped = await admin.call("POST", f"/api/retrains/{run}/stop")
        assert (await stopped.json())["state"] == "stopped"
        assert (await admin.call("POST", f"/api/retrains/{run}/stop")).status == 409
        assert (await admin.call("POST", "/api/retrains/nothing/stop")).status == 404
        assert (await admin.call("GET", "/api/retrains/nothing")).status == 404
        assert len((await (await viewer.call("GET", "/api/retrains")).json())["retrains"]) == 1


@pytest.mark.parametrize("resource", ["retrains", "examples", "datasets", "corrections", "feedback"])
async def test_a_made_up_cursor_is_refused(tmp_path: Path, resource: str):
    async with talked(f"sqlite:///{tmp_path}/a.db", tmp_path) as (desk, _):
        admin = await desk.signed_in(Role.ADMIN)
        assert (await admin.call("GET", f"/api/{resource}?cursor=xyz")).status == 422
