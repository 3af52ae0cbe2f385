"""``frontdesk bot``: the switch that silences the bot, from the shell."""

from __future__ import annotations

from typing import Annotated

import typer

from config.settings import Settings
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.switch import EVERYWHERE, BotSwitch

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Channel = Annotated[str, typer.Option(help="Only this channel, such as web.")]
Account = Annotated[str, typer.Option(help="Only this account of the channel.")]


@app.callback()
def bot() -> None:
    """Silence the bot, or let it speak again."""


@app.command()
def on(channel: Channel = EVERYWHERE, account: Account = EVERYWHERE) -> None:
    """Let the bot answer; running servers follow within a second."""
    _set(channel, account, silent=False)


@app.command()
def off(channel: Channel = EVERYWHERE, account: Account = EVERYWHERE) -> None:
    """Keep the bot silent; messages are stored and wait for staff."""
    _set(channel, account, silent=True)


@app.command()
def status() -> None:
    """Print every place that was ever switched."""
    settings = shared.settings()
    shared.run(_status(settings))


def _set(channel: str, account: str, *, silent: bool) -> None:
    settings = shared.settings()
    _check_place(settings, channel, account)
    shared.run(_write(settings, channel, account, silent=silent))
    shared.say(f"The bot {'is silent' if silent else 'may answer'} on {_place(channel, account)}.")


def _check_place(settings: Settings, channel: str, account: str) -> None:
    known = settings.channels.model_dump()
    if channel == EVERYWHERE and account != EVERYWHERE:
        raise Failure("--account needs --channel", "add --channel web", code=MISUSED)
    if channel != EVERYWHERE and channel not in known:
        raise Failure(f"there is no channel {channel}", f"use one of: {', '.join(known)}", code=MISUSED)
    if account != EVERYWHERE and account not in known[channel]:
        raise Failure(f"{channel} has no account {account}", f"use one of: {', '.join(known[channel])}", code=MISUSED)


async def _write(settings: Settings, channel: str, account: str, *, silent: bool) -> None:
    async with shared.opened(settings) as store:
        await BotSwitch(store, settings.tenant).set(shared.operator(settings), channel, account, silent)


async def _status(settings: Settings) -> None:
    async with shared.opened(settings) as store:
        switch = BotSwitch(store, settings.tenant)
        await switch.load()
    if not switch.rows:
        shared.say("The bot may answer everywhere; it was never switched.")
    for row in switch.rows:
        shared.say(
            f"{_place(row['channel'], row['account']):<24} {'silent' if row['silent'] else 'answers'}"
            f"  (by {row['changed_by']})"
        )


def _place(channel: str, account: str) -> str:
    if channel == EVERYWHERE:
        return "every channel"
    return channel if account == EVERYWHERE else f"{channel}/{account}"
