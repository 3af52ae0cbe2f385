"""What probes and monitors are told, with the store well, locked, away, and silent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from config.settings import Http
from server.api.health import KEPT_S, Health
from server.install import version
from server.problems import problems
from server.store.contract import StoreUnavailable
from server.telemetry import Metrics
from tests.places import Place
from tests.server.engine.bench import bench


class Probe:
    """A health API behind a loopback server."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self.health = health
        self.metrics = metrics
        app = web.Application(middlewares=[problems])
        app.add_routes([web.get(route.path, route.handler) for route in health.routes()])
        self.server = TestServer(app, host="127.0.0.1")
        self._http: ClientSession | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Probe]:
        await self.server.start_server()
        async with ClientSession() as self._http:
            yield self
        await self.server.close()

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        assert self._http is not None
        async with self._http.get(self.server.make_url(path), headers=headers) as response:
            body = await (response.json() if "json" in response.content_type else response.text())
            return response.status, body

    def forget(self) -> None:
        """As after KEPT_S seconds."""
        self.health._last = (-KEPT_S, {})


def probe(store: Any, http: Http | None = None, **notes: str) -> Probe:
    metrics = Metrics()

    def said(text: str) -> Any:
        async def note() -> str:
            return text

        return note

    return Probe(Health(store, metrics, http or Http(), {name: said(text) for name, text in notes.items()}), metrics)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("sqlite", f"sqlite:///{tmp_path}/desk.db")


async def test_well(place: Place):
    async with place.open() as store, probe(store, model="loading: weights").serving() as desk:
        for path in ("/livez", "/healthz"):
            assert await desk.get(path) == (200, {"status": "alive"})
        assert await desk.get("/readyz") == (
            200,
            {"status": "ready", "reasons": {}, "notes": {"model": "loading: weights"}},
        )
        assert await desk.get("/version") == (200, {"name": "frontdesk", "version": version()})


async def test_a_closed_store_is_not_ready_but_alive(place: Place):
    async with place.open() as store:
        pass
    async with probe(store).serving() as desk:
        assert (await desk.get("/livez"))[0] == 200
        status, body = await desk.get("/readyz")
        assert (status, body["status"]) == (503, "not ready")
        assert "not running" in body["reasons"]["store"]


async def test_a_store_that_cannot_write_is_not_ready_until_it_can(place: Place):
    async with place.open(timeout_s=0.1) as store, probe(store).serving() as desk:
        other = sqlite3.connect(place.url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("begin immediate")  # somebody keeps the write lock
        status, body = await desk.get("/readyz")
        assert status == 503
        assert body["reasons"]["store"]
        other.execute("rollback")
        other.close()
        desk.forget()
        assert (await desk.get("/readyz"))[0] == 200


class SilentStore:
    """A database that takes the question and never answers."""

    async def ping(self) -> None:
        await asyncio.Event().wait()


class SpeechlessStore:
    """A database that is away, counted."""

    def __init__(self) -> None:
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        raise StoreUnavailable

    async def rows(self, _query: str, **_values: object) -> list[object]:
        raise StoreUnavailable("away")


async def test_a_silent_database_is_not_waited_for():
    async with probe(SilentStore()).serving() as desk:
        status, body = await desk.get("/readyz")
        assert (status, body["reasons"]) == (503, {"store": "the database did not answer within 2 s"})


async def test_probes_cost_the_database_one_question_a_second():
    store = SpeechlessStore()
    async with probe(store).serving() as desk:
        for _ in range(5):
            status, body = await desk.get("/readyz")
            assert (status, body["reasons"]) == (503, {"store": "the database does not answer"})
        assert store.asked == 1
        desk.forget()
        await desk.get("/readyz")
        assert store.asked == 2


async def test_draining_is_not_ready_at_once(place: Place):
    async with place.open() as store, probe(store).serving() as desk:
        assert (await desk.get("/readyz"))[0] == 200
        desk.health.draining = True
        status, body = await desk.get("/readyz")
        assert (status, body["reasons"]) == (503, {"server": "the server is stopping"})
        assert (await desk.get("/livez"))[0] == 200


def figures(text: str) -> dict[str, float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {f"{s.name}{sorted(s.labels.values())}": s.value for s in samples}


async def test_figures_have_our_names_and_count_lanes(place: Place, tmp_path: Path):
    async with bench(place, tmp_path) as one, probe(one.store).serving() as desk:
        await one.say("c1")
        await one.say("c2")
        await one.take_one()
        status, text = await desk.get("/metrics")
        found = figures(text)
        assert status == 200
        assert (found["frontdesk_lanes['in', 'leased']"], found["frontdesk_lanes['in', 'ready']"]) == (1, 1)
        assert found["frontdesk_lane_oldest_seconds['in']"] > 0
        families = {family.name for family in text_string_to_metric_families(text)}
        assert all(name.startswith(("frontdesk_", "process_")) for name in families)
        assert {"frontdesk_model_state", "frontdesk_breaker_open", "frontdesk_items_parked"} <= families


async def test_without_a_database_the_other_figures_are_still_shown():
    async with probe(SpeechlessStore()).serving() as desk:
        desk.metrics.lanes.labels("in", "ready").set(5)
        desk.metrics.items_parked.inc(3)
        status, text = await desk.get("/metrics")
        found = figures(text)
        assert (status, found["frontdesk_items_parked_total[]"]) == (200, 3)
        assert "frontdesk_lanes['in', 'ready']" not in found, "an old figure would be a lie"


@pytest.mark.parametrize(("caller", "status"), [("10.1.2.3", 200), ("203.0.113.9", 200), ("8.8.8.8", 403)])
async def test_figures_are_for_callers_inside_the_network(place: Place, caller: str, status: int):
    async with place.open() as store, probe(store, Http(trusted_proxies=("127.0.0.1",))).serving() as desk:
        assert (await desk.get("/metrics", **{"X-Forwarded-For": caller}))[0] == status
