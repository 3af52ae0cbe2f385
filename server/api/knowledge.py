"""Knowledge for staff: documents, search as the assistant searches, unanswered questions, and how all of it is.

What only staff may read is hidden from the role viewer: keys of that role also stand in programs for customers.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any, Protocol

from aiohttp import web

from config.settings import Http, Settings
from server.api.knowledge_shapes import (
    ArticleChange,
    ChunkRow,
    DocumentDetail,
    DocumentPage,
    DocumentQuery,
    DocumentRow,
    GapPage,
    GapRow,
    HitRow,
    KnowledgeState,
    NewArticle,
    NewPair,
    Restore,
    SearchAnswer,
    SearchQuery,
    VersionList,
    VersionRow,
)
from server.api.shapes import ID, Page, answer, decode_names, encode_cursor, encode_names
from server.audit import audit
from server.grounding.prompt import prompt_block
from server.knowledge.contract import KnowledgeError, Passage, Retriever
from server.knowledge.documents import Document, Documents, Version
from server.knowledge.kinds import Changed, NotThere
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.store.contract import Store, Tx

MOST_PASSAGES = 2_000  # shown of one document
STAFF_ONLY = "staff"


class Follower(Protocol):
    """How the index of this process is."""

    @property
    def revision(self) -> int:
        """The newest change of the documents that it answers from."""
        ...

    @property
    def degraded(self) -> str:
        """What of it is missing, empty when nothing is."""
        ...


class KnowledgeApi:
    """Addresses ``/api/knowledge`` except its sources."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        documents: Documents,
        retriever: Retriever | None,
        follower: Follower | None,
    ) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._http: Http = settings.http
        self._confidence = settings.knowledge.confidence
        self._given = settings.knowledge.passages
        self._documents = documents
        self._retriever = retriever
        self._follower = follower

    def routes(self) -> builtins.list[Route]:
        """The table of this resource."""
        documents = "/api/knowledge/documents"
        one, gap = f"{documents}/{ID}", f"/api/knowledge/gaps/{ID}"
        return [
            Route("GET", "/api/knowledge", self.state, Role.VIEWER, "How the knowledge is", answer=KnowledgeState),
            Route(
                "GET", "/api/knowledge/search", self.search, Role.VIEWER, "Search as the assistant does",
                answer=SearchAnswer,
            ),
            Route("GET", documents, self.list, Role.VIEWER, "Documents by title", answer=DocumentPage),
            Route(
                "POST", documents, self.write, Role.STAFF, "Write an article", "document.write", body=NewArticle,
                answer=DocumentRow,
            ),
            Route("GET", one, self.read, Role.VIEWER, "A document with its passages", answer=DocumentDetail),
            Route(
                "PUT", one, self.save, Role.STAFF, "Change a document", "document.save", body=ArticleChange,
                answer=DocumentRow,
            ),
            Route("DELETE", one, self.delete, Role.STAFF, "Take a document out of the answers", "document.delete"),
            Route("GET", f"{one}/versions", self.versions, Role.VIEWER, "What it said before", answer=VersionList),
            Route(
                "GET", f"{one}/versions/{{version:[0-9]{{1,9}}}}", self.version, Role.VIEWER, "One earlier version",
                answer=VersionRow,
            ),
            Route(
                "POST", f"{one}/restore", self.restore, Role.STAFF, "Say again what an earlier version said",
                "document.restore", body=Restore, answer=DocumentRow,
            ),
            Route(
                "POST", "/api/knowledge/pairs", self.pair, Role.STAFF, "Write a question and its answer",
                "document.write", body=NewPair, answer=DocumentRow,
            ),
            Route("GET", "/api/knowledge/gaps", self.gaps, Role.STAFF, "Questions nothing answered", answer=GapPage),
            Route("DELETE", gap, self.forget, Role.STAFF, "Take a question off the list", "gap.forget"),
        ]  # fmt: skip

    async def state(self, request: web.Request) -> web.Response:
        """Counts, and how far this process follows; alarms only for admins."""
        rows = await self._store.rows("listing.documents_by_state", tenant=self._tenant)
        counts = await self._store.row("listing.counts", tenant=self._tenant) or {}
        alarms: Mapping[str, str] = {}
        if request[PRINCIPAL].role.covers(Role.ADMIN):
            found = await self._store.rows("listing.alarms", tenant=self._tenant)
            alarms = {row["name"]: row["value"] for row in found}
        follower = self._follower
        return answer(
            KnowledgeState(
                enabled=self._retriever is not None,
                documents={row["state"]: row["documents"] for row in rows},
                followed=follower.revision if follower is not None else 0,
                degraded=follower.degraded if follower is not None else "",
                alarms=dict(alarms),
                **counts,
            )
        )

    async def search(self, request: web.Request) -> web.Response:
        """Passages for a question; raises 403 for a viewer who asks for what only staff may read."""
        query = read_query(request, SearchQuery)
        if query.audience == STAFF_ONLY and not _sees_all(request):
            raise Problem(403, "Not allowed", "What only staff may read needs the role staff; ask an admin.")
        if self._retriever is None:
            raise Problem(409, "Knowledge is off", "Set knowledge.enabled to true, then restart.")
        found = await self._retriever.retrieve(query.q, audience=query.audience, limit=query.limit)
        return answer(
            SearchAnswer(
                hits=[_hit(passage) for passage in found.passages],
                confidence=found.confidence,
                answerable=bool(found.passages) and found.confidence >= self._confidence,
                degraded=found.degraded,
                took_ms=dict(found.took_ms),
                given=self._given,
                prompt=prompt_block(replace(found, passages=found.passages[: self._given]), ""),
            )
        )

    async def list(self, request: web.Request) -> web.Response:
        """One page of documents."""
        query = read_query(request, DocumentQuery)
        after = decode_names(query.cursor)
        found = await self._documents.list(
            source_id=query.source or None, state=query.state or None, query=query.q, after=after, limit=query.limit + 1
        )
        shown = found[: query.limit]
        more = encode_names(shown[-1].title, shown[-1].id) if len(found) > query.limit else None
        visible = [_row(each) for each in shown if _sees_all(request) or each.audience != STAFF_ONLY]
        return answer(DocumentPage(documents=visible, next=more))

    async def write(self, request: web.Request) -> web.Response:
        """Write an article; customers get answers from it within seconds."""
        body = await read_body(request, NewArticle)
        saved = await self._saved(request, "document.write", body.title, body.text, source=body.source, url=body.url)
        return answer(_row(saved), status=201)

    async def read(self, request: web.Request) -> web.Response:
        """A document with its text and passages."""
        document = await self._visible(request)
        rows = await self._store.rows(
            "listing.passages", tenant=self._tenant, document_id=document.id, count=MOST_PASSAGES
        )
        chunks = [ChunkRow(**row) for row in rows]
        return answer(DocumentDetail(document=_row(document), text=document.text, chunks=chunks))

    async def save(self, request: web.Request) -> web.Response:
        """New words for a document; 409 when somebody saved it meanwhile."""
        before = await self._visible(request)
        body = await read_body(request, ArticleChange)
        title = body.title or before.title
        async with told():
            saved = await self._documents.save(
                title=title, text=body.text, changed_by=request[PRINCIPAL].owner, document_id=before.id, url=body.url,
                expected_version=body.version,
            )  # fmt: skip
        await self._note(request, "document.save", saved.id, {"version": saved.version})
        return answer(_row(saved))

    async def delete(self, request: web.Request) -> web.Response:
        """Take a document out of the answers; its versions are kept."""
        document = await self._visible(request)
        async with told():
            await self._documents.delete(document.id)
        await self._note(request, "document.delete", document.id, {"title": document.title})
        return web.Response(status=204)

    async def versions(self, request: web.Request) -> web.Response:
        """The versions of a document, newest first, without texts."""
        document = await self._visible(request)
        found = await self._documents.versions(document.id)
        return answer(VersionList(versions=[_version(each) for each in found]))

    async def version(self, request: web.Request) -> web.Response:
        """One version with its text."""
        document = await self._visible(request)
        async with told():
            return answer(_version(await self._documents.version(document.id, int(request.match_info["version"]))))

    async def restore(self, request: web.Request) -> web.Response:
        """Make an earlier version the newest; a deleted document comes back."""
        document = await self._visible(request)
        body = await read_body(request, Restore)
        async with told():
            saved = await self._documents.restore(document.id, body.version, request[PRINCIPAL].owner)
        await self._note(request, "document.restore", saved.id, {"from": body.version, "version": saved.version})
        return answer(_row(saved))

    async def pair(self, request: web.Request) -> web.Response:
        """Write a question with its answer; the gap it closes leaves the list."""
        body = await read_body(request, NewPair)
        question = " ".join(body.question.split())
        text = f"# {question}\n\n{body.answer.strip()}"
        saved = await self._saved(request, "document.write", question, text, source=body.source, url=body.url)
        if body.gap:
            key = {"tenant": self._tenant, "id": body.gap, **request[PRINCIPAL].sight.values()}
            await self._store.write(lambda tx: tx.run("listing.forget_miss", **key))
        return answer(_row(saved), status=201)

    async def gaps(self, request: web.Request) -> web.Response:
        """One page of unanswered questions."""
        page = read_query(request, Page)
        at, row_id = page.position
        rows = await self._store.rows(
            "listing.misses", tenant=self._tenant, at=at, id=row_id, count=page.limit + 1,
            **request[PRINCIPAL].sight.values(),
        )  # fmt: skip
        shown = rows[: page.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > page.limit else None
        return answer(GapPage(gaps=[GapRow(**row) for row in shown], next=more))

    async def forget(self, request: web.Request) -> web.Response:
        """Take a question off the list; the conversation keeps it."""
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        key = {"tenant": self._tenant, "id": request.match_info["id"], **principal.sight.values()}

        async def unit(tx: Tx) -> int:
            gone = await tx.run("listing.forget_miss", **key)
            if gone:
                await audit(tx, principal, "gap.forget", key["id"], ip=ip)
            return gone

        if not await self._store.write(unit):
            raise Problem(404, "No such question", "Somebody took it off the list already; reload it.")
        request[AUDITED] = True
        return web.Response(status=204)

    async def _visible(self, request: web.Request) -> Document:
        """The document of the address, as far as the caller may know of it; raises a 404 problem."""
        async with told():
            document = await self._documents.get(request.match_info["id"])
        if document.audience == STAFF_ONLY and not _sees_all(request):
            raise _unknown()
        return document

    async def _saved(
        self, request: web.Request, action: str, title: str, text: str, *, source: str, url: str
    ) -> Document:
        """A new document, written down in the audit."""
        async with told():
            saved = await self._documents.save(
                title=title, text=text, changed_by=request[PRINCIPAL].owner, source_id=source or None, url=url
            )
        await self._note(request, action, saved.id, {"title": saved.title})
        return saved

    async def _note(self, request: web.Request, action: str, target: str, detail: Mapping[str, Any]) -> None:
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        await self._store.write(lambda tx: audit(tx, principal, action, target, detail, ip))
        request[AUDITED] = True


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """Knowledge's own refusals as problems: gone (404), changed by somebody else (409), not usable (422)."""
    try:
        yield
    except NotThere as error:
        raise Problem(404, "Not there", _sentence(error)) from None
    except Changed as error:
        raise Problem(409, "Changed meanwhile", _sentence(error)) from None
    except KnowledgeError as error:
        raise Problem(422, "Refused", _sentence(error)) from None


def _sentence(error: KnowledgeError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _sees_all(request: web.Request) -> bool:
    return request[PRINCIPAL].role.covers(Role.STAFF)


def _unknown() -> Problem:
    return Problem(404, "Not there", "There is no such document; it may have been deleted meanwhile.")


def _row(document: Document) -> DocumentRow:
    return DocumentRow(**{name: getattr(document, name) for name in DocumentRow.model_fields})


def _version(version: Version) -> VersionRow:
    return VersionRow(**{name: value for name, value in asdict(version).items() if name != "digest"})


def _hit(passage: Passage) -> HitRow:
    chunk = passage.chunk
    return HitRow(
        passage=chunk.id,
        document_id=chunk.document_id,
        title=chunk.title,
        heading=chunk.heading,
        url=chunk.url,
        audience=chunk.audience,
        text=chunk.text,
        score=passage.score,
        lexical_rank=passage.lexical_rank,
        vector_rank=passage.vector_rank,
        similarity=passage.similarity,
    )
