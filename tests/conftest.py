"""Fixtures for every folder: a PostgreSQL cluster per session, an empty store of each kind, no outside settings.

``REQUIRE_PARTS=postgres,browser`` (any of PARTS) makes tests with these markers fail where they would be skipped.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import postgres

PARTS = {
    "postgres": "PostgreSQL's server programs (initdb, pg_ctl, found by pg_config)",
    "browser": "Chromium and playwright",
    "loop": "vllm (requirements/demo-cpu.txt)",
    "faults": "strace and the right to trace processes",
}
"""Markers of tests that need a program, and what that is."""
REQUIRED = frozenset(filter(None, os.environ.get("REQUIRE_PARTS", "").replace(" ", "").split(",")))


def pytest_configure() -> None:
    """Refuse a part that does not exist: it would require nothing."""
    if unknown := REQUIRED - PARTS.keys():
        raise pytest.UsageError(f"REQUIRE_PARTS: {', '.join(sorted(unknown))} is none of {', '.join(PARTS)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a required test into a failure."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report, {mark.name for mark in item.iter_markers()} & PARTS.keys())
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips itself as a whole, before it has any test; its text names its markers."""
    report = yield
    if REQUIRED and report.skipped and isinstance(collector, pytest.File):
        text = collector.path.read_text(encoding="utf-8")
        _refuse_skip(report, {part for part in PARTS if f"mark.{part}" in text})
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport, parts: set[str]) -> None:
    """Fail a skipped report when all its parts are required: with one that is not, that one may be the missing one."""
    if report.skipped and parts and parts <= REQUIRED:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        needs = "; ".join(PARTS[part] for part in sorted(parts))
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_PARTS={','.join(sorted(REQUIRED))}, but this was skipped. {why}\nIt needs: {needs}"


@pytest.fixture(autouse=True)
def no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own settings must not decide a test."""
    for name in [name for name in os.environ if name.startswith("FRONTDESK_") and name != "FRONTDESK_CACHE_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A running PostgreSQL with a migrated template database."""
    with postgres.cluster() as server:
        with ThreadPoolExecutor(1) as thread:  # an async fixture may ask for it while its own loop runs
            thread.submit(lambda: asyncio.run(server.make_template())).result()
        yield server


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=[
                pytest.mark.postgres,
                pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL programs here"),
            ],
        ),
    ]
)
async def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of an empty store of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'desk.db'}"
        return
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    async with cluster.database() as url:
        yield url
