"""The database checks that need a database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.commands.checks import Level
from server.commands.checks.store import check_file, check_postgresql, durability
from tests import postgres

GOOD = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def test_a_file_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert [finding.level for finding in check_file(tmp_path / "none.db")] == [Level.OK]


def test_an_empty_database_waits_for_its_migrations(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("pragma journal_mode=wal")
    schema = next(finding for finding in check_file(tmp_path / "a.db") if finding.name == "schema")
    assert schema.level is Level.WARN
    assert schema.repair == "frontdesk store migrate"


@pytest.mark.parametrize("name", sorted(GOOD))
def test_settings_that_lose_acknowledged_messages_are_faults(name: str) -> None:
    assert durability(GOOD).level is Level.OK
    finding = durability(GOOD | {name: "off"})
    assert finding.level is Level.FAIL
    assert f"alter system set {name} = 'on'" in finding.repair


@pytest.mark.postgres
@pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL programs here")
async def test_a_real_postgresql_is_read(cluster: postgres.Cluster) -> None:
    findings = {finding.name: finding for finding in await check_postgresql(cluster.url("postgres"))}
    assert findings["store"].level is Level.OK
    assert findings["schema"].level is Level.WARN, "an empty database waits for its migrations"
    assert findings["durability"].name == "durability"
