"""The negative control: the same server over stores that answer before their data is synced.

``python -m tests.faults.careless serve --role gateway`` takes the environment of ``frontdesk serve``.
"""

from __future__ import annotations

import sqlite3
import sys

from aiohttp import web

from server.app import build
from server.commands import shared
from server.store.group import Entry
from server.store.open import SQLITE, sqlite_path
from server.store.postgres import PostgresStore
from server.store.postgres_session import UNIT_SETTINGS, PostgresSession, connect
from server.store.sqlite import SqliteStore


class CarelessSqliteStore(SqliteStore):
    """Leaves the sync to the operating system."""

    def _prepare(self) -> sqlite3.Connection:
        connection = super()._prepare()
        connection.execute("pragma synchronous=off")
        return connection


class CarelessPostgresStore(PostgresStore):
    """Lets the server answer before its log is flushed."""

    async def _commit(self, session: PostgresSession | None, entries: list[Entry]) -> PostgresSession | None:
        if session is None or session.connection.is_closed():
            settings = UNIT_SETTINGS | {"synchronous_commit": "off"}
            connection = await connect(self._url, self._settings.timeout_s, settings)
            session = PostgresSession(connection, self._clock)
        return await super()._commit(session, entries)


def main() -> None:
    """Serve in the role of the last argument."""
    settings = shared.settings()
    url = settings.store_url
    store = (
        CarelessSqliteStore(sqlite_path(url), settings.store)
        if url.startswith(SQLITE)
        else CarelessPostgresStore(url, settings.store)
    )
    app = build(settings, role=sys.argv[-1], store=store)
    web.run_app(app, host=settings.http.host, port=settings.http.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
