"""``frontdesk train``: start, watch and stop a retrain; take examples out and in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from config.settings import Settings
from server.audit import audit
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.conversation import NotFound, Refused
from server.examples import Examples
from server.retrain.contract import STAGES
from server.retrain.folder import Folder, write_rows
from server.retrain.runs import OPEN, Runs
from server.rows import BadRow, checked, take_in
from server.store.contract import Row, Tx

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

WATCH_S = 1.0
ROWS_PER_UNIT = 200
LOG_LINES = 40
Run = Annotated[str, typer.Argument(help="Id of the retrain; empty = the newest.")]


@app.callback()
def train() -> None:
    """Start, watch and stop a retrain; take examples out and in."""


@app.command()
def start(
    *,
    force: Annotated[bool, typer.Option(help="Train although there are fewer examples than it takes.")] = False,
    note: Annotated[str, typer.Option(help="Why, for the list of retrains.")] = "",
    recipe: Annotated[Path | None, typer.Option(help="JSON file with settings of the recipe for this run.")] = None,
    wait: Annotated[bool, typer.Option(help="Show its progress until it ends.")] = False,
) -> None:
    """Queue a retrain; a running worker begins within a second."""
    settings = shared.settings()
    shared.run(_start(settings, note, _recipe(recipe), force=force, wait=wait))


@app.command()
def status(
    run: Run = "", *, wait: Annotated[bool, typer.Option(help="Show its progress until it ends.")] = False
) -> None:
    """Print what a retrain is doing, or what became of it."""
    settings = shared.settings()
    shared.run(_status(settings, run, wait=wait))


@app.command()
def stop(run: Run = "") -> None:
    """Stop a retrain; what is trained so far stays in its folder."""
    settings = shared.settings()
    shared.run(_stop(settings, run))


@app.command()
def log(
    run: Run = "",
    stage: Annotated[str, typer.Option(help="Stage whose log is printed; empty = the latest.")] = "",
    lines: Annotated[int, typer.Option(min=1, max=100_000, help="Last lines to print.")] = LOG_LINES,
) -> None:
    """Print the end of a stage's log."""
    settings = shared.settings()
    row = shared.run(_one(settings, run))
    _print_log(Path(row["folder"]), stage, lines)


@app.command()
def export(target: Annotated[Path, typer.Argument(help="File to write, JSON lines.")]) -> None:
    """Write every approved example as rows that `python -m training` reads."""
    settings = shared.settings()
    rows = shared.run(_export(settings, target.name))
    write_rows(target, rows)
    shared.say(f"{len(rows)} approved examples are in {target}. It holds customers' words: guard it like the database.")


@app.command("import")
def take(
    source: Annotated[Path, typer.Argument(help="File of rows, JSON lines.")],
    basis: Annotated[str, typer.Option(help="On what ground they may train: consent, contract, legitimate_interest.")],
) -> None:
    """Put rows of elsewhere into the review queue; they train nothing before somebody approved them."""
    if basis not in {"consent", "contract", "legitimate_interest"}:
        raise Failure(f"{basis!r} is no ground", "use consent, contract or legitimate_interest", code=MISUSED)
    settings = shared.settings()
    fresh, known = shared.run(_import(settings, _rows(source), basis))
    shared.say(f"{fresh} examples wait for review now; {known} were there already.")


def _recipe(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read as JSON ({error})", "mend the file", code=MISUSED) from None
    if not isinstance(found, dict):
        raise Failure(f"{path} holds no JSON object", 'write {"setting": value, ...}', code=MISUSED)
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    """Every row of a file, all of them checked; raises Failure naming the first bad line."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", "check the path and its rights", code=MISUSED) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            checked(row)
        except (BadRow, ValueError, AttributeError) as error:
            raise Failure(f"{path}, line {number}: {error}", "mend or remove the line; nothing was taken in") from None
        rows.append(row)
    return rows


def _runs(settings: Settings, store: Any) -> Runs:
    return Runs(store, settings.tenant, settings.training.folder or settings.data_dir / "training")


async def _start(settings: Settings, note: str, recipe: dict[str, Any], *, force: bool, wait: bool) -> None:
    operator = shared.operator(settings)
    async with shared.opened(settings) as store:
        runs = _runs(settings, store)

        async def unit(tx: Tx) -> str:
            run = await runs.put(tx, "cli", operator.owner, note=note, recipe=recipe, forced=force)
            await audit(tx, operator, "retrain.start", run, {"force": force})
            return run

        try:
            run = await store.write(unit)
        except Refused as refused:
            raise Failure(str(refused), "frontdesk train status") from None
        shared.say(f"retrain {run} is queued; frontdesk train status shows how far it is")
        if wait:
            await _follow(runs, run)


async def _status(settings: Settings, run: str, *, wait: bool) -> None:
    async with shared.opened(settings) as store:
        runs = _runs(settings, store)
        row = await _found(runs, run)
        if wait:
            row = await _follow(runs, row["id"])
        for line in told(row):
            shared.say(line)


async def _follow(runs: Runs, run: str) -> Row:
    """Print each new line of progress until the run ends."""
    last = ""
    while True:
        row = await runs.get(run)
        if (line := progress_line(row)) != last:
            shared.say(line)
            last = line
        if row["state"] not in OPEN:
            return row
        await asyncio.sleep(WATCH_S)


async def _stop(settings: Settings, run: str) -> None:
    operator = shared.operator(settings)
    async with shared.opened(settings) as store:
        runs = _runs(settings, store)
        row = await _found(runs, run)

        async def unit(tx: Tx) -> str:
            state = await runs.stop(tx, row["id"], operator.owner)
            await audit(tx, operator, "retrain.stop", row["id"], {"state": state})
            return state

        try:
            state = await store.write(unit)
        except Refused as refused:
            raise Failure(str(refused), "frontdesk train status") from None
    shared.say(f"retrain {row['id']} is {'stopped' if state == 'stopped' else 'stopping'}")


async def _one(settings: Settings, run: str) -> Row:
    async with shared.opened(settings) as store:
        return await _found(_runs(settings, store), run)


def _print_log(folder: Path, stage: str, lines: int) -> None:
    logs = sorted(folder.glob(f"{stage}*.log"), key=lambda path: path.stat().st_mtime)
    if not logs:
        names = ", ".join(STAGES)
        raise Failure(f"there is no such log in {folder}", f"--stage is one of {names}, on the worker's own machine")
    text = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()
    shared.say(f"{logs[-1]}:")
    for line in text[-lines:]:
        shared.say(line)


async def _export(settings: Settings, name: str) -> list[dict[str, Any]]:
    async with shared.opened(settings) as store:
        examples = Examples(store, settings.tenant, settings.training)
        rows = [row async for row in examples.rows()]

        async def unit(tx: Tx) -> None:
            await audit(tx, shared.operator(settings), "examples.export", name, {"rows": len(rows)})

        await store.write(unit)
    return rows


async def _import(settings: Settings, rows: list[dict[str, Any]], basis: str) -> tuple[int, int]:
    operator = shared.operator(settings)
    fresh = 0
    async with shared.opened(settings) as store:
        for at in range(0, len(rows), ROWS_PER_UNIT):
            some = rows[at : at + ROWS_PER_UNIT]

            async def unit(tx: Tx, some: list[dict[str, Any]] = some) -> int:
                taken = [await take_in(tx, settings.tenant, row, operator.owner, basis) for row in some]
                await audit(tx, operator, "examples.import", "rows", {"rows": sum(taken), "basis": basis})
                return sum(taken)

            fresh += await store.write(unit)
    return fresh, len(rows) - fresh


async def _found(runs: Runs, run: str) -> Row:
    if run:
        try:
            return await runs.get(run)
        except NotFound as error:
            raise Failure(str(error), "frontdesk train status without an id shows the newest") from None
    rows = await runs.page((float("inf"), ""), 1)
    if not rows:
        raise Failure("there was no retrain yet", "frontdesk train start")
    return rows[0]


def progress_line(row: Row) -> str:
    """State, stage and figures of a run as one line."""
    found = json.loads(row["progress"] or "{}")
    parts = [row["state"], row["stage"]]
    if found.get("steps"):
        parts.append(f"step {found.get('step', 0)} of {found['steps']}")
    if found.get("loss") is not None:
        parts.append(f"loss {found['loss']:.3f}")
    if found.get("left_s") is not None:
        parts.append(f"about {found['left_s'] / 60:.0f} minutes left")
    if found.get("subject"):
        parts.append(f"{found['subject']}: {found.get('done', 0)} answers")
    return " · ".join(parts)


def told(row: Row) -> list[str]:
    """A run in lines of plain text."""
    lines = [f"retrain {row['id']} by {row['started_by']} ({row['cause']})", progress_line(row)]
    lines += [f"{name}: {row[name]}" for name in ("note", "error", "verdict", "adapter", "candidate") if row[name]]
    report = Folder(Path(row["folder"])).report
    return [*lines, f"report: {report.with_suffix('.html')}"] if report.is_file() else lines
