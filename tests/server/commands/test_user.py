"""Letting people in from the shell, on a real store."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from config.load import load
from server.auth.passwords import Passwords
from server.auth.seal import FILE, Seal
from server.auth.sessions import Device, Sessions
from server.auth.totp import new_secret
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


def test_a_lost_app_is_taken_away_where_there_is_one(command: Command, tmp_path: object) -> None:
    assert "nobody has the address" in str(command(user.app, "reset-app", "ada@example.com").exception)
    url = command(user.app, "link").output.splitlines()[0]
    shared.run(_redeem(url, "ada@example.com", f"{tmp_path}/data"))
    assert "no authenticator app" in str(command(user.app, "reset-app", "ada@example.com").exception)


async def _app(data_dir: str, email: str) -> None:
    """Give somebody an app, then lose the key it was sealed with."""
    settings = load({"FRONTDESK_DATA_DIR": data_dir})
    async with shared.opened(settings) as store:
        row = await store.row("people.by_email", tenant=settings.tenant, email=email)
        assert row is not None
        seal = Seal(store, settings.tenant, settings.access, settings.data_dir)
        assert await seal.ready()
        key = {"tenant": settings.tenant, "person_id": row["id"]}
        sealed = seal.sealed(new_secret(), row["id"])
        await store.write(lambda tx: tx.run("second.begin", **key, secret=sealed, now=tx.now_s))
    (settings.data_dir / FILE).unlink()


def test_an_app_whose_key_is_lost_is_taken_away_too(command: Command, tmp_path: object) -> None:
    url = command(user.app, "link").output.splitlines()[0]
    shared.run(_redeem(url, "ada@example.com", f"{tmp_path}/data"))
    shared.run(_app(f"{tmp_path}/data", "ada@example.com"))
    assert "no authenticator app any more" in command(user.app, "reset-app", "ada@example.com").output
