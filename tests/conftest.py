"""Fixtures for every folder: a PostgreSQL cluster per session, an empty store of each kind, no outside settings.

``REQUIRE_PARTS=postgres,browser`` (any of PARTS) makes tests with these markers fail where they would be skipped.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from aiohttp import web_app
from xdist.scheduler import LoadScopeScheduling

from tests import postgres, turnstile
from tests.plain_logs import plain_logs

plain_logs()
hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no counterexample
hypothesis.settings.load_profile("untimed")
PARTS = {
    "postgres": "PostgreSQL's server programs (initdb, pg_ctl, found by pg_config)",
    "browser": "Chromium and playwright",
    "loop": "vllm (requirements/demo-cpu.txt)",
    "faults": "strace and the right to trace processes",
}
"""Markers of tests that need a program, and what that is."""
ALONE = (
    *("tests/browser/", "tests/faults/", "tests/loop/", "tests/server/test_console_browser.py"),
    *("tests/scenarios/test_telegram_kills.py", "tests/server/commands/test_drill.py"),
    "tests/server/knowledge/test_site_killed.py",
)
"""Tests that start processes of several cores' appetite: never two of them at once."""
REQUIRED = frozenset(filter(None, os.environ.get("REQUIRE_PARTS", "").replace(" ", "").split(",")))


def pytest_configure() -> None:
    """Refuse a part that does not exist: it would require nothing."""
    if unknown := REQUIRED - PARTS.keys():
        raise pytest.UsageError(f"REQUIRE_PARTS: {', '.join(sorted(unknown))} is none of {', '.join(PARTS)}")


@pytest.fixture(autouse=True)
def forgotten_apps() -> Iterator[None]:
    """Let go of the test's application: aiohttp keeps every one that was served, with all that hangs on it (15 MB)."""
    yield
    web_app._cached_build_middleware.cache_clear()


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Two workers (``-n 2``): a file stays whole on one, and what needs the machine goes one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "alone" if path.startswith(ALONE) else path


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` must still work
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Told by path: the groups of ``--dist loadgroup`` do not reach the scheduler with pytest 9."""
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # the wait is no part of a test's own time limit
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """With several workers a test with a model server has the machine to itself."""
    if not turnstile.run_of():
        return (yield)
    with turnstile.turn(turnstile.run_of(), whole=item.get_closest_marker("loop") is not None):
        return (yield)


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
    with postgres.migrated(durable=False) as server:
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


@pytest.fixture(autouse=True)
def the_same_clock() -> Iterator[None]:
    """A clock that somebody moved for good (an imported benchmark once did) fails its own test, not fifty others."""
    before = time.time
    yield
    assert time.time is before, "this test moved time.time for every test after it"
