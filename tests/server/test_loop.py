"""The loop's assembly: policies, jobs, addresses; and a run of it all with the trainer's double."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from server.collect import JOB as COLLECT
from server.loop import Loop
from server.retrain.runs import JOB as RETRAIN
from server.retrain.triggers import BY_CLOCK, WATCH
from server.store.contract import Store
from tests.places import Place
from tests.server.engine.bench import Desk, ScriptedLLM, desk, settings_for
from tests.server.retrain.rig import TRAINER, FakeRegistry, FakeReleases, FakeServers


def loop(store: Store, settings: Any) -> Loop:
    return Loop(
        store, settings, llm=ScriptedLLM("yes"), releases=FakeReleases(), registry=FakeRegistry,
        servers=FakeServers(), busy=lambda: False, program=(sys.executable, str(TRAINER)),
    )  # fmt: skip


async def test_each_message_has_the_ground_of_its_account(store_url: str, tmp_path: Path):
    channels = {"web": {"default": {"trainable": "consent"}}, "slack": {"team": {}}}
    async with desk(Place("", store_url), tmp_path, "yes", channels=channels) as one:
        await one.say("c0")
        async with loop(one.store, one.settings).running(), one.working():
            await one.say()
            await one.turns()
        assert await grounds(one, "c0") == {"no"}, "an account without a policy trains nothing"
        assert await grounds(one, "c1") == {"consent"}
        await one.say("s1", channel="slack", account="team")
        assert await grounds(one, "s1") == {"no"}, "Slack's terms restrict training"


async def grounds(one: Desk, conversation: str) -> set[str]:
    """On what ground the customer's messages may train."""
    return {row["trainable"] for row in await one.rows("messages", id=conversation) if row["role"] == "customer"}


async def test_jobs_follow_the_settings(tmp_path: Path):
    async with Place("", f"sqlite:///{tmp_path}/a.db").open() as store:
        made = loop(store, settings_for(tmp_path, training={"cron": "0 2 * * *"}))
        assert made.jobs().keys() == {COLLECT, WATCH, BY_CLOCK, RETRAIN}
        assert made.schedules().keys() == {COLLECT, WATCH, BY_CLOCK}
        assert made.long == {RETRAIN}
        assert BY_CLOCK not in loop(store, settings_for(tmp_path)).schedules()
        off = loop(store, settings_for(tmp_path, training={"enabled": False}))
        assert (off.jobs(), off.schedules()) == ({}, {})
        assert {route.path for route in off.routes()} >= {"/api/corrections", "/api/retrains", "/api/datasets"}


async def test_without_weights_the_machine_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    async with Place("", f"sqlite:///{tmp_path}/a.db").open() as store:
        settings = settings_for(tmp_path, model={"name": "nobody/nothing", "base_url": "http://127.0.0.1:9/v1"})
        with pytest.raises(LookupError, match=r"model\.path"):
            loop(store, settings)._machine()


async def test_the_machine_leaves_the_cores_to_a_model_that_serves_here(tmp_path: Path):
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    async with Place("", f"sqlite:///{tmp_path}/a.db").open() as store:
        for threads in (0, 3):
            settings = settings_for(tmp_path, model={"path": str(tmp_path)}, training={"threads": threads})
            machine = loop(store, settings)._machine()
            assert (machine.base, machine.threads) == (tmp_path, threads or 1)
            assert machine.base_name == settings.model.name
        with pytest.raises(LookupError, match=r"config\.json"):
            loop(store, settings_for(tmp_path, model={"path": str(tmp_path / "none")}))._machine()
