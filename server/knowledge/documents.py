"""Documents: what they say now, what they said before, and that the index hears of every change.

A document that changes is stored with state ``queued`` and a new digest; whoever listens to the topic ``documents``
indexes it. A document that is deleted gets a revision in the same commit; followers listen to the topic ``knowledge``.
Every unit here takes the tenant's knowledge lock first (``knowledge.lock``), so that two writers never wait for each
other's rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

from config.settings import Settings
from server.ids import new_id
from server.knowledge.contract import SourceRefused
from server.knowledge.kinds import Changed, NotThere
from server.store.contract import Row, Store, Tx, Value
from server.store.text import clean

DOCUMENTS = "documents"  # topic: something waits for the index
KNOWLEDGE = "knowledge"  # topic: the index changed, its followers read on
ORDER = "knowledge"  # of units: behind those of conversations
VERSIONS = 20  # kept of each document
TITLE_CHARACTERS = 300
ARTICLES = "Articles"  # the source of what is written here
_PAGE = 200

State = Literal["queued", "fetching", "parsing", "indexed", "failed"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document; ``text`` (Markdown) is empty in lists, times are epoch seconds."""

    id: str
    source_id: str
    uri: str
    url: str
    title: str
    audience: str
    mime: str
    state: State
    reason: str | None
    version: int
    characters: int
    fetched_at: float | None
    indexed_at: float | None
    updated_at: float
    deleted_at: float | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """What a document said from ``created_at`` on; ``text`` is empty in lists."""

    version: int
    title: str
    digest: str
    changed_by: str
    created_at: float
    characters: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a document is to say, and where that came from."""

    source_id: str
    uri: str
    url: str
    title: str
    text: str
    audience: str
    mime: str
    raw_digest: str = ""
    etag: str = ""
    last_modified: str = ""
    fetched: bool = False

    @property
    def digest(self) -> str:
        """Of all that is indexed: the audience in clear, a colon, and SHA-256 in hex of title, address and text."""
        words = "\0".join((clean(self.title), clean(self.url), clean(self.text)))
        return f"{self.audience}:{hashlib.sha256(words.encode()).hexdigest()}"


class Documents:
    """The documents of one tenant, for people who read, write and restore them."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._max_characters = settings.knowledge.parse.max_characters

    async def list(
        self,
        *,
        source_id: str | None = None,
        state: str | None = None,
        query: str = "",
        after: tuple[str, str] = ("", ""),
        limit: int = _PAGE,
    ) -> list[Document]:
        """A page of documents by title; ``query`` is part of a title or address, ``after`` the last (title, id)."""
        pattern = "".join(f"\\{one}" if one in "\\%_" else one for one in query.lower())
        rows = await self._store.rows(
            "knowledge.documents",
            tenant=self._tenant,
            source_id=source_id,
            state=state,
            query=f"%{pattern}%" if query else None,
            after_title=after[0],
            after_id=after[1],
            limit=max(1, min(limit, _PAGE)),
        )
        return [_document(row) for row in rows]

    async def get(self, document_id: str) -> Document:
        """One document with its text, also a deleted one; raises NotThere."""
        row = await self._store.row("knowledge.document", tenant=self._tenant, id=document_id)
        if row is None:
            raise _no_document()
        return _document(row)

    async def save(
        self,
        *,
        title: str,
        text: str,
        changed_by: str,
        document_id: str | None = None,
        source_id: str | None = None,
        url: str | None = None,
        expected_version: int | None = None,
        urgent: bool = True,
    ) -> Document:
        """Change a document, or write a new one into a source (none: into the articles).

        Saying the same again changes nothing. Raises NotThere, SourceRefused for an empty or too long text, and
        Changed when ``expected_version`` is no longer the current one.
        """
        title, text = " ".join(title.split())[:TITLE_CHARACTERS], text.replace("\r\n", "\n").strip("\n")
        if not title or not text.strip():
            raise SourceRefused("a document needs a title and a text")
        if len(text) > self._max_characters:
            raise SourceRefused(f"the text is longer than {self._max_characters:,} characters; split it")

        async def unit(tx: Tx) -> str:
            await tx.row("knowledge.lock", tenant=self._tenant)
            if document_id is None:
                found = await self._new(tx, source_id, title, text, url or "")
                return await put(tx, self._tenant, found, changed_by, urgent=urgent)
            row = await self._current(tx, document_id, expected_version)
            return await put(tx, self._tenant, _again(row, title, text, url), changed_by, urgent=urgent)

        return await self.get(await self._store.write(unit, order=ORDER))

    async def delete(self, document_id: str) -> None:
        """Take a document out of the answers; its versions are kept. Raises NotThere."""

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            row = await tx.row("knowledge.lock_document_id", tenant=self._tenant, id=document_id)
            if row is None or row["deleted_at"] is not None:
                raise _no_document()
            await drop(tx, self._tenant, str(row["source_id"]), [str(row["uri"])], by_hand=True)

        await self._store.write(unit, order=ORDER)

    async def versions(self, document_id: str) -> Sequence[Version]:
        """What a document said, the latest first, without texts."""
        rows = await self._store.rows("knowledge.versions", tenant=self._tenant, document_id=document_id)
        return [Version(**row) for row in rows]

    async def version(self, document_id: str, version: int) -> Version:
        """One version with its text; raises NotThere."""
        row = await self._store.row("knowledge.version", tenant=self._tenant, document_id=document_id, version=version)
        if row is None:
            raise NotThere("there is no such version; the latest 20 are kept")
        return Version(**row)

    async def restore(self, document_id: str, version: int, changed_by: str) -> Document:
        """Say again what an earlier version said, as a new version; a deleted document comes back. Raises NotThere."""
        earlier = await self.version(document_id, version)

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            row = await self._current(tx, document_id, None, deleted=True)
            draft = _again(row, earlier.title, earlier.text, None)
            await put(tx, self._tenant, draft, changed_by, urgent=True)

        await self._store.write(unit, order=ORDER)
        return await self.get(document_id)

    async def _current(self, tx: Tx, document_id: str, expected: int | None, *, deleted: bool = False) -> Row:
        row = await tx.row("knowledge.lock_document_id", tenant=self._tenant, id=document_id)
        if row is None or row["source_gone"] is not None or (row["deleted_at"] is not None and not deleted):
            raise _no_document()
        if expected is not None and row["version"] != expected:
            raise Changed("somebody else has changed the document meanwhile; load it again")
        return row

    async def _new(self, tx: Tx, source_id: str | None, title: str, text: str, url: str) -> Draft:
        audience = "customer"
        if source_id is None:
            source_id = await articles(tx, self._tenant)
        source = await tx.row("knowledge.source", tenant=self._tenant, id=source_id)
        if source is None:
            raise NotThere("there is no such source; it may have been deleted meanwhile")
        audience = str(source["audience"])
        return Draft(source_id, f"hand:{new_id()}", url, title, text, audience, "text/markdown")


async def articles(tx: Tx, tenant: str) -> str:
    """The id of the source of what is written by hand; made on first use."""
    found = await tx.row("knowledge.source_named", tenant=tenant, name=ARTICLES)
    if found is not None:
        return str(found["id"])
    row = await tx.row(
        "knowledge.add_source", id=new_id(), tenant=tenant, name=ARTICLES, kind="article", config="{}",
        audience="customer", cron=None, next_at=None, state="indexed", now=tx.now_s,
    )  # fmt: skip
    assert row is not None, "the knowledge lock is held"
    return str(row["id"])


async def put(tx: Tx, tenant: str, draft: Draft, changed_by: str, *, urgent: bool = False) -> str:
    """Store what a document says (under the knowledge lock) and return its id; a new text becomes a new version."""
    row = await tx.row("knowledge.lock_document", source_id=draft.source_id, uri=draft.uri)
    fetched_at = tx.now_s if draft.fetched else None
    if row is not None and row["deleted_at"] is not None and draft.fetched and row["raw_digest"] == draft.raw_digest:
        return str(row["id"])  # a person took it out, and its source says nothing new
    origin: dict[str, Value] = {
        "raw_digest": draft.raw_digest,
        "etag": draft.etag or None,
        "last_modified": draft.last_modified or None,
    }
    if row is not None and row["deleted_at"] is None and row["digest"] == draft.digest:
        if draft.fetched:
            await tx.run("knowledge.refresh_document", id=row["id"], mime=draft.mime, fetched_at=fetched_at, **origin)
        return str(row["id"])
    document_id = str(row["id"]) if row is not None else new_id()
    version = int(row["version"]) + 1 if row is not None else 1
    said: dict[str, Value] = {
        "title": draft.title,
        "text": draft.text,
        "digest": draft.digest,
        "version": version,
        "now": tx.now_s,
    }
    place: dict[str, Value] = {"url": draft.url, "audience": draft.audience, "mime": draft.mime, "urgent": int(urgent)}
    if row is None:
        where: dict[str, Value] = {
            "tenant": tenant,
            "source_id": draft.source_id,
            "uri": draft.uri,
            "state": "queued",
            "reason": None,
        }
        await tx.run(
            "knowledge.add_document", id=document_id, fetched_at=fetched_at, **said, **place, **where, **origin
        )
    else:
        await tx.run("knowledge.change_document", id=document_id, fetched_at=fetched_at, **said, **place, **origin)
    await tx.run("knowledge.add_version", document_id=document_id, tenant=tenant, changed_by=changed_by, **said)
    if version > VERSIONS:
        await tx.run("knowledge.prune_versions", document_id=document_id, upto=version - VERSIONS)
    tx.notify(DOCUMENTS, document_id)
    return document_id


async def refuse(tx: Tx, tenant: str, draft: Draft, reason: str) -> None:
    """Note (under the knowledge lock) that a document's bytes cannot be read; an earlier text of it stays."""
    row = await tx.row("knowledge.lock_document", source_id=draft.source_id, uri=draft.uri)
    origin: dict[str, Value] = {
        "raw_digest": draft.raw_digest,
        "etag": draft.etag or None,
        "last_modified": draft.last_modified or None,
    }
    if row is not None and row["deleted_at"] is None:
        run = partial(tx.run, "knowledge.fail_document", id=row["id"])
        await run(reason=reason, fetched_at=tx.now_s, now=tx.now_s, **origin)
        return
    if row is not None:
        if row["raw_digest"] != draft.raw_digest:
            await tx.run("knowledge.revive_failed", id=row["id"], reason=reason, now=tx.now_s, **origin)
        return
    await tx.run(
        "knowledge.add_document", id=new_id(), tenant=tenant, source_id=draft.source_id, uri=draft.uri, url=draft.url,
        title=draft.title, audience=draft.audience, mime=draft.mime, state="failed", reason=reason, text="", digest="",
        version=0, urgent=0, fetched_at=tx.now_s, now=tx.now_s, **origin,
    )  # fmt: skip


async def drop(tx: Tx, tenant: str, source_id: str, uris: Sequence[str], *, by_hand: bool = False) -> int:
    """Delete documents with their passages (under the knowledge lock); returns how many there were.

    What was taken out ``by_hand`` stays out until its source has other bytes for it.
    """
    gone = 0
    revision = await tx.row("knowledge.raise_revision", tenant=tenant)
    assert revision is not None
    for uri in uris:
        row = await tx.row(
            "knowledge.delete_document_at", source_id=source_id, uri=uri, revision=revision["revision"],
            kept=int(by_hand), now=tx.now_s,
        )  # fmt: skip
        if row is not None:
            await tx.run("knowledge.drop_chunks", document_id=row["id"])
            gone += 1
    tx.notify(KNOWLEDGE)
    return gone


_FIELDS = frozenset(one.name for one in fields(Document))


def _document(row: Row) -> Document:
    return Document(**{name: value for name, value in row.items() if name in _FIELDS})


def _again(row: Mapping[str, Any], title: str, text: str, url: str | None) -> Draft:
    """A stored document with another text; what is known of its source's bytes stays, so that they do not come back."""
    return Draft(
        row["source_id"], row["uri"], row["url"] if url is None else url, title, text, row["audience"], row["mime"],
        row["raw_digest"], row["etag"] or "", row["last_modified"] or "",
    )  # fmt: skip


def _no_document() -> NotThere:
    return NotThere("there is no such document; it may have been deleted meanwhile")
