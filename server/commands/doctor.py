"""``frontdesk doctor``: every check, each fault with its repair."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from config.load import ConfigError, load
from config.settings import Log, Settings
from server.commands import shared
from server.commands.checks import Finding, Level, fail, ok
from server.commands.checks.channels import check_accounts, check_addresses
from server.commands.checks.exposure import check_exposure, check_secret_files
from server.commands.checks.install import check_packages, check_vllm, check_weights, newest_file_s, pins
from server.commands.checks.machine import check_clock, check_data_dir, check_memory, check_python
from server.commands.checks.network import check_model, check_port, check_switches
from server.commands.checks.store import check_store
from server.commands.failure import FAILED
from server.install import ROOT
from server.telemetry import setup_logging

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LOCK = ROOT / "requirements/server.txt"
MEMINFO = Path("/proc/meminfo")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of name, value, level, repair.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Find what is wrong with this installation and name the repair; status 1 when something must be repaired."""
    setup_logging(Log(level="error"))  # what channels log is in the findings; standard output is for those alone
    findings = shared.run(examine(os.environ))
    if as_json:
        shared.say(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            shared.say(finding.line())
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(FAILED)


async def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Run every check that makes sense; with unusable settings only those that need none."""
    findings = [
        check_python(sys.version_info[:3]),
        check_packages(pins(_text(LOCK))),
        check_clock(time.time(), newest_file_s(ROOT)),
        check_secret_files(environ),
    ]
    try:
        settings = load(environ)
    except ConfigError as error:
        repair = "correct that one key, then: frontdesk config check"
        return [*findings, fail("settings", str(error), repair)]
    return [*findings, ok("settings", "valid"), *await _examine(settings)]


async def _examine(settings: Settings) -> list[Finding]:
    return [
        check_memory(_text(MEMINFO), settings),
        *check_data_dir(settings.data_dir),
        *await check_store(settings),
        check_vllm(settings),
        check_weights(settings),
        await check_model(settings),
        await check_port(settings),
        *check_exposure(settings),
        *check_addresses(settings),
        *await check_accounts(settings),
        check_switches(settings),
    ]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
