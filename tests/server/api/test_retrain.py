"""What the addresses of retrains show; starting and stopping stand in test_examples.py, with a whole desk."""

from __future__ import annotations

from pathlib import Path

from server.routes import Role
from tests.server.api.test_examples import talked


async def test_training_that_is_off_cannot_be_started(tmp_path: Path):
    async with talked(f"sqlite:///{tmp_path}/a.db", tmp_path, enabled=False) as (desk, _):
        admin = await desk.signed_in(Role.ADMIN)
        answer = await admin.call("POST", "/api/retrains", {})
        assert answer.status == 409
        assert "training.enabled" in (await answer.json())["detail"]


async def test_a_report_is_read_from_the_run_folder(tmp_path: Path):
    async with talked(f"sqlite:///{tmp_path}/a.db", tmp_path) as (desk, _):
        admin = await desk.signed_in(Role.ADMIN)
        run = (await (await admin.call("POST", "/api/retrains", {})).json())["id"]
        folder = tmp_path / "runs" / run
        folder.mkdir(parents=True)
        (folder / "report.json").write_text('{"verdict": "reject"}')
        (folder / "progress.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
        whole = await (await admin.call("GET", f"/api/retrains/{run}")).json()
        assert whole["report"] == {"verdict": "reject"}
        assert whole["curve"] == [{"step": 1, "loss": 2.0}], "a torn last line is passed over"
