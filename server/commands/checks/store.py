"""The database: reachable, at a schema this program knows, and set to keep what it acknowledged."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from config.load import mask_password
from config.settings import Settings
from server.commands.checks import Finding, fail, ok, warn
from server.store import migrate
from server.store.contract import StoreError
from server.store.open import SQLITE, sqlite_path

CONNECT_S = 5.0
OLDEST_POSTGRESQL = 150_000  # server_version_num of 15
DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}
RESTORE = "frontdesk store restore BACKUP --force"


async def check_store(settings: Settings) -> list[Finding]:
    """Every finding about the configured store; nothing is written."""
    if settings.store_url.startswith(SQLITE):
        return await asyncio.to_thread(check_file, sqlite_path(settings.store_url))
    return await check_postgresql(settings.store_url)


def check_file(path: Path) -> list[Finding]:
    """An SQLite file; one that is not there yet is fine."""
    if not path.exists():
        return [ok("store", f"{path} will be made at the first start")]
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=CONNECT_S)) as connection:
            verdict = connection.execute("pragma quick_check(1)").fetchone()[0]
            if verdict != "ok":
                return [fail("store", f"{path} is damaged: {verdict}", RESTORE)]
            journal = connection.execute("pragma journal_mode").fetchone()[0]
            applied = _applied(connection)
    except sqlite3.Error as error:
        return [fail("store", f"{path} cannot be read ({error})", RESTORE)]
    return [ok("store", str(path)), _schema(applied), _journal(path, journal)]


def _applied(connection: sqlite3.Connection) -> dict[int, str]:
    known = connection.execute("select 1 from sqlite_master where name = 'migration'").fetchone()
    return dict(connection.execute("select version, sha256 from migration").fetchall()) if known else {}


def _schema(applied: dict[int, str]) -> Finding:
    known = migrate.load()
    try:
        pending = migrate.pending(applied, known)
    except StoreError as error:
        return fail("schema", str(error), "install the version that wrote it, or restore a backup")
    if pending:
        return warn("schema", f"{len(pending)} migrations are due, the start applies them", "frontdesk store migrate")
    return ok("schema", f"version {len(known)}")


def _journal(path: Path, mode: str) -> Finding:
    if mode != "wal":
        repair = "stop what else opens the file, then: frontdesk store migrate"
        return warn("durability", f"journal mode {mode} instead of wal", repair)
    return ok("durability", f"write-ahead log, full sync ({path.name})")


async def check_postgresql(url: str) -> list[Finding]:
    """A PostgreSQL server: version, durability settings, schema."""
    shown = mask_password(url)
    try:
        connection: Any = await asyncpg.connect(url, timeout=CONNECT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, ValueError) as error:
        return [fail("store", f"{shown}: {type(error).__name__}", "start PostgreSQL, or correct FRONTDESK_STORE__URL")]
    try:
        version = int(await connection.fetchval("show server_version_num"))
        values = {name: await connection.fetchval(f"show {name}") for name in DURABLE}
        table = await connection.fetchval("select to_regclass('migration')")
        rows = await connection.fetch("select version, sha256 from migration") if table else []
    finally:
        await connection.close()
    findings = [_version(shown, version), durability(values)]
    return [*findings, _schema({row["version"]: row["sha256"] for row in rows})]


def _version(shown: str, version: int) -> Finding:
    if version < OLDEST_POSTGRESQL:
        return fail("store", f"{shown} is PostgreSQL {version // 10_000}", "upgrade it to PostgreSQL 15 or newer")
    return ok("store", f"{shown} (PostgreSQL {version // 10_000})")


def durability(values: dict[str, str]) -> Finding:
    """Settings under which a commit survives a power cut."""
    for name, good in DURABLE.items():
        if values[name] not in good:
            repair = f"alter system set {name} = 'on'; select pg_reload_conf();"
            return fail("durability", f"{name} = {values[name]}, acknowledged messages could be lost", repair)
    return ok("durability", ", ".join(f"{name} {value}" for name, value in values.items()))
