"""The same tests over both stores: ``place`` is an empty database and the stores opened on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.store.contract import Store
from server.store.statements import load, parse
from tests import postgres
from tests.places import Place

PROBE = """
-- name: add
-- A row under a unique name.
insert into secret (name, value, created_at) values (:name, :value, 0);
-- name: all
-- Every name, in order.
select name from secret order by name;
-- name: one
-- What stands under a name.
select value from secret where name = :name;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("probe", PROBE, dialect))


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    if not postgres.available():
        pytest.skip("PostgreSQL's server programs are not installed")
    with postgres.migrated(durable=False) as server:
        yield server


@pytest.fixture
async def pg_url(cluster: postgres.Cluster) -> AsyncIterator[str]:
    async with cluster.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place("sqlite", f"sqlite:///{tmp_path}/desk.db")
    return Place("postgresql", request.getfixturevalue("pg_url"))


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with place.open() as opened:
        yield opened
