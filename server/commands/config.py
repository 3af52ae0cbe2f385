"""``frontdesk config``: the values in force, where each came from, and whether they hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from config.load import describe
from server.commands import shared

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def config() -> None:
    """Show or check the settings."""


@app.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of key, value, source.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print every key with its value and source; secrets are masked."""
    lines = describe(shared.loaded())
    if as_json:
        shared.say(json.dumps([asdict(line) for line in lines], indent=2))
        return
    width = max(len(line.key) for line in lines)
    for line in lines:
        source = "" if line.source == "default" else f"  ({line.source})"
        shared.say(f"{line.key:<{width}}  {line.value}{source}")


@app.command()
def check() -> None:
    """Exit with status 0 if the settings can be used, else with 2 and one sentence."""
    shared.loaded()
    shared.say("The settings are valid.")
