"""What a retrain would meet: checks, an estimate by the last one, and the report of a real child."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from server.examples import Examples
from server.retrain.children import Children
from server.retrain.contract import Machine, StageFailed
from server.retrain.plan import Planner
from server.retrain.runs import Runs
from server.store.contract import Store
from tests.places import Place
from tests.server.loop_bench import loop_bench


def planner(store: Store, folder: Path, program: tuple[str, ...] = (), **training: Any) -> Planner:
    settings = Settings(data_dir=folder, training={"nice": 0, "tries": 1} | training, model={"lora_slots": 2})
    examples = Examples(store, settings.tenant, settings.training)
    runs = Runs(store, settings.tenant, folder / "runs")

    def machine() -> Machine:
        if not (folder / "base").is_dir():
            raise LookupError("no weights here")
        return Machine(folder / "base", "tiny", 1, ())

    children = Children(settings.training, program=program)
    return Planner(store, settings, examples, runs, children, folder / "runs", machine)


async def test_checks_say_what_is_in_the_way(store_url: str, tmp_path: Path):
    async with Place("", store_url).open() as store:
        plan = await planner(store, tmp_path, enabled=False).plan()
        found = {check.name: (check.ok, check.stops) for check in plan.checks}
        assert found["enabled"] == (False, True)
        assert (found["examples"], found["weights"], found["served"]) == ((False, False), (False, False), (True, False))
        assert (plan.approved, plan.minimum, plan.open_run, plan.estimate) == (0, 100, None, None)
        (tmp_path / "base").mkdir()
        run = await Runs(store, "default", tmp_path / "runs").start("person", "ana")
        plan = await planner(store, tmp_path).plan()
        assert plan.open_run == run
        assert [check.name for check in plan.checks if not check.ok and check.stops] == ["free"]


async def test_the_time_is_told_by_the_last_retrain(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        message = await one.ask()
        _, example = await one.correct(message, "Three days.")
        assert example is not None
        await one.approve(example)
        await one.change("add_run", id="r1", state="done", folder=str(tmp_path))
        await one.change("add_dataset", id="r1")
        await one.change("ran", id="r1", until=50.0)
        found = (await planner(one.store, tmp_path).plan()).estimate
        assert found is not None
        assert (found.seconds, found.rows, found.run_rows, found.run_seconds) == (40.0, 1, 1, 40.0)


async def test_the_report_comes_from_the_trainers_own_command(tmp_path: Path):
    async with loop_bench(f"sqlite:///{tmp_path}/a.db", tmp_path, "3 days") as one:
        message = await one.ask()
        _, example = await one.correct(message, "Three days.")
        assert example is not None
        await one.approve(example)
        advice = await planner(one.store, tmp_path).advice()
        assert (advice["tune"], advice["examples"]) == (False, 1)
        assert {finding["name"] for finding in advice["findings"]} >= {"examples", "facts"}
        assert not list((tmp_path / "runs").iterdir()), "the copy of the examples is gone"
        mute = tmp_path / "mute.py"
        mute.write_text("")
        with pytest.raises(StageFailed, match="empty"):
            await planner(one.store, tmp_path, ("python3", str(mute))).advice()
        assert json.dumps(advice)
