"""``frontdesk release``: what is live, on trial or waiting, from the shell; running servers follow within a second."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from config.settings import Settings
from models.prompt import template_digest
from server.commands import shared
from server.commands.failure import Failure
from server.releases.bundle import adapters_of
from server.releases.lineage import lineage as lineage_of
from server.releases.moves import ReleaseRefused
from server.releases.registry import Releases
from server.releases.served import AdapterUnavailable
from server.releases.watch import Watch
from server.routes import Principal
from server.store.contract import Store
from server.telemetry import Metrics

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

ROWS = 50

ReleaseId = Annotated[str, typer.Argument(help="The release's id, as `frontdesk release list` prints it.")]
Reason = Annotated[str, typer.Option(help="Why; needed where the gate did not say promote, kept in the audit.")]


@app.callback()
def release() -> None:
    """Show releases, try one, make one live, or take it back."""


@app.command("list")
def list_() -> None:
    """Print the newest releases with their states."""
    shared.run(_list(shared.settings()))


@app.command()
def show(release: ReleaseId) -> None:
    """Print one release: its bundle, the gate's verdict, and what happened to it."""
    shared.run(_show(shared.settings(), release))


@app.command()
def canary(
    release: Annotated[str, typer.Argument(help="The release to try; empty = show how the running one does.")] = "",
    share: Annotated[float, typer.Option(help="Part of new cases, 0 to 1; 0 = as set.")] = 0.0,
    cap: Annotated[int, typer.Option(help="Cases it gets at most; 0 = as set.")] = 0,
    stop: Annotated[bool, typer.Option("--stop", help="End the running canary without a verdict.")] = False,  # noqa: FBT002 - typer's way of a flag
    reason: Reason = "",
) -> None:
    """Try a release on a share of new cases; without one, show how the running canary does."""
    settings = shared.settings()

    async def act(releases: Releases, by: Principal, watch: Watch) -> str:
        if stop:
            await releases.stop_canary(by=by, reason=reason or None)
            return "The canary is stopped; its cases keep their release."
        if release:
            await releases.start_canary(release, by=by, share=share or None, cap=cap or None, reason=reason or None)
            return f"{release} is on trial."
        if releases.canary is None:
            return "No canary is running."
        figures = (await watch.compare(releases.canary)).figures()
        return json.dumps({"release": releases.canary.release_id, **figures}, indent=2)

    shared.run(_changed(settings, act))


@app.command()
def promote(release: ReleaseId, reason: Reason = "") -> None:
    """Make a release live; open cases keep the one they have."""

    async def act(releases: Releases, by: Principal, _watch: Watch) -> str:
        changed = await releases.promote(release, by=by, reason=reason or None)
        return f"{release} is live." if changed else f"{release} was live already."

    shared.run(_changed(shared.settings(), act))


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept in the audit.")],
    live: Annotated[bool, typer.Option("--live", help="The live release, also while a canary runs.")] = False,  # noqa: FBT002 - typer's way of a flag
) -> None:
    """Take back the running canary, or the live release where none runs."""

    async def act(releases: Releases, by: Principal, _watch: Watch) -> str:
        now = await releases.roll_back(by=by, reason=reason, side="live" if live else "")
        return f"{now} is live."

    shared.run(_changed(shared.settings(), act))


@app.command()
def lineage(message: Annotated[str, typer.Argument(help="Id of one of the assistant's messages.")]) -> None:
    """Print where an answer came from: release, adapter, dataset, and the messages that trained it."""
    shared.run(_lineage(shared.settings(), message))


async def _list(settings: Settings) -> None:
    async with shared.opened(settings) as store:
        rows = await store.rows("releases.cards", tenant=settings.tenant, state="", at=math.inf, id="", count=ROWS)
    if not rows:
        shared.say("There is no release yet; a worker publishes the first one when it starts.")
    for row in rows:
        adapters = adapters_of(json.loads(row["body"]))
        names = ", ".join(f"{language or 'default'}: {name}" for language, name in adapters.items()) or "base model"
        shared.say(
            f"{row['release_id']}  {row['state']:<10} {row['verdict'] or '-':<20} {_day(row['created_at'])}  {names}"
        )


async def _show(settings: Settings, release_id: str) -> None:
    async with shared.opened(settings) as store:
        row = await store.row("releases.card", tenant=settings.tenant, release_id=release_id)
        if row is None:
            raise Failure(f"there is no release {release_id}", "frontdesk release list")
        changes = await store.rows(
            "releases.changes", tenant=settings.tenant, release_id=release_id, at=math.inf, id="", count=ROWS
        )
    shared.say(f"{release_id}: {row['state']}, verdict {row['verdict'] or 'none'}")
    shared.say(json.dumps(json.loads(row["body"]), indent=2, ensure_ascii=False))
    for change in reversed(changes):
        why = f": {change['reason']}" if change["reason"] else ""
        shared.say(
            f"{_day(change['created_at'])}  {change['action']} by {change['actor_kind']} {change['actor_id']}{why}"
        )


async def _lineage(settings: Settings, message_id: str) -> None:
    async with shared.opened(settings) as store:
        try:
            found = await lineage_of(store, settings.tenant, message_id)
        except LookupError as error:
            raise Failure(str(error), "open the conversation in the console") from None
    shared.say(
        f"release {found.release_id or '-'} ({found.state or '-'}), adapter {found.adapter or 'none (base model)'}"
    )
    shared.say(f"dataset {found.dataset_id or '-'}, run {found.run_id or '-'}, {len(found.sources)} rows")
    for source in found.sources:
        shared.say(f"  {source['split']:<8} {source['example']}  message {source['message'] or 'erased'}")


Act = Callable[[Releases, Principal, Watch], Awaitable[str]]


async def _changed(settings: Settings, act: Act) -> None:
    async with _releases(settings) as (store, releases):
        watch = Watch(store, settings, releases, Metrics())
        try:
            shared.say(await act(releases, shared.operator(settings), watch))
        except ReleaseRefused as error:
            raise Failure(str(error), "frontdesk release list") from None
        except AdapterUnavailable as error:
            raise Failure(str(error), "frontdesk doctor") from None
        except LookupError as error:
            raise Failure(str(error), "frontdesk release list") from None


@asynccontextmanager
async def _releases(settings: Settings) -> AsyncIterator[tuple[Store, Releases]]:
    async with shared.opened(settings) as store:
        releases = Releases(store, settings, template_digest())
        await releases.refresh()
        yield store, releases


def _day(at: Any) -> str:
    return datetime.fromtimestamp(float(at), UTC).strftime("%Y-%m-%d %H:%M")
