"""Single stages: what they ask of others, and how they fail; a whole run stands in test_job.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.server.retrain.rig import ADAPTER, rig


@pytest.mark.parametrize(("status", "verdict"), [(3, "reject"), (4, "not_enough_evidence")])
async def test_other_verdicts_make_a_candidate_too(tmp_path: Path, status: int, verdict: str):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        await one.fill()
        run = await one.start()
        one.plan(run, gate=status)
        row = await one.work(run)
        assert (row["state"], row["verdict"]) == ("done", verdict)
        assert one.releases.judged[0][1] == verdict


async def test_a_recipes_replay_rows_are_found_from_the_runs_folder(tmp_path: Path):
    recipe = tmp_path / "ours" / "recipe.json"
    recipe.parent.mkdir()
    recipe.write_text('{"prepare": {"replay": "replay.jsonl"}, "train": {"epochs": 1}}')
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path, recipe=str(recipe)) as one:
        await one.fill()
        run = await one.start()
        await one.work(run)
        copied = json.loads((one.folder / run / "recipe.json").read_text())
        assert copied["prepare"]["replay"] == str(recipe.parent / "replay.jsonl")
        assert copied["train"] == {"epochs": 1}


async def test_a_live_adapter_is_asked_beside_base_and_candidate(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        one.releases.bundle.adapter = "default-000000000000"
        await one.fill()
        run = await one.start()
        await one.work(run)
        assert one.servers.asked == [{ADAPTER, "default-000000000000"}]
        assert {how["model"] for how in one.llm.how} == {"base", "default-000000000000", ADAPTER}


async def test_a_stage_that_cannot_be_done_ends_the_run_with_its_last_words(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        await one.fill()
        run = await one.start()
        one.plan(run, fail="prepare")
        row = await one.work(run)
        assert (row["state"], row["stage"]) == ("failed", "prepare")
        assert "row 7" in row["error"]
        assert one.starts(run, "prepare") == 1, "what cannot be used is not tried again"


async def test_a_bad_adapter_and_a_missing_server_end_it_without_a_candidate(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        await one.fill()
        one.registry.bad = True
        row = await one.work(await one.start())
        assert (row["state"], row["stage"], row["adapter"]) == ("failed", "check", None)
        one.registry.bad, one.servers.away = False, True
        row = await one.work(await one.start())
        assert (row["state"], row["stage"]) == ("failed", "evaluate")
        assert one.releases.made == []
