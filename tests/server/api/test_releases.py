"""Releases over HTTP: reading, trying, promoting, taking back, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from server.routes import Role
from tests.server.desk import TENANT, Browser, Desk

ADAPTER = f"{TENANT}-0000000000aa"
TOP = "/api/releases"


async def get(browser: Browser, path: str = "", status: int = 200) -> Any:
    answer = await browser.call("GET", TOP + path)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def send(browser: Browser, path: str, body: Any, status: int = 200, method: str = "POST") -> Any:
    answer = await browser.call(method, TOP + path, body)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def test_an_admin_tries_promotes_and_takes_back(both_desk: Desk):
    desk = both_desk
    live = await desk.releases.publish_configured()
    admin = await desk.signed_in(Role.ADMIN)
    tuned = (await send(admin, "/candidates", {"adapter": ADAPTER, "languages": ["pt"]}, 201))["id"]
    refused = await send(admin, f"/{tuned}/canary", {"share": 0.2}, 409)
    assert "the gate's verdict is missing" in refused["detail"]
    await desk.releases.judge(tuned, "promote", {"verdict": "promote", "slices": [1]})
    assert await send(admin, f"/{tuned}/canary", {"share": 0.2}) == {"live": live, "canary": tuned}
    assert await send(admin, "/canary", {"share": 0.4}, method="PATCH") == {"live": live, "canary": tuned}
    now = await get(admin, "/canary")
    assert (now["figures"]["verdict"], now["trials"][0]["share"], now["trials"][0]["cap"]) == ("continue", 0.4, 200)
    assert await send(admin, "/canary/stop", {"reason": "later"}) == {"live": live, "canary": None}
    assert (await get(admin, "/canary"))["figures"] is None
    assert await send(admin, f"/{tuned}/promote", {}) == {"live": tuned, "canary": None}
    detail = await get(admin, f"/{tuned}")
    assert (detail["release"]["state"], detail["report"]["slices"]) == ("live", [1])
    assert detail["release"]["adapters"] == detail["body"]["adapters"] == {"pt": ADAPTER}
    assert await send(admin, "/rollback", {"reason": "rude in Portuguese"}) == {"live": live, "canary": None}
    page = await get(admin)
    assert (page["live"], {row["id"]: row["state"] for row in page["releases"]}) == (
        live, {live: "live", tuned: "withdrawn"},
    )  # fmt: skip
    done = [change["action"] for change in (await get(admin, "/changes"))["changes"]]
    assert done == [
        "rolled_back", "promoted", "canary_stopped", "canary_share", "canary_started", "judged", "candidate",
        "published",
    ]  # fmt: skip
    audited = [row["action"] for row in await desk.audit_rows() if row["action"].startswith("release.")]
    assert audited == [f"release.{action}" for action in done[:-1]], "each once"


async def test_lists_are_paged_and_filtered(desk: Desk):
    live = await desk.releases.publish_configured()
    admin = await desk.signed_in(Role.ADMIN)
    for number in range(3):
        await send(admin, "/candidates", {"adapter": f"{TENANT}-{number:012x}"}, 201)
    first = await get(admin, "?limit=2")
    rest = await get(admin, f"?limit=2&cursor={first['next']}")
    assert (len(first["releases"]), [row["id"] for row in rest["releases"]][-1], rest["next"]) == (2, live, None)
    assert len((await get(admin, "?state=candidate"))["releases"]) == 3
    changes = await get(admin, f"/changes?release={live}&limit=3")
    assert (len(changes["changes"]), changes["next"] is not None) == (3, True)


async def test_only_admins_change_anything(desk: Desk):
    live = await desk.releases.publish_configured()
    staff = await desk.signed_in(Role.STAFF)
    assert (await get(staff))["live"] == live
    for path, body in (
        ("/candidates", {"adapter": ADAPTER}),
        (f"/{live}/canary", {}),
        (f"/{live}/promote", {}),
        ("/rollback", {"reason": "x"}),
        ("/canary/stop", {}),
    ):
        await send(staff, path, body, 403)
    await send(staff, "/canary", {"share": 0.5}, 403, "PATCH")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/candidates", {"adapter": "../../etc"}, 409),
        ("/candidates", {"adapter": "other-0000000000aa"}, 409),
        ("/candidates", {"adapter": ADAPTER, "languages": ["p t"]}, 422),
        ("/0000000000000000/promote", {}, 404),
        ("/0000000000000000/canary", {}, 404),
        ("/0000000000000000/canary", {"share": 2}, 422),
        ("/canary/stop", {}, 409),
        ("/rollback", {"reason": "x"}, 409),
        ("/rollback", {"reason": ""}, 422),
        ("/rollback", {}, 422),
    ],
)
async def test_what_is_impossible_is_said(desk: Desk, path: str, body: Any, status: int):
    await desk.releases.publish_configured()
    admin = await desk.signed_in(Role.ADMIN)
    before = len(await desk.audit_rows())
    await send(admin, path, body, status)
    rows = await desk.audit_rows()
    assert not [row for row in rows[: len(rows) - before] if row["action"] == "release.promoted"]


async def test_an_adapter_that_no_server_can_load_is_told(desk: Desk):
    await desk.releases.publish_configured()
    admin = await desk.signed_in(Role.ADMIN)
    tuned = (await send(admin, "/candidates", {"adapter": ADAPTER}, 201))["id"]

    async def unit(tx: Any) -> None:
        failed = f'{{"{ADAPTER}": "rank too high"}}'
        await tx.run("releases.served", tenant=TENANT, replica="gpu1", served="[]", failed=failed, now=tx.now_s + 5)

    await desk.store.write(unit)
    problem = await send(admin, f"/{tuned}/promote", {"reason": "now"}, 503)
    assert "rank too high" in problem["detail"]
    assert (await get(admin, "/canary"))["replicas"][0]["failed"] == {ADAPTER: "rank too high"}


async def test_unknown_ones_are_not_found(desk: Desk):
    staff = await desk.signed_in(Role.STAFF)
    await get(staff, "/0000000000000000", 404)
    await get(staff, "/lineage/nope", 404)
