"""Which store a URL means.

The PostgreSQL modules are loaded by name, so that a shop on SQLite never loads the driver.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import cast

from config.settings import StoreSettings
from server.store.clock import Clock
from server.store.contract import Store, StoreError
from server.store.sqlite import SqliteStore

SQLITE = "sqlite:///"
POSTGRESQL = "postgresql://"


def open_store(url: str, settings: StoreSettings, *, clock: Clock | None = None) -> Store:
    """The store behind ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://user@host/database``.

    Nothing is opened before ``async with store.running():``. Raises StoreError on any other URL.
    """
    if url.startswith(SQLITE):
        return SqliteStore(sqlite_path(url), settings, clock)
    if url.startswith(POSTGRESQL):
        module = importlib.import_module("server.store.postgres")
        return cast("Store", module.PostgresStore(url, settings, clock))
    raise StoreError("the store's URL must be sqlite:///path/to/file.db or postgresql://user:password@host/database")


def sqlite_path(url: str) -> Path:
    """The database file an SQLite URL names."""
    return Path(url.removeprefix(SQLITE)).expanduser()


def postgres_ends() -> ModuleType:
    """The module whose ``open_end`` opens a PostgreSQL database for copying."""
    return importlib.import_module("server.store.postgres_end")
