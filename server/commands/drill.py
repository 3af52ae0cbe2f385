"""``frontdesk drill``: kill and starve the whole service on doubles of the platforms, and print what was broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from server.commands.failure import Failure
from server.install import ROOT

app = typer.Typer(add_completion=False, rich_markup_mode=None)

DRILL = Path("tests/drill/__main__.py")  # the doubles are test code, so they come with the source, not with a wheel


@app.command()
def drill(
    kills: Annotated[int, typer.Option(help="Times that the service is killed, at random and at named points.")] = 0,
    messages: Annotated[int, typer.Option(help="Messages that customers write at least; 0 = as the kind asks.")] = 0,
    rate: Annotated[float, typer.Option(help="Messages per second over all customers; 0 = as the kind asks.")] = 0.0,
    customers: Annotated[int, typer.Option(help="Customers of each channel; 0 = as the kind asks.")] = 0,
    channels: Annotated[str, typer.Option(help="Which platforms.")] = "whatsapp,meta,slack,telegram",
    duplicates: Annotated[float, typer.Option(help="Share of deliveries that come twice.")] = 0.2,
    reorder: Annotated[float, typer.Option(help="Share of deliveries that are overtaken.")] = 0.1,
    hidden: Annotated[float, typer.Option(help="Share of sends that succeed without an answer.")] = 0.05,
    limited: Annotated[float, typer.Option(help="Share of calls answered by 429.")] = 0.02,
    errors: Annotated[float, typer.Option(help="Share of calls that fail without effect.")] = 0.02,
    seed: Annotated[int, typer.Option(help="The same number draws the same lots.")] = 1,
    store: Annotated[
        str, typer.Option(help="URL of an empty database; empty = a temporary SQLite file, cluster = a PostgreSQL.")
    ] = "",
    config: Annotated[Path | None, typer.Option(help="Settings file whose limits are drilled, never secrets.")] = None,
    burst: Annotated[bool, typer.Option("--burst", help="10,000 messages in 10 seconds.")] = False,  # noqa: FBT002 - a flag
    outage: Annotated[float, typer.Option(help="Seconds that the service is down while customers write.")] = 0.0,
    database_away: Annotated[float, typer.Option(help="Seconds that a throwaway PostgreSQL does not answer.")] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Kill and starve the whole service on doubles of the platforms; status 1 when a promise was broken.

    Needs a source checkout, and neither account nor key nor network: everything runs on 127.0.0.1.
    """
    if not (ROOT / DRILL).is_file():
        raise Failure(
            "the doubles of the platforms come with the source code, not with the installed package",
            "git clone the project, install it there, and run frontdesk drill in that folder",
        )
    if config is not None and not config.is_file():
        raise Failure(f"the settings file {config} is not there", "name an existing file, or leave --config out")
    options = {
        "kills": kills, "messages": messages, "rate": rate, "customers": customers, "channels": channels,
        "duplicates": duplicates, "reorder": reorder, "hidden": hidden, "limited": limited, "errors": errors,
        "seed": seed, "store": store, "config": config.resolve() if config is not None else None, "outage": outage,
        "database-away": database_away,
    }  # fmt: skip
    flags = [f"--{name}" for name, wanted in (("burst", burst), ("json", json)) if wanted]
    raise SystemExit(run(arguments(options) + flags))


def arguments(options: dict[str, object]) -> list[str]:
    """A command line out of options; those left at "as the kind asks" are not named."""
    left_out = {"messages": 0, "rate": 0.0, "customers": 0, "store": "", "config": None}
    return [f"--{name}={value}" for name, value in options.items() if name not in left_out or value != left_out[name]]


def run(given: list[str]) -> int:
    """Run the drill in a process of its own, which may import test code; its exit status."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    command = [sys.executable, "-m", "tests.drill", *given]
    return subprocess.run(command, cwd=ROOT, env=inherited, check=False).returncode
