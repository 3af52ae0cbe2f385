"""The addresses of analytics over HTTP: figures, files equal to the chart, drill-down, rebuild."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from benchmarks.month import Month, MonthClock
from benchmarks.month_check import BEGIN_S, TENANT
from config.settings import Settings
from server.analytics import tables
from server.analytics.assembly import Insight
from server.analytics.folding import JOB
from server.analytics.metrics import METRICS
from server.routes import Principal, Role, install
from server.store.contract import Store
from server.store.open import open_store

PERIOD = f"from={BEGIN_S:.0f}&to={BEGIN_S + 40 * 86_400:.0f}"


class NamedGate:
    """Lets in a viewer and an admin."""

    async def who(self, request: web.Request) -> Principal | None:
        name = request.headers["Authorization"].removeprefix("Bearer ")
        return Principal(TENANT, "person", name, Role.ADMIN if name == "adam" else Role.VIEWER)

    def check_forgery(self, request: web.Request, principal: Principal) -> None:
        """Nobody forges anything here."""

    async def record(self, request: web.Request, principal: Principal, action: str) -> None:
        """Every action here writes its own row."""


class Desk:
    """A month of a few customers behind the addresses."""

    def __init__(self, store: Store, insight: Insight, session: ClientSession, server: TestServer) -> None:
        self.store = store
        self.insight = insight
        self._session = session
        self._server = server

    async def call(self, path: str, method: str = "GET", who: str = "vera", status: int = 200) -> Any:
        url = self._server.make_url(f"/api/{path}")
        async with self._session.request(method, url, headers={"Authorization": f"Bearer {who}"}) as found:
            assert found.status == status, await found.text()
            return await found.json() if "json" in found.content_type else await found.read()


@pytest.fixture
async def desk(store_url: str) -> AsyncIterator[Desk]:
    clock = MonthClock()
    settings = Settings(tenant=TENANT)
    store = open_store(store_url, settings.store, clock=clock)
    insight = Insight(store, settings, places=lambda *_: None, silent=lambda *_: False, sign=lambda *_: "")
    app = web.Application()
    install(app, insight.routes(), NamedGate())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(store.running())
        await Month(store, clock, 3).run(12)
        await insight.folding.run({})
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        stack.push_async_callback(server.close)
        yield Desk(store, insight, await stack.enter_async_context(ClientSession()), server)


async def test_a_period_has_every_figure_with_its_definition(desk: Desk):
    found = await desk.call(f"analytics?{PERIOD}&zone=Europe/Berlin")
    assert [each["name"] for each in found["figures"]] == list(METRICS)
    assert found["figures"][0]["value"] >= 12
    assert sum(map(sum, found["heat"])) == found["figures"][0]["value"]
    assert sum(count for _, count in found["reasons"]) <= found["figures"][0]["value"]
    assert set(found["choices"]) == {"channel", "language", "release"}
    assert found["number"] > 0
    told = await desk.call("analytics/definitions")
    assert [each["name"] for each in told["metrics"]] == list(METRICS)


async def test_files_equal_the_chart(desk: Desk):
    chart = await desk.call(f"analytics/series?{PERIOD}&by=channel&step=week")
    lines = list(
        csv.DictReader(io.StringIO((await desk.call(f"analytics/export?{PERIOD}&by=channel&step=week")).decode()))
    )
    assert list(lines[0]) == chart["columns"]
    assert len(lines) == len(chart["rows"])
    for line, row in zip(lines, chart["rows"], strict=True):
        for name in METRICS:
            assert (float(line[name]) if line[name] else None) == row[name], name
    pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    body = await desk.call(f"analytics/export?{PERIOD}&by=channel&step=week&format=parquet")
    assert parquet.read_table(io.BytesIO(body)).to_pylist() == chart["rows"]
    assert (
        sum(row["conversations"] for row in chart["rows"])
        == (await desk.call(f"analytics?{PERIOD}"))["figures"][0]["value"]
    )


async def test_without_the_package_the_answer_names_it(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tables.importlib, "import_module", missing)
    refused = await desk.call(f"analytics/export?{PERIOD}&format=parquet", status=501)
    assert "pyarrow" in refused["detail"]


async def test_the_conversations_behind_a_figure(desk: Desk):
    figures = {each["name"]: each for each in (await desk.call(f"analytics?{PERIOD}"))["figures"]}
    seen, cursor = [], ""
    while cursor is not None:
        page = await desk.call(f"analytics/conversations?{PERIOD}&which=contained&limit=3&cursor={cursor}")
        seen += [each["case_id"] for each in page["items"]]
        assert all(each["handed_reason"] is None for each in page["items"])
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == round(figures["containment"]["value"] * figures["conversations"]["value"])
    assert figures["containment"]["drill"] == "contained"


@pytest.mark.parametrize("query", ["from=5&to=4", "zone=Nowhere", "step=second", "which=all", "from=0&to=1&from=2"])
async def test_senseless_questions_are_refused(desk: Desk, query: str):
    refused = await desk.call(f"analytics?{query}", status=422)
    assert refused["detail"]


async def test_an_admin_has_the_figures_made_anew(desk: Desk):
    await desk.call("analytics/rebuild", "POST", "vera", status=403)
    await desk.call("analytics/rebuild", "POST", "adam", status=202)
    lane = await desk.store.rows("lanes.holders")
    assert lane == []
    before = await desk.call(f"analytics?{PERIOD}")
    await desk.insight.jobs()[JOB]({"rebuild": True})
    after = await desk.call(f"analytics?{PERIOD}")
    assert after == before


async def test_surveys_are_listed_newest_first(desk: Desk):
    found = await desk.call("surveys?limit=2")
    times = [each["asked_at"] for each in found["items"]]
    assert times == sorted(times, reverse=True)
    answered = await desk.call("surveys?answered=true&limit=200")
    assert all(each["score"] is not None for each in answered["items"])


def test_texts_of_customers_are_no_formulas() -> None:
    row = dict.fromkeys(tables.columns_of(), 1.0) | {"start_utc": "2026", "key": "=1+1"}
    assert b"'=1+1" in tables.csv_of([row])
