"""``frontdesk ingest``: takes documents into the knowledge, from a folder, a web site or a database.

The source is stored; whoever runs a worker reads it. With ``--wait`` this command is a worker for it as well, so it
also works while no server runs.
"""

from __future__ import annotations

import asyncio
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from config.settings import Settings
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.knowledge.assembly import Reading
from server.knowledge.contract import KnowledgeError
from server.knowledge.kinds import KINDS
from server.knowledge.sources import Source, Sources
from server.store.contract import Store

app = typer.Typer(add_completion=False, rich_markup_mode=None)

DATABASES = ("sqlite:///", "postgresql://")
POLL_S = 0.3
TELL_S = 3.0  # between two lines about the same state
ENDED = frozenset({"indexed", "failed"})
TABLES = frozenset({".csv", ".tsv", ".json"})
HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source as the arguments describe it."""

    kind: str
    name: str
    config: dict[str, Any]


@app.command()
def ingest(
    place: Annotated[str, typer.Argument(help="A folder or file, the address of a web site, or a database URL.")],
    name: Annotated[str, typer.Option(help="Name of the source; one of this name is read again.")] = "",
    audience: Annotated[str, typer.Option(help="Who may be answered from it: customer or staff.")] = "customer",
    cron: Annotated[str, typer.Option(help="When to look again, as in '0 3 * * *' (UTC); empty = by hand.")] = "",
    kind: Annotated[str, typer.Option(help="files, qa or catalogue, where a file could be each of them.")] = "",
    query: Annotated[str, typer.Option(help="Database: one select statement.")] = "",
    key: Annotated[str, typer.Option(help="Database: the column that names a row.")] = "",
    title: Annotated[str, typer.Option(help="Database: the column with the title.")] = "",
    text: Annotated[str, typer.Option(help="Database: the columns with the text, with commas between.")] = "",
    password_env: Annotated[str, typer.Option(help="Database: the environment variable with the password.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Read also what has not changed.")] = False,  # noqa: FBT002 - a flag
    wait: Annotated[bool, typer.Option(help="Read it here and wait, or leave it to a running worker.")] = True,  # noqa: FBT002 - a flag
) -> None:
    """Take documents into the knowledge: a folder, a web site or a database.

    What has not changed is not read again. With --no-wait it is left to a running worker.
    """
    settings = shared.settings()
    if not settings.knowledge.enabled:
        raise Failure("knowledge is off", "set knowledge.enabled to true", code=MISUSED)
    columns = {"query": query, "key": key, "title": title, "password_env": password_env}
    wanted = described(
        place, kind, name, {**columns, "text": [each.strip() for each in text.split(",") if each.strip()]}
    )
    options = {"audience": audience, "cron": cron}
    shared.run(_ingest(settings, wanted, options, again=again, wait=wait))


def described(place: str, kind: str, name: str, columns: dict[str, Any]) -> Wanted:
    """What the arguments mean; raises Failure for a place that is none."""
    if kind and kind not in KINDS:
        raise Failure(f"{kind!r} is no kind of source", f"use one of {', '.join(KINDS)}", code=MISUSED)
    if place.startswith(DATABASES):
        parts = urlsplit(place)
        given = {column: value for column, value in columns.items() if value}
        return Wanted("sql", name or f"{parts.hostname or Path(parts.path).stem} query", {"url": place, **given})
    if place.startswith(("http://", "https://")):
        return Wanted("site", name or str(urlsplit(place).hostname), {"url": place})
    path = Path(place).expanduser().resolve()
    if not path.exists():
        raise Failure(f"there is no file or folder {path}", "name one, an address or a database", code=MISUSED)
    return Wanted(kind or _kind(path), name or path.stem or str(path), {"path": str(path)})


def _kind(path: Path) -> str:
    """A table of questions and answers is read as pairs, any other table as a catalogue, the rest as files."""
    if not path.is_file() or path.suffix.lower() not in TABLES:
        return "files"
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        head = file.read(HEAD_BYTES)
    if path.suffix.lower() == ".json":
        try:
            rows = json.loads(path.read_bytes())
        except ValueError:
            return "catalogue"
        first = rows[0] if isinstance(rows, list) and rows else {}
        names = set(first) if isinstance(first, dict) else set()
    else:
        names = set(next(csv.reader(head.splitlines()), []))
    return "qa" if {"question", "answer"} <= {column.strip().lower() for column in names} else "catalogue"


async def _ingest(settings: Settings, wanted: Wanted, options: dict[str, str], *, again: bool, wait: bool) -> None:
    async with shared.opened(settings) as store:
        sources = Sources(store, settings)
        try:
            source = await _queued(sources, wanted, options, again=again)
        except KnowledgeError as error:
            raise Failure(str(error), "frontdesk ingest --help", code=MISUSED) from None
        shared.say(f"source   {source.name} ({source.kind}, for {source.audience}s): {source.id}")
        if not wait:
            shared.say("queued   a running worker reads it; frontdesk ingest --wait reads it here")
            return
        source = await _read(store, settings, sources, source)
    if source.state == "failed":
        raise Failure(f"{source.name}: {source.reason}", "correct the source, then run this again")
    shared.say(f"indexed  {source.documents} documents" + (f"; {source.reason}" if source.reason else ""))


async def _queued(sources: Sources, wanted: Wanted, options: dict[str, str], *, again: bool) -> Source:
    """The source, waiting to be read: made now, or the one of this name."""
    known = next((each for each in await sources.list() if each.name == wanted.name), None)
    audience: Any = options["audience"]
    if known is None:
        return await sources.create(
            wanted.kind, wanted.name, wanted.config, audience=audience, cron=options["cron"] or None
        )
    if known.kind != wanted.kind:
        raise Failure(f"the source {known.name} is of kind {known.kind}", "choose another --name", code=MISUSED)
    moved = any(known.config.get(key) != value for key, value in wanted.config.items())
    await sources.update(
        known.id, config=wanted.config if moved else None, audience=audience, cron=options["cron"] or None
    )
    return await sources.sync_now(known.id, again=again)


async def _read(store: Store, settings: Settings, sources: Sources, source: Source) -> Source:
    """Be a worker until the source is indexed or failed; says how it goes."""
    told, told_s = "", -TELL_S
    async with Reading(store, settings).running():
        while source.state not in ENDED or source.queued:
            await asyncio.sleep(POLL_S)
            source = await sources.get(source.id)
            if source.state != told or time.monotonic() - told_s > TELL_S:
                told, told_s = source.state, time.monotonic()
                shared.say(_line(source))
    return source


def _line(source: Source) -> str:
    counts = [f"{count} {what}" for what, count in source.progress.items() if count]
    counts += [f"{source.queued} wait for the index"] if source.queued else []
    return f"{source.state:<8} {', '.join(counts)}".rstrip()
