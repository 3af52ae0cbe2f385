"""Short seeded forms of the platforms' drill: kills, an outage, the database away. The long ones run by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres
from tests.drill.__main__ import drill
from tests.drill.options import Options
from tests.drill.report import Report

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

SMALL = Options(messages=80, customers=6, seed=11, drain_s=90.0, log_level="debug")


def clean(report: Report, turns: int = 20) -> None:
    """Nothing was broken, and enough happened to say so."""
    print(report.table())
    assert report.verdict.clean, report.table()
    assert report.verdict.figures["turns answered"] >= turns, report.table()


async def test_kills_lose_double_and_reorder_nothing_on_any_platform(store_url: str, tmp_path: Path) -> None:
    report = await drill(SMALL.but(kills=6), store_url, tmp_path)
    clean(report)
    assert report.facts["kills"] >= 6
    logs = [path.read_text(encoding="utf-8", errors="replace") for path in tmp_path.rglob("*.log")]
    assert any('"level": "debug"' in log for log in logs), "nothing was logged at DEBUG, so nothing was looked at"


async def test_what_customers_write_while_the_service_is_down_is_answered_once(store_url: str, tmp_path: Path) -> None:
    report = await drill(SMALL.but(outage_s=8.0, messages=150), store_url, tmp_path)
    clean(report)
    assert report.verdict.figures["read back"] > 0, "no platform gave up, so nothing had to be read back"


@pytest.mark.postgres
@pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL programs here")
@pytest.mark.parametrize("how", ["stopped", "crashed"])
async def test_while_the_database_is_away_platforms_hear_so_at_once(how: str, tmp_path: Path) -> None:
    with postgres.cluster() as server:
        options = SMALL.but(database_away_s=10.0, database_how=how, messages=150)
        report = await drill(options, server.url("postgres"), tmp_path, cluster=server)
    clean(report)
    assert report.facts["refused by 503"] > 20
