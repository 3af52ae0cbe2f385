"""Numbered migrations: what is applied, what is pending, and when to refuse."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from server.store.contract import StoreError

BOOKKEEPING = """
create table if not exists migration (
    version integer primary key, name text not null, sha256 text not null, applied_at double precision not null
)"""
LOCK_KEY = 0x66726F6E74646573  # "frontdes": the advisory lock under which PostgreSQL is migrated


@dataclass(frozen=True, slots=True)
class Migration:
    """One file ``NNNN_name.sql``, written for both dialects."""

    version: int
    name: str
    sha256: str
    sql: str

    def statements(self) -> Iterator[str]:
        """The file's statements one by one, so that they can run inside one transaction."""
        part = ""
        for line in self.sql.splitlines(keepends=True):
            part += line
            if part.strip() and sqlite3.complete_statement(part):
                yield part
                part = ""
        if any(line.strip() and not line.lstrip().startswith("--") for line in part.splitlines()):
            raise StoreError(f"migration {self.version:04}_{self.name}.sql ends inside a statement; end it with ';'")


def load() -> Sequence[Migration]:
    """Every migration of this version in order; raises StoreError when they are not numbered without a gap."""
    found = []
    for entry in resources.files("server.store").joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            sql = entry.read_text(encoding="utf-8")
            found.append(Migration(int(number), name, hashlib.sha256(sql.encode()).hexdigest(), sql))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise StoreError("the migrations are not numbered 1, 2, 3, … without a gap; this installation is damaged")
    return found


def pending(applied: Mapping[int, str], known: Sequence[Migration]) -> Sequence[Migration]:
    """What is still to be applied, given the sha256 of each applied version.

    Raises StoreError when the database is newer than this program or an applied file has changed since.
    """
    newest = max(applied, default=0)
    if newest > len(known):
        raise StoreError(
            f"the database has schema version {newest}, this program knows {len(known)}: "
            "start the newer program, or restore a backup made before the upgrade"
        )
    for migration in known[:newest]:
        if applied.get(migration.version) != migration.sha256:
            raise StoreError(
                f"migration {migration.version:04}_{migration.name}.sql is not the file that was applied to this "
                "database: put the released file back, and put changes into a new migration"
            )
    return known[newest:]
