"""A tenant's knowledge on one store: sources, documents, and a worker that reads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from server.knowledge.documents import ORDER, Document, Documents
from server.knowledge.parsing import Parsed, Reader
from server.knowledge.sources import Sources
from server.knowledge.sync import SourceReader, Sync, readers
from server.store.contract import Row, Store, Tx
from server.store.statements import load, parse
from tests.places import Place

QUERIES = """
-- name: index
-- What an indexer does with what waits for it.
update document set state = 'indexed', indexed_digest = digest, urgent = 0
where tenant = :tenant and state = 'queued' and deleted_at is null;
-- name: chunk
-- A passage of a document.
insert into chunk (id, tenant, document_id, number, heading, text, audience, digest)
values (:id, 'default', :document_id, 1, '', 'a passage', 'customer', '');
-- name: chunks
-- All passages.
select * from chunk;
-- name: rows
-- All documents, also deleted ones.
select * from document order by uri;
-- name: revision
-- How far the index has come.
select value from knowledge_state where name = 'revision';
-- name: lane
-- A source's lane.
select ready_at, holder, done, tail from lane where kind = 'sync' and key = :key;
"""
for _dialect in ("sqlite", "postgresql"):
    load(_dialect).update(parse("shelf", QUERIES, _dialect))


class CountingReader(Reader):
    """Counts what it parses."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.knowledge.parse)
        self.parsed: list[str] = []

    async def read(self, data: bytes, name: str, mime: str = "", url: str = "") -> Parsed:
        self.parsed.append(name)
        return await super().read(data, name, mime, url)


class Scripted:
    """A reader whose items are given; an exception among them is raised there."""

    def __init__(self, *items: Any) -> None:
        self.items: Sequence[Any] = items
        self.places: list[dict[str, Any]] = []
        self.known: Mapping[str, Any] = {}

    async def read(
        self, _config: Mapping[str, Any], frontier: dict[str, Any], known: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        self.places.append(dict(frontier))
        self.known = known
        for number, item in enumerate(self.items, 1):
            if number <= frontier.get("done", 0):
                continue
            if isinstance(item, BaseException):
                raise item
            frontier["done"] = number
            yield item
        frontier.clear()


@dataclass
class Shelf:
    """All of it together."""

    store: Store
    place: Place
    settings: Settings
    sources: Sources
    documents: Documents
    reader: CountingReader
    sync: Sync
    folder: Path

    async def all(self) -> dict[str, Document]:
        """Documents by their place in the source, with texts."""
        return {one.uri: await self.documents.get(one.id) for one in await self.documents.list()}

    async def rows(self) -> dict[str, Row]:
        """Rows of all documents by their place, also deleted ones."""
        return {str(row["uri"]): row for row in await self.store.rows("shelf.rows")}

    async def index(self) -> None:
        """What the indexer does with what is queued."""

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant="default")
            await tx.run("shelf.index", tenant="default")
            tx.notify("knowledge")

        await self.store.write(unit, order=ORDER)

    def worker(self, kinds: Mapping[str, SourceReader] | None = None) -> Sync:
        """Another worker's reader of sources."""
        return Sync(self.store, self.settings, self.reader, {**readers(self.settings, self.reader), **(kinds or {})})


@asynccontextmanager
async def open_shelf(url: str, root: Path, kinds: Mapping[str, SourceReader] | None = None) -> AsyncIterator[Shelf]:
    """Everything on the store at ``url``; ``root`` is the data folder's parent, documents lie in ``root/shop``."""
    settings = Settings.model_validate({"data_dir": root / "data"})
    folder = root / "shop"
    folder.mkdir(exist_ok=True)
    place = Place(url.partition(":")[0], url)
    async with place.open() as store:
        reader = CountingReader(settings)
        sync = Sync(store, settings, reader, {**readers(settings, reader), **(kinds or {})})
        async with reader.running():
            yield Shelf(
                store, place, settings, Sources(store, settings), Documents(store, settings), reader, sync, folder
            )


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
