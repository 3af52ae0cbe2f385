"""``frontdesk serve``: the server itself, until a signal stops it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from config.wording import ConfigError
from server import app as server_app
from server.commands import shared
from server.commands.failure import MISUSED, Failure

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Part(StrEnum):
    """Which half of the server this process runs."""

    ALL = "all"
    GATEWAY = "gateway"
    WORKER = "worker"


@app.command()
def serve(
    role: Annotated[
        Part, typer.Option(help="What this process does: all of it, only HTTP, or only answering.")
    ] = Part.ALL,
) -> None:
    """Run the gateway, the workers, or both.

    SIGTERM stops intake, finishes running work for http.drain_s seconds, and exits with status 0.
    """
    settings = shared.settings()
    try:
        server_app.run(settings, role=role.value)
    except ConfigError as error:  # in a file that the settings name
        raise Failure(str(error), code=MISUSED) from None
