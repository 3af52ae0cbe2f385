from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import Result

from server.commands import bot
from server.commands.failure import MISUSED, Failure

Command = Callable[..., Result]


def test_the_switch_is_set_and_shown(command: Command) -> None:
    assert "never switched" in command(bot.app, "status").output
    assert "silent on every channel" in command(bot.app, "off").output
    assert "silent on web/default" in command(bot.app, "off", "--channel", "web", "--account", "default").output
    assert "may answer on every channel" in command(bot.app, "on").output
    status = command(bot.app, "status").output
    assert "every channel            answers  (by cli:" in status
    assert "web/default              silent" in status


@pytest.mark.parametrize(
    "arguments", [["--channel", "fax"], ["--account", "default"], ["--channel", "web", "--account", "nobody"]]
)
def test_places_that_do_not_exist_are_refused(command: Command, arguments: list[str]) -> None:
    failure = command(bot.app, "off", *arguments).exception
    assert isinstance(failure, Failure)
    assert failure.code == MISUSED
