"""Checks, estimate and report over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path

from server.api.plan import PlanApi
from server.routes import Role
from tests.places import Place
from tests.server.desk import open_desk
from tests.server.retrain.test_plan import planner


async def test_a_plan_is_for_everybody_a_report_for_staff(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/a.db"
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(9)")
    async with Place("", url).open() as store:
        good, bad = planner(store, tmp_path), planner(store, tmp_path, (sys.executable, str(broken)))
        for made, status in ((good, 200), (bad, 503)):
            async with open_desk(f"sqlite:///{tmp_path}/{status}.db", extra=PlanApi(made).routes()) as desk:
                viewer, staff = await desk.signed_in(Role.VIEWER), await desk.signed_in(Role.STAFF)
                plan = await (await viewer.call("GET", "/api/retrains/plan")).json()
                assert {check["name"] for check in plan["checks"]} >= {"enabled", "examples", "free", "weights", "disk"}
                assert (await viewer.call("GET", "/api/retrains/advice")).status == 403
                answer = await staff.call("GET", "/api/retrains/advice")
                assert answer.status == status, await answer.text()
                if status == 200:
                    assert (await answer.json())["tune"] is False
