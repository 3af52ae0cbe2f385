"""Where it is proved what is on disk before a promise, the database waits for the disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A running, durable PostgreSQL with a migrated template database."""
    with postgres.migrated() as server:
        yield server
