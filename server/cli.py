"""The ``frontdesk`` program: a table of commands, each imported only when it is asked for.

Exit status: 0 done, 1 not done (the cause and its repair stand on standard error), 2 wrong usage or settings,
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from server.commands.failure import INTERRUPTED, Failure


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table: what ``--help`` says without importing the module."""

    module: str
    help: str


TABLE = {
    "demo": Entry("demo", "Start the demo shop, load its documents, wait for the model, and ask it three questions."),
    "serve": Entry("serve", "Run the gateway, the workers, or both."),
    "chat": Entry("chat", "Talk to a running server as a customer, in the terminal."),
    "ingest": Entry("ingest", "Take documents into the knowledge: a folder, a web site or a database."),
    "search": Entry("search", "Print the passages found for a question with their ranks."),
    "eval": Entry("evaluate", "Measure on questions whose answers are known."),
    "review": Entry("review", "Approve what the model may learn from: a queue of two keys, or a list."),
    "train": Entry("train", "Start, watch and stop a retrain; take examples out and in."),
    "doctor": Entry("doctor", "Find what is wrong with this installation and name the repair."),
    "drill": Entry("drill", "Kill and starve the whole service on doubles of the platforms."),
    "config": Entry("config", "Show or check the settings."),
    "store": Entry("store", "Back up, restore, copy, check or migrate the database."),
    "user": Entry("user", "Let people in: one-time links, list, disable."),
    "release": Entry("release", "Show releases, try one, make one live, or take it back."),
    "customer": Entry("customer", "Copy, erase and merge what is known of customers."),
    "bot": Entry("bot", "Silence the bot, or let it speak again."),
    "version": Entry("version", "Print the version."),
}


class Commands(TyperGroup):
    """Shows the table and imports a command's module when it runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the order of the table."""
        del ctx
        return list(TABLE)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and build one command; None for an unknown name."""
        del ctx
        if cmd_name not in TABLE:
            return None
        module = importlib.import_module(f"server.commands.{TABLE[cmd_name].module}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in TABLE.items()])


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help starts three times faster
    pretty_exceptions_enable=False,  # a traceback with local variables would print secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def frontdesk() -> None:
    """A self-hosted support desk: every channel in one engine, an open-weights model that answers."""


def main() -> None:
    """Run the program and exit; entry point of the ``frontdesk`` script."""
    try:
        app(prog_name="frontdesk")
    except Failure as failure:
        sys.stderr.write(f"frontdesk: {failure}\n")
        raise SystemExit(failure.code) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
