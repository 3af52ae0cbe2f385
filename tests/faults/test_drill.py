"""The short seeded form of the drill; the long one's log is in docs/measurements/faults.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.drill import Options, drill

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROLES = {"sqlite": "joined", "postgresql": "split"}


async def test_no_promise_is_broken_by_kills_at_random_and_at_named_points(store_url: str, tmp_path: Path):
    dialect = store_url.partition(":")[0]
    options = Options(dialect, ROLES[dialect], kills=7, seed=7, visitors=8)
    report = await drill(options, store_url, tmp_path)
    print(report.table())
    assert report.verdict.clean, report.table()
    assert sum(report.kills.values()) >= 7
    assert report.facts["turns"], "nothing was answered, so nothing was tested"
