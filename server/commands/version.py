"""``frontdesk version``: one line for bug reports."""

from __future__ import annotations

import platform

import typer

from server.commands.shared import say
from server.install import version

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("version")
def show() -> None:
    """Print the version."""
    say(f"frontdesk {version()} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
