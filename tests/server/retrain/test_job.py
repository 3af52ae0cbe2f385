"""A whole run: its stages, its ends, and what it survives."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import tests.server.loop_bench  # noqa: F401 - its queries
from server.conversation import Refused
from tests.server.retrain.rig import ADAPTER, rig


async def test_a_run_goes_from_examples_to_a_judged_candidate(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await one.fill()
        run = await one.start(recipe={"rank": 8})
        folder = one.plan(run)
        row = await one.work(run)
        assert (row["state"], row["stage"], row["error"]) == ("done", "candidate", None)
        assert (row["verdict"], row["adapter"], row["candidate"]) == ("promote", ADAPTER, "cand1")
        assert json.loads((folder / "recipe.json").read_text()) == {"rank": 8}
        assert one.releases.made == [(ADAPTER, run, run)]
        assert one.releases.judged[0][:2] == ("cand1", "promote")
        assert one.servers.asked == [{ADAPTER}]
        models = [how["model"] for how in one.llm.how]
        assert models == ["base"] * 2 + [ADAPTER] * 2, "live is the base: it is not asked twice"
        assert (folder / "evaluation" / "live.jsonl").is_file()
        rows = await one.store.rows("loop.dataset_counts", id=run)
        assert {each["split"]: each["n"] for each in rows} == {"heldout": 2, "train": 4}
        dataset = await one.store.row("loop.dataset", tenant="default", id=run)
        assert dataset is not None
        assert (dataset["digest"], dataset["rows_count"]) == ("d" * 64, 6)
        assert await one.store.row("loop.adapter", tenant="default", name=ADAPTER) is not None
        await one.work(run)
        assert len(one.releases.made) == 1, "a run that is over is not begun again"


async def test_few_examples_are_declined_unless_forced(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path, minimum_examples=10) as one:
        await one.fill(5)
        row = await one.work(await one.start())
        assert row["state"] == "declined"
        assert "5 approved examples, 10" in row["error"]
        row = await one.work(await one.start(forced=True))
        assert row["state"] == "done"


async def test_an_automatic_run_heeds_a_no_and_a_person_need_not(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path, advise=True) as one:
        await one.fill()
        for cause, state in (("examples", "declined"), ("person", "done")):
            run = await one.start(cause)
            one.plan(run, advise=3)
            row = await one.work(run)
            assert row["state"] == state
            assert json.loads(row["advice"])["tune"] is False
        assert (await one.runs.get(run))["error"] is None


async def test_a_killed_trainer_goes_on_at_its_checkpoint(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await one.fill()
        run = await one.start()
        folder = one.plan(run, steps=6, die_at_step=3, deaths=1)
        row = await one.work(run)
        assert row["state"] == "done"
        assert one.starts(run, "train") == 2
        points = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
        assert [(point["step"], point["start"]) for point in points] == [
            (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2),
        ]  # fmt: skip


async def test_a_trainer_that_always_dies_leaves_no_adapter(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path, tries=2) as one:
        await one.fill()
        run = await one.start()
        folder = one.plan(run, dies=9)
        row = await one.work(run)
        assert (row["state"], row["stage"], row["adapter"]) == ("failed", "train", None)
        assert one.starts(run, "train") == 2
        assert not (folder / "adapter").exists()
        assert one.registry.sources == []


async def test_a_stopped_server_leaves_the_run_to_the_next_one(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await one.fill()
        run = await one.start()
        folder = one.plan(run, steps=40, step_s=0.05)
        async with one.working():
            await one.until((folder / "progress.json").exists)
        pid = int((folder / "starts" / "train").read_text().split()[-1])
        assert not alive(pid), "the child ends with its server"
        assert (await one.runs.get(run))["state"] == "running"
        assert not (folder / "adapter").exists()
        one.plan(run, steps=40, step_s=0.0)
        async with one.working():
            row = await one.ended(run)
        assert (row["state"], row["epoch"]) == ("done", 2)
        assert one.starts(run, "prepare") == 1, "what is done is not done again"
        points = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
        assert [point["step"] for point in points] == list(range(1, 41))


async def test_a_killed_child_of_a_run_is_started_again_by_the_job(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        await one.fill()
        run = await one.start()
        folder = one.plan(run, steps=30, step_s=0.05)
        async with one.working():
            await one.until((folder / "progress.json").exists)
            os.kill(int((folder / "starts" / "train").read_text().split()[-1]), signal.SIGKILL)
            row = await one.ended(run)
        assert row["state"] == "done"
        assert one.starts(run, "train") == 2


async def test_a_run_is_stopped_on_request_and_its_state_kept(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await one.fill()
        run = await one.start()
        folder = one.plan(run, steps=200, step_s=0.05)
        async with one.working():
            await one.until((folder / "progress.json").exists)
            assert await one.store.write(lambda tx: one.runs.stop(tx, run, "bob")) == "running"
            row = await one.ended(run)
        assert (row["state"], row["error"]) == ("stopped", "stopped by bob")
        assert not (folder / "adapter").exists()
        with pytest.raises(Refused):
            await one.store.write(lambda tx: one.runs.stop(tx, run, "bob"))


async def test_progress_is_told_while_it_trains(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        await one.fill()
        run = await one.start()
        one.plan(run, steps=20, step_s=0.03)
        await one.work(run)
        rows = await one.store.rows("loopbench.loop_events", kind="retrain")
        told = [json.loads(row["body"]) for row in rows]
        steps = [each["progress"]["step"] for each in told if each["progress"].get("step")]
        assert len(steps) >= 3
        assert steps == sorted(steps)
        assert told[0]["state"] == "queued"
        assert told[-1]["state"] == "done"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
