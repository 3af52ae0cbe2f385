"""``frontdesk user``: letting people in from the shell, where no password is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from config.settings import Settings
from server.auth.attempts import Attempts
from server.auth.passwords import Passwords
from server.auth.seal import Seal
from server.auth.second import SecondFactor
from server.auth.sessions import Sessions
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.links import LinkRefused, Links
from server.people import People
from server.problems import Problem
from server.routes import Role
from server.store.contract import Row, Store

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
LISTING = "frontdesk user list"


@app.callback()
def user() -> None:
    """Let people in: one-time links, list, disable."""


@app.command()
def link(
    email: Annotated[
        str, typer.Option(help="Whom it is for: invites a new address, resets the password of a known one.")
    ] = "",
    role: Annotated[Role, typer.Option(help="Role of a new person: admin, staff or viewer.")] = Role.ADMIN,
) -> None:
    """Print a one-time link; without --email it makes the first admin."""
    settings = shared.settings()
    if role not in {Role.ADMIN, Role.STAFF, Role.VIEWER}:
        raise Failure(f"{role.value} is no role of a person", "use --role admin, staff or viewer", code=MISUSED)
    shared.run(_link(settings, email.strip().lower(), role))


async def _link(settings: Settings, email: str, role: Role) -> None:
    async with shared.opened(settings) as store:
        links = Links(store, settings.tenant, settings.access, shared.public_url(settings))
        actor = shared.operator(settings)
        try:
            if not email:
                made = await links.setup(actor)
            elif await store.row("people.by_email", tenant=settings.tenant, email=email):
                made = await links.reset(actor, email)
            else:
                made = await links.invite(actor, email, role)
        except LinkRefused as refusal:
            raise Failure(str(refusal), "frontdesk user link --email ADDRESS") from None
    shared.say(made.url)
    shared.say(f"Works once, until {_moment(made.expires_at)}.")


@app.command("list")
def listing() -> None:
    """Print everybody with role, state and last request."""
    settings = shared.settings()
    people = shared.run(_all(settings))
    if not people:
        shared.say("Nobody yet; make the first admin with: frontdesk user link")
    for person in people:
        state = "disabled" if person["disabled_at"] else "active"
        seen = _moment(person["seen_at"]) if person["seen_at"] else "never"
        shared.say(f"{person['email']:<32} {person['role']:<7} {state:<9} last seen {seen}  {person['name']}")


async def _all(settings: Settings) -> list[Row]:
    async with shared.opened(settings) as store:
        return list(await _people(store, settings).all())


@app.command()
def disable(
    email: Annotated[str, typer.Argument(help="Address of the person.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let the person in again.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """End a person's sessions and refuse further sign-ins."""
    settings = shared.settings()
    shared.run(_disable(settings, email.strip().lower(), disabled=not undo))
    shared.say(f"{email} can sign in again." if undo else f"{email} is signed out everywhere and cannot sign in.")


async def _disable(settings: Settings, email: str, *, disabled: bool) -> None:
    async with shared.opened(settings) as store:
        row = await store.row("people.by_email", tenant=settings.tenant, email=email)
        if row is None:
            raise Failure(f"nobody has the address {email}", LISTING)
        try:
            await _people(store, settings).change(
                shared.operator(settings), row["id"], role=None, disabled=disabled, ip=""
            )
        except Problem as problem:
            raise Failure(problem.detail, LISTING) from None


@app.command("reset-app")
def reset_app(email: Annotated[str, typer.Argument(help="Address of the person.")]) -> None:
    """Take a lost authenticator app away; the person signs in with the password, or sets up a new app."""
    settings = shared.settings()
    shared.run(_reset_app(settings, email.strip().lower()))
    shared.say(f"{email} has no authenticator app any more and is signed out everywhere.")


async def _reset_app(settings: Settings, email: str) -> None:
    async with shared.opened(settings) as store:
        row = await store.row("people.by_email", tenant=settings.tenant, email=email)
        if row is None:
            raise Failure(f"nobody has the address {email}", LISTING)
        sessions = Sessions(store, settings.tenant, settings.access, settings.http)
        attempts = Attempts(store, settings.tenant, settings.access.attempts_per_minute)
        seal = Seal(store, settings.tenant, settings.access, settings.data_dir)  # its key may be lost: none is needed
        second = SecondFactor(store, settings.tenant, settings.name, sessions, attempts, seal)
        try:
            await second.reset(shared.operator(settings), row["id"])
        except Problem as problem:
            raise Failure(problem.detail, LISTING) from None


def _people(store: Store, settings: Settings) -> People:
    sessions = Sessions(store, settings.tenant, settings.access, settings.http)
    return People(store, settings.tenant, Passwords(settings.access.argon2_memory_kib), sessions)


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
