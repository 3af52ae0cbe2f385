"""The wiring: what each role serves and starts, and an orderly start and stop of the real thing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.settings import Settings, StoreSettings
from server import app as wiring
from server.app import METRICS, ROLES, STORE, Parts, build, run
from server.routes import ROUTES, Role
from server.store.open import open_store
from tests.places import Place

PROBES = {"/livez", "/healthz", "/readyz", "/version", "/metrics"}


def settings(tmp_path: Path, port: int = 0, **more: object) -> Settings:
    model = {"base_url": "http://127.0.0.1:9/v1"}
    return Settings.model_validate(
        {"data_dir": str(tmp_path / "data"), "model": model, "http": {"port": port, "drain_s": 1}, **more}
    )


@pytest.mark.parametrize("role", ROLES)
def test_every_address_of_every_role_has_a_role(tmp_path: Path, role: str):
    app = build(settings(tmp_path), role=role)
    table = app[ROUTES]
    assert table
    assert all(isinstance(route.role, Role) and route.summary for route in table)
    assert len({(route.method, route.path) for route in table}) == len(table)
    declared = {(route.method, re.sub(r"\{(\w+):([^{}]|\{[^{}]*\})*\}", r"{\1}", route.path)) for route in table}
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    assert {entry for entry in served if entry[0] != "HEAD"} == declared
    assert app[STORE]
    assert app[METRICS]


def test_a_worker_only_answers_probes_and_a_gateway_everything(tmp_path: Path):
    tables = {role: {route.path for route in build(settings(tmp_path), role=role)[ROUTES]} for role in ROLES}
    assert tables["worker"] == PROBES
    assert tables["gateway"] == tables["all"]
    assert tables["all"] > PROBES | {"/web/session", "/web/conversations/{id}/events", "/widget.js", "/api/session"}


def test_a_gateway_starts_no_model_and_everybody_else_does(tmp_path: Path):
    local = settings(tmp_path, model={})
    started = {role: Parts(local, role).resources() for role in ROLES}
    names = {role: [start.__qualname__ for start in starts] for role, starts in started.items()}
    assert set(names["all"]) - set(names["gateway"]) == {
        "Parts._release_published",
        "Model.running",
        "Reconciler.running",
        "Watch.running",
        "Sender.running",
        "Worker.running",
        "Jobs.running",
        "Webhooks.running",
        "Search.running",
        "Sends.running",
        "Follower.running",
    }
    assert {"Knowledge.running", "Tools.running"} <= set(names["gateway"])
    assert set(names["all"]) - set(names["worker"]) == {
        "Entrance.running",
        "Pulse.running",
        "Intake.running",
        "CatchUp.running",
        "Doors.running",
    }
    for role, order in names.items():
        work = [name for name in order if name in {"Sender.running", "Worker.running", "CatchUp.running"}]
        assert all(order.index("Accounts.running") < order.index(name) for name in work), role
    assert names["gateway"][0].endswith("Store.running"), "the store is there first and goes last"


def test_a_gateway_asks_a_model_behind_an_address_for_programs(tmp_path: Path):
    names = {start.__qualname__ for start in Parts(settings(tmp_path), "gateway").resources()}
    assert "Model.running" in names


def test_knowledge_and_tools_can_be_off(tmp_path: Path):
    parts = Parts(settings(tmp_path, knowledge={"enabled": False}, tools={"enabled": False}), "all")
    names = {start.__qualname__ for start in parts.resources()}
    assert names.isdisjoint({"Knowledge.running", "Tools.running", "Webhooks.running"})
    assert {"/api/knowledge", "/api/tools", "/v1/chat/completions"} <= {route.path for route in parts.routes()}


@pytest.mark.parametrize("role", ["", "admin", "Worker", "all "])
def test_any_other_role_is_refused(tmp_path: Path, role: str):
    with pytest.raises(ValueError, match="all, gateway, worker"):
        build(settings(tmp_path), role=role)
    assert not (tmp_path / "data").exists(), "refused before anything is made"


def test_the_folder_is_made_and_a_store_can_be_given(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/elsewhere.db", StoreSettings())
    app = build(settings(tmp_path), store=store)
    assert app[STORE] is store
    assert (tmp_path / "data").is_dir()


def test_own_origin_comes_from_the_public_address(tmp_path: Path):
    parts = Parts(settings(tmp_path, http={"public_url": "https://desk.example/help"}), "all")
    assert parts.web_channels["default"].origin_allowed("https://desk.example")
    assert not Parts(settings(tmp_path), "all").web_channels["default"].origin_allowed("https://desk.example")


async def test_the_nightly_purge_runs_on_the_wired_store(tmp_path: Path):
    async with Place("sqlite", f"sqlite:///{tmp_path}/desk.db").open(real_clock=True) as store:
        parts = Parts(settings(tmp_path), "all", store)
        assert await parts._purge({}) is None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal_and_stops_in_order(tmp_path: Path, number: signal.Signals):
    port, seen = free_port(), []

    def visit() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                    seen.append(answer.status)
                break
            except OSError:
                time.sleep(0.02)
        os.kill(os.getpid(), number)

    visitor = threading.Thread(target=visit)
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    visitor.start()
    try:
        run(settings(tmp_path, port))
    finally:
        visitor.join()
        for one, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(one, handler)
    assert seen == [200]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "nobody listens any more"


def test_the_faster_loop_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop="theirs"))  # type: ignore[arg-type]
    assert wiring._loop_factory() == "theirs"
    monkeypatch.setitem(sys.modules, "uvloop", None)  # type: ignore[arg-type]
    assert wiring._loop_factory() is asyncio.new_event_loop
