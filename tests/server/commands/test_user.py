"""Letting people in from the shell, on a real store."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from config.load import load
from server.auth.passwords import Passwords
from server.auth.sessions import Device, Sessions
from server.commands import shared, user
from server.commands.failure import Failure
from server.people import Newcomer, People

Command = Callable[..., Result]


async def _redeem(url: str, email: str, data_dir: str) -> None:
    settings = load({"FRONTDESK_DATA_DIR": data_dir})
    async with shared.opened(settings) as store:
        sessions = Sessions(store, settings.tenant, settings.access, settings.http)
        people = People(store, settings.tenant, Passwords(8_192), sessions)
        newcomer = Newcomer(url.partition("#")[2], "Ada", email, "a long enough pass phrase 7")
        await people.redeem(newcomer, Device("127.0.0.1", "test"))


def test_the_first_link_makes_an_admin_who_can_be_listed_and_disabled(command: Command, tmp_path: object) -> None:
    assert "Nobody yet" in command(user.app, "list").output
    made = command(user.app, "link")
    url, until = made.output.splitlines()
    assert url.startswith("http://127.0.0.1:8080/console/setup#")
    assert until.startswith("Works once, until 2")
    shared.run(_redeem(url, "ada@example.com", f"{tmp_path}/data"))

    assert isinstance(command(user.app, "link").exception, Failure), "there is an admin now"
    listed = command(user.app, "list").output
    assert "ada@example.com" in listed
    assert "admin" in listed

    reset = command(user.app, "link", "--email", "Ada@Example.com")
    assert reset.exit_code == 0
    invited = command(user.app, "link", "--email", "bo@example.com", "--role", "staff")
    assert "#" in invited.output

    last = command(user.app, "disable", "ada@example.com").exception
    assert isinstance(last, Failure)
    assert "last admin" in str(last)
    shared.run(_redeem(invited.output.splitlines()[0], "bo@example.com", f"{tmp_path}/data"))
    assert "signed out everywhere" in command(user.app, "disable", "bo@example.com").output
    assert "disabled" in command(user.app, "list").output
    assert "can sign in again" in command(user.app, "disable", "bo@example.com", "--undo").output


def test_somebody_unknown_cannot_be_disabled(command: Command) -> None:
    assert "nobody has the address" in str(command(user.app, "disable", "who@example.com").exception)


def test_a_role_that_is_no_persons_is_refused(command: Command) -> None:
    assert isinstance(command(user.app, "link", "--role", "public").exception, Failure)
