"""``frontdesk store``: the database as an operator handles it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from config.load import mask_password
from config.settings import Settings
from server.commands import shared
from server.commands.checks import Finding, Level
from server.commands.checks.store import check_store
from server.commands.failure import Failure
from server.store import maintenance, retention

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

File = Annotated[Path, typer.Argument(help="The backup file.")]
Url = Annotated[str, typer.Argument(help="A store, as sqlite:///path or postgresql://user@host/database.")]


@app.callback()
def store() -> None:
    """Back up, restore, copy, check or migrate the database."""


@app.command()
def backup(file: File) -> None:
    """Write a consistent copy while the server runs; PostgreSQL needs pg_dump."""
    settings = shared.settings()
    shared.run(_backup(settings, file))
    shared.say(f"{file}: {file.stat().st_size} bytes")


async def _backup(settings: Settings, file: Path) -> None:
    async with shared.opened(settings) as opened:
        await opened.backup(file)


@app.command()
def restore(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Also when the store already holds conversations.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Put a backup in the place of the configured store; stop the server first."""
    settings = shared.settings()
    shared.run(maintenance.restore(settings.store_url, file, force=force))
    shared.say(f"Restored {file} into {mask_password(settings.store_url)}.")


@app.command()
def copy(source: Url, target: Url) -> None:
    """Copy a whole shop into an empty store, for example from SQLite to PostgreSQL."""
    rows = shared.run(maintenance.copy(source, target))
    for table, number in rows.items():
        if number:
            shared.say(f"{table:<16} {number}")
    shared.say(f"{sum(rows.values())} rows copied and counted.")


@app.command()
def purge() -> None:
    """Delete now what outlived store.retention_days and store.dedupe_days."""
    settings = shared.settings()
    for kind, number in shared.run(_purge(settings)).items():
        shared.say(f"{kind:<16} {number} removed")


async def _purge(settings: Settings) -> dict[str, int]:
    async with shared.opened(settings) as opened:
        return await retention.purge(opened, settings.store, time.time())


@app.command()
def migrate() -> None:
    """Bring the schema up to this version; the server does the same when it starts."""
    settings = shared.settings()
    shared.run(_ping(settings))
    shared.say(f"The schema of {mask_password(settings.store_url)} is current.")


async def _ping(settings: Settings) -> None:
    async with shared.opened(settings) as opened:
        await opened.ping()


@app.command()
def check() -> None:
    """Check reachability, schema version, durability and integrity; status 1 on a fault."""
    findings = shared.run(check_store(shared.settings()))
    for finding in findings:
        shared.say(finding.line())
    faults: list[Finding] = [finding for finding in findings if finding.level is Level.FAIL]
    if faults:
        raise Failure(f"{faults[0].name}: {faults[0].value}", faults[0].repair)
