"""``frontdesk customer``: a copy of a customer's data, its end, and who is the same person."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from config.settings import Settings
from server.audit import audit
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.conversation import NotFound, Refused
from server.customers.assembly import CustomerDesk
from server.customers.export import file_name
from server.customers.merging import merge, unmerge
from server.media.files import Files
from server.store.contract import Store, Tx

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Customer = Annotated[str, typer.Argument(help="The customer's id, as `customer find` prints it.")]
LINES = 200
FIND = "frontdesk customer find TEXT"


@app.callback()
def customer() -> None:
    """Copy, erase and merge what is known of customers."""


@app.command()
def find(
    text: Annotated[str, typer.Argument(help="Part of a name, an address or a profile.")] = "",
) -> None:
    """Print customers with their ids, who wrote last first."""
    settings = shared.settings()
    shared.run(_find(settings, text))


@app.command()
def export(
    customer_id: Customer,
    to: Annotated[Path | None, typer.Option(help="File to write; by itself one named after the id, here.")] = None,
) -> None:
    """Write a copy of everything the desk holds of a customer as a zip."""
    settings = shared.settings()
    shared.run(_export(settings, customer_id, to or Path(file_name(customer_id))))


@app.command()
def erase(
    customer_id: Customer,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: nothing brings the data back.")] = False,
) -> None:
    """Remove everything the desk holds of a customer, and say what that was."""
    settings = shared.settings()
    if not yes and input(f"Erase {customer_id} for good? Type the id again: ").strip() != customer_id:
        raise Failure("not confirmed, nothing was erased", f"frontdesk customer erase {customer_id}", code=MISUSED)
    shared.run(_erase(settings, customer_id))


@app.command("merge")
def merged(
    customer_id: Customer,
    other: Annotated[str, typer.Argument(help="Id of the customer whose addresses move.")],
) -> None:
    """Say that another customer is the same person."""
    settings = shared.settings()
    shared.run(_merge(settings, customer_id, other))


@app.command("unmerge")
def unmerged(
    merge_id: Annotated[str, typer.Argument(help="Id of the merge, as `customer merge` printed it.")],
) -> None:
    """Give back what a merge moved."""
    settings = shared.settings()
    shared.run(_unmerge(settings, merge_id))


@app.command()
def retention(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print who would be erased.")] = False,
) -> None:
    """Erase now whoever was silent for longer than store.customer_days."""
    settings = shared.settings()
    shared.run(_retention(settings, dry_run=dry_run))


def _desk(settings: Settings, store: Store) -> CustomerDesk:
    return CustomerDesk(store, settings, Files(settings.data_dir / "media"))


async def _find(settings: Settings, text: str) -> None:
    async with shared.opened(settings) as store:
        found = await _desk(settings, store).customers.page(text, (float("inf"), ""), LINES)
    for line in found:
        wrote = time.strftime("%Y-%m-%d", time.localtime(line.said_at))
        shared.say(f"{line.id}  {wrote}  {line.conversations:>3}  {','.join(line.channels):<18} {line.name}")
    shared.say(f"{len(found)} customers" if len(found) < LINES else f"the latest {LINES}; give a text to find others")


async def _export(settings: Settings, customer_id: str, target: Path) -> None:
    async with shared.opened(settings) as store:
        desk, operator = _desk(settings, store), shared.operator(settings)
        try:
            pieces = await desk.exporter.open(customer_id)
            with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                await store.write(lambda tx: audit(tx, operator, "customer.export", customer_id))
                async for piece in pieces:
                    file.write(piece)
        except NotFound as error:
            raise Failure(str(error), FIND) from None
        except OSError as error:
            raise Failure(f"{target}: {error.strerror}", "name another file with --to", code=MISUSED) from None
    shared.say(f"{target} holds everything; it is readable by you only")


async def _erase(settings: Settings, customer_id: str) -> None:
    async with shared.opened(settings) as store:
        desk, operator = _desk(settings, store), shared.operator(settings)

        async def unit(tx: Tx) -> str:
            erasure = await desk.erasures.ask(tx, customer_id, "cli", operator.owner, queue=False)
            await audit(tx, operator, "customer.erase", customer_id, {"erasure": erasure})
            return erasure

        try:
            erasure_id = await store.write(unit, order="~")
        except NotFound as error:
            raise Failure(str(error), FIND) from None
        for line in told(await desk.eraser.erase(erasure_id)):
            shared.say(line)


async def _merge(settings: Settings, kept: str, other: str) -> None:
    async with shared.opened(settings) as store:
        operator = shared.operator(settings)

        async def unit(tx: Tx) -> str:
            made = await merge(tx, settings.tenant, kept, other, operator.owner)
            await audit(tx, operator, "customer.merge", kept, {"other": other})
            return made

        try:
            shared.say(f"merge {await store.write(unit, order='~')}: {other} is {kept} now")
        except (NotFound, Refused) as error:
            raise Failure(str(error), FIND) from None


async def _unmerge(settings: Settings, merge_id: str) -> None:
    async with shared.opened(settings) as store:
        operator = shared.operator(settings)

        async def unit(tx: Tx) -> str:
            kept, alone = await unmerge(tx, settings.tenant, merge_id, operator.owner)
            await audit(tx, operator, "customer.unmerge", kept, {"merge": merge_id})
            return alone

        try:
            shared.say(f"{await store.write(unit, order='~')} stands alone again")
        except (NotFound, Refused) as error:
            raise Failure(str(error), "open the customer in the console: its page lists the merges") from None


async def _retention(settings: Settings, *, dry_run: bool) -> None:
    if not settings.store.customer_days:
        raise Failure("store.customer_days is 0, so customers are kept", "set it to a number of days", code=MISUSED)
    async with shared.opened(settings) as store:
        desk = _desk(settings, store)
        due = await desk.due()
        for customer_id in due:
            shared.say(customer_id)
            if dry_run:
                continue
            erasure_id = await store.write(
                lambda tx, one=customer_id: desk.erasures.ask(tx, one, "retention", "cli", queue=False),  # type: ignore[misc]
                order="~",
            )
            await desk.eraser.erase(erasure_id)
    shared.say(f"{len(due)} customers {'would be' if dry_run else 'were'} erased")


def told(report: dict[str, Any]) -> list[str]:
    """A report in lines of plain text."""
    figures = [f"{number} {name.replace('_', ' ')}" for name, number in report.items() if isinstance(number, int)]
    lines = [f"erased: {', '.join(figures) or 'nothing was there'}"]
    if report.get("adapters"):
        lines.append(f"flagged, to be replaced at the next run: {', '.join(report['adapters'])}")
    if report.get("look_at"):
        lines.append(f"still named in the shop's own files, look at them: {', '.join(report['look_at'])}")
    return lines
