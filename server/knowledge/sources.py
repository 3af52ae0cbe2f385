"""Sources: where documents come from, how often they are read again, and what became of the last run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from config.cron import next_time
from config.settings import Settings
from server import lanes
from server.ids import new_id
from server.knowledge.contract import Audience, SourceRefused
from server.knowledge.documents import DOCUMENTS, KNOWLEDGE, ORDER
from server.knowledge.files import Uploads
from server.knowledge.kinds import UPLOADS, NotThere, checked, checked_cron, checked_name
from server.knowledge.site import SiteConfig
from server.store.contract import Row, Store, Tx
from server.store.text import dump

SYNC = "sync"  # kind of the lanes that runs wait in, key = source id
State = Literal["queued", "fetching", "parsing", "indexed", "failed"]


@dataclass(frozen=True, slots=True)
class Source:
    """A source with counts of its documents.

    ``state`` is ``parsing`` while everything is read and texts wait for the index; ``reason`` says why it failed, or
    what could not be read although the rest could. ``progress`` counts seen, changed, unchanged, failed and deleted
    documents of the latest run. Times are epoch seconds.
    """

    id: str
    name: str
    kind: str
    config: Mapping[str, Any]
    audience: Audience
    cron: str | None
    next_at: float | None
    state: State
    reason: str | None
    progress: Mapping[str, int]
    created_at: float
    updated_at: float
    synced_at: float | None
    documents: int = 0
    failed: int = 0
    queued: int = 0


class Sources:
    """The sources of one tenant; only admins may be let near them, because they name folders and databases."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._settings = settings
        self.uploads = uploads(settings)

    async def create(
        self,
        kind: str,
        name: str,
        config: Mapping[str, Any] | None = None,
        *,
        audience: Audience = "customer",
        cron: str | None = None,
        sync: bool = True,
    ) -> Source:
        """Add a source and read it at once (``sync``); raises SourceRefused for settings that cannot work."""
        values = {
            "name": checked_name(name),
            "config": dump(self._checked(kind, config or {})),
            "audience": checked_audience(audience),
            "cron": checked_cron(cron),
        }
        source_id = new_id()
        sync = sync and kind != "article"

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            row = await tx.row(
                "knowledge.add_source",
                id=source_id,
                tenant=self._tenant,
                kind=kind,
                next_at=next_at(values["cron"], tx.now_s),
                state="queued" if sync else "indexed",
                now=tx.now_s,
                **values,
            )
            if row is None:
                raise SourceRefused(f"there is a source called {values['name']!r} already; choose another name")
            if sync:
                await queue(tx, self._tenant, source_id, again=False)

        await self._store.write(unit, order=ORDER)
        return await self.get(source_id)

    async def list(self) -> list[Source]:
        """Every source, the oldest first."""
        rows = await self._store.rows("knowledge.sources", tenant=self._tenant, id=None)
        return [_source(row) for row in rows]

    async def get(self, source_id: str) -> Source:
        """One source; raises NotThere."""
        row = await self._store.row("knowledge.sources", tenant=self._tenant, id=source_id)
        if row is None:
            raise _no_source()
        return _source(row)

    async def update(
        self,
        source_id: str,
        *,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        audience: Audience | None = None,
        cron: str | None = None,
    ) -> Source:
        """Change what is given (``cron`` "" takes the schedule away); raises NotThere and SourceRefused.

        Another audience holds for all its passages from the commit on.
        """

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            row = await tx.row("knowledge.lock_source", tenant=self._tenant, id=source_id)
            if row is None:
                raise _no_source()
            new_name = checked_name(name) if name is not None else str(row["name"])
            other = await tx.row("knowledge.source_named", tenant=self._tenant, name=new_name)
            if other is not None and other["id"] != source_id:
                raise SourceRefused(f"there is a source called {new_name!r} already; choose another name")
            text = checked_cron(cron) if cron is not None else row["cron"]
            await tx.run(
                "knowledge.change_source",
                tenant=self._tenant,
                id=source_id,
                name=new_name,
                config=dump(self._checked(str(row["kind"]), config)) if config is not None else str(row["config"]),
                audience=checked_audience(audience or row["audience"]),
                cron=text,
                next_at=next_at(text, tx.now_s) if cron is not None else row["next_at"],
                now=tx.now_s,
            )
            if audience is not None and audience != row["audience"]:
                await tx.run("knowledge.move_chunks", source_id=source_id, audience=audience)
                await tx.run("knowledge.move_documents", source_id=source_id, audience=audience, now=tx.now_s)
                tx.notify(DOCUMENTS)
            if config is not None:
                await queue(tx, self._tenant, source_id, again=True)

        await self._store.write(unit, order=ORDER)
        return await self.get(source_id)

    async def delete(self, source_id: str) -> None:
        """Remove a source with all its documents and uploaded files; no answer uses them from the commit on."""

        async def unit(tx: Tx) -> None:
            revision = await tx.row("knowledge.raise_revision", tenant=self._tenant)
            assert revision is not None
            if not await tx.run("knowledge.delete_source", tenant=self._tenant, id=source_id, now=tx.now_s):
                raise _no_source()
            await tx.run("knowledge.drop_chunks_of", source_id=source_id)
            await tx.run(
                "knowledge.delete_documents_of", source_id=source_id, revision=revision["revision"], now=tx.now_s
            )
            tx.notify(KNOWLEDGE)

        await self._store.write(unit, order=ORDER)
        await self.uploads.drop_all(source_id)

    async def sync_now(self, source_id: str, *, again: bool = False) -> Source:
        """Read a source now; ``again`` reads also what has not changed and what was refused. Raises NotThere."""

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            if await tx.row("knowledge.lock_source", tenant=self._tenant, id=source_id) is None:
                raise _no_source()
            await queue(tx, self._tenant, source_id, again=again)

        await self._store.write(unit, order=ORDER)
        return await self.get(source_id)

    async def upload(self, source_id: str, name: str, data: bytes) -> Source:
        """Put a file into a source (in place of one of the same name) and read it; raises NotThere, SourceRefused."""
        await self._takes_files(source_id)
        await self.uploads.put(source_id, name, data)
        return await self.sync_now(source_id)

    async def remove_upload(self, source_id: str, name: str) -> Source:
        """Take an uploaded file and its documents out; raises NotThere."""
        await self._takes_files(source_id)
        if not await self.uploads.drop(source_id, name):
            raise NotThere(f"the source holds no file called {name!r}")
        return await self.sync_now(source_id)

    async def _takes_files(self, source_id: str) -> None:
        source = await self.get(source_id)
        if source.kind not in UPLOADS or source.config.get("path"):
            raise SourceRefused("this source reads a place of its own; upload into a source without a path")

    def _checked(self, kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a source that do not point at this service's own data; raises SourceRefused."""
        found = checked(kind, config)
        if kind == "site":
            SiteConfig.of(config, self._settings.knowledge.crawl)
        own = self._settings.data_dir.expanduser().resolve()
        url = str(found.get("url", "")) if kind == "sql" else ""
        path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:") else Path(found.get("path") or "/")
        path = path.expanduser().resolve()
        if path.is_relative_to(own) or (own.is_relative_to(path) and path != Path("/")):
            raise SourceRefused(f"{path} holds this service's own data; documents must lie elsewhere")
        if url and _place(url) == _place(self._settings.store_url):
            raise SourceRefused("this is the service's own database; documents must come from another one")
        return found


def uploads(settings: Settings) -> Uploads:
    """Where uploaded files lie."""
    root = settings.data_dir.expanduser() / "knowledge" / "files"
    return Uploads(root, settings.knowledge.parse.max_bytes)


async def queue(tx: Tx, tenant: str, source_id: str, *, again: bool) -> None:
    """Put a run into the source's lane; runs that wait already are done together with it."""
    await tx.run("knowledge.queue_source", tenant=tenant, id=source_id, now=tx.now_s)
    await lanes.put(tx, tenant, SYNC, source_id, {"again": again})


def next_at(cron: str | None, after_s: float) -> float | None:
    """When a schedule is due next, None without one."""
    if not cron:
        return None
    return next_time(cron, after_s)


def checked_audience(audience: str) -> str:
    """Who may be answered from it; raises SourceRefused."""
    if audience not in {"customer", "staff"}:
        raise SourceRefused(f"{audience!r} is no audience; use customer or staff")
    return audience


def _place(url: str) -> tuple[str | None, int | None, str]:
    parts = urlsplit(url)
    return parts.hostname, parts.port, parts.path


def _source(row: Row) -> Source:
    values = {name: row[name] for name in Source.__dataclass_fields__}
    return Source(**{**values, "config": json.loads(row["config"]), "progress": json.loads(row["progress"])})


def _no_source() -> NotThere:
    return NotThere("there is no such source; it may have been deleted meanwhile")
