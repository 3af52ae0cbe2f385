"""Knowledge and tools of one process: they start and end, wait for what is away, and say what is wrong at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from config.wording import ConfigError
from server.commands.demo_shop import make_database
from server.engine.look import Thread
from server.secrets import InstallationKeys
from server.store.contract import Store
from server.telemetry import Metrics
from server.tools.contract import Caller, ToolRefused, ToolUnavailable
from server.tools.plans import Dialogue, NoPlan
from server.wits import Tools, Wits
from tests.places import Place, until

SECRET = "whsec_" + "c2VjcmV0" * 4
CALLER = Caller("default", "c1", "web", "default", "k1")
NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)


def settings(folder: Path, **more: Any) -> Settings:
    knowledge = {"embedding_url": "http://127.0.0.1:9/v1", **more.pop("knowledge", {})}  # words only, nothing fetched
    return Settings.model_validate({"data_dir": str(folder / "data"), "knowledge": knowledge, **more})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Place("sqlite", f"sqlite:///{tmp_path}/desk.db").open(real_clock=True) as opened:
        yield opened


async def made(store: Store, config: Settings, *, works: bool = True) -> Wits:
    keys = InstallationKeys(store)
    await keys.load()
    return Wits(store, config, Metrics(), keys, works=works)


async def test_switched_off_there_is_nothing(store: Store, tmp_path: Path):
    config = settings(tmp_path, knowledge={"enabled": False}, tools={"enabled": False})
    wits = await made(store, config)
    assert (wits.knowledge, wits.tools, wits.knowing, wits.acting) == (None, None, None, None)
    assert (wits.resources(), wits.notes()) == ([], {})
    assert set(wits.jobs()) == set(wits.schedules()) == {"gather-gaps"}, (
        "what was asked in vain is gathered all the same"
    )


@pytest.mark.parametrize(("offer", "offered"), [("others", False), ("all", True)])
async def test_a_larger_model_may_be_offered_the_built_in_tools(
    store: Store, tmp_path: Path, offer: str, *, offered: bool
):
    config = settings(tmp_path, tools={"shop": f"sqlite:///{tmp_path / 'shop.db'}", "offer": offer})
    await make_database(config, NOW)
    wits = await made(store, config)
    assert wits.tools is not None
    assert wits.acting is not None
    async with wits.tools.running():
        names = {spec.name for spec in wits.acting.offered(Thread(caller=CALLER))}
        assert ("create_ticket" in names) is offered


async def test_tools_of_the_shop_are_there_when_its_database_is(store: Store, tmp_path: Path):
    config = settings(tmp_path, tools={"shop": f"sqlite:///{tmp_path / 'shop.db'}"})
    await make_database(config, NOW)
    tools = (await made(store, config)).tools
    assert tools is not None
    async with tools.running():
        names = {tool.spec.name for _, tool in tools.listed()}
        assert names >= {"order_status", "book_appointment", "capture_lead", "create_ticket", "handoff_to_staff"}
        assert {spec.name for spec in tools.specs(CALLER)} == names
        assert tools.needs("book_appointment", {}) == "confirm"
        assert (await tools.caller("nobody")).subject == ""
        with pytest.raises(ToolRefused):
            tools.check("order_status", "[]")
    assert tools.listed() == []


async def test_a_shop_that_is_away_leaves_the_rest_running_and_comes_back(store: Store, tmp_path: Path):
    config = settings(tmp_path, tools={"shop": f"sqlite:///{tmp_path / 'shop.db'}"})
    keys = InstallationKeys(store)
    await keys.load()
    tools = Tools(store, config, Metrics(), keys, retry_s=0.05)
    async with tools.running(), asyncio.timeout(10):
        assert (tools.listed(), tools.specs(CALLER), tools.sources()) == ([], [], [])
        assert isinstance(await tools.plan("Hi", [], Dialogue(), None, CALLER, [], NOW), NoPlan)
        for call in (tools.caller("c1"), tools.run("order_status", {}, CALLER, "k")):
            with pytest.raises(ToolUnavailable):
                await call
        with pytest.raises(ToolRefused):
            tools.tool("order_status")
        await make_database(config, NOW)
        await until(tools.listed, 5)


@pytest.mark.parametrize(
    ("text", "words"),
    [("a tool: {}", "is not a name"), ("fee:\n  python: nowhere:fee\n", "fee"), ("fee: {builtin: magic}", "magic")],
)
async def test_a_mistake_in_the_tools_file_stops_the_start(store: Store, tmp_path: Path, text: str, words: str):
    path = tmp_path / "tools.yaml"
    path.write_text(text, encoding="utf-8")

    async def start() -> None:
        tools = (await made(store, settings(tmp_path, tools={"file": str(path)}))).tools
        assert tools is not None
        async with tools.running():
            pytest.fail("it must not start")

    with pytest.raises(ConfigError, match=words):
        await start()


async def test_an_effect_is_told_to_the_shops_systems_once(store: Store, tmp_path: Path):
    config = settings(tmp_path, tools={"webhook_url": "https://crm.example/hook", "webhook_secret": SECRET})
    tools = (await made(store, config)).tools
    assert tools is not None
    async with tools.running():
        for repeat in (False, True):
            await tools.run("handoff_to_staff", {"reason": "a broken lamp"}, CALLER, "c1:1:1", repeat=repeat)
    rows = await store.rows("listing.deliveries", tenant="default", state="", at=float("inf"), id="", count=10)
    assert [(row["id"], row["kind"]) for row in rows] == [("evt_c1:1:1", "handoff.requested")]
