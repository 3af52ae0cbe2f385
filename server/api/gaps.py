"""Gaps for staff: questions the knowledge does not answer, grouped; an answer written here closes its gap.

Customers' own words are shown, so nothing of this is for viewers.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from config.settings import Http
from server.api.knowledge import told
from server.api.knowledge_shapes import DocumentRow, Id, Question, Text, Url
from server.api.shapes import ID, Answer, Body, Page, answer, encode_cursor
from server.audit import audit
from server.knowledge.documents import Document, Documents
from server.knowledge.gaps import Decided, Gaps, State
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.store.contract import Row, Store, Tx

FRESH_S = 10.0  # a list that is asked for again within this time is not gathered again
MOST_EXAMPLES = 50


class GapsQuery(Page):
    """A page of gaps in one state."""

    state: Literal["open", "solved", "dismissed"] = "open"


class KindCounts(Answer):
    """How it showed: nothing found, nothing that carried an answer, handed over, rated down."""

    unanswered: int
    unsupported: int
    handoff: int
    thumbs_down: int


class GapGroup(Answer):
    """One gap: its first question stands for all; ``asked`` counts turns, times are epoch seconds.

    ``document_id`` is the answer somebody wrote; ``reopened`` how often it was missed again after that.
    """

    id: str
    state: str
    question: str
    asked: int
    conversations: int
    kinds: KindCounts
    first_at: float
    last_at: float
    reopened: int
    document_id: str | None
    decided_by: str | None
    decided_at: float | None


class GapGroups(Answer):
    """Gaps, the most asked first; ``counts`` by state."""

    gaps: list[GapGroup]
    counts: dict[str, int]
    next: str | None


class GapExample(Answer):
    """A customer's own words, and where they were said."""

    id: str
    kind: str
    question: str
    conversation_id: str
    channel: str
    language: str | None
    at: float


class GapExamples(Answer):
    """The newest questions of a gap."""

    questions: list[GapExample]


class GapAnswer(Body):
    """The answer that closes a gap; ``url`` is where customers read more, ``source`` empty = the articles."""

    question: Question
    answer: Text
    url: Url = ""
    source: Id = ""


class GapState(Body):
    """What shall become of a gap: nothing to answer (dismissed), or work again (open)."""

    state: Literal["dismissed", "open"]
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = Field(default="")


class GapsApi:
    """Addresses ``/api/gaps``."""

    def __init__(
        self, store: Store, http: Http, gaps: Gaps, documents: Documents, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._http = http
        self._gaps = gaps
        self._documents = documents
        self._clock = clock
        self._gathered_at = -FRESH_S

    def routes(self) -> builtins.list[Route]:
        """The table of this resource."""
        one = f"/api/gaps/{ID}"
        return [
            Route("GET", "/api/gaps", self.list, Role.STAFF, "Gaps of the knowledge by how often they show",
                  answer=GapGroups),
            Route("GET", one, self.examples, Role.STAFF, "What customers asked, word for word", answer=GapExamples),
            Route("POST", f"{one}/answer", self.fill, Role.STAFF, "Write the answer that closes a gap", "gap.answer",
                  body=GapAnswer, answer=DocumentRow),
            Route("PUT", f"{one}/state", self.set_state, Role.STAFF, "Dismiss a gap, or open it again", "gap.decide",
                  body=GapState),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of gaps; new questions are sorted in first."""
        query = read_query(request, GapsQuery)
        if self._clock() - self._gathered_at >= FRESH_S:
            self._gathered_at = self._clock()
            await self._gaps.gather()
        sight = request[PRINCIPAL].sight
        rows = await self._gaps.list(query.state, query.position, query.limit + 1, sight)
        shown = rows[: query.limit]
        more = encode_cursor(float(shown[-1]["asked"]), shown[-1]["id"]) if len(rows) > query.limit else None
        counts = await self._gaps.counts(sight)
        return answer(GapGroups(gaps=[_group(row) for row in shown], counts=counts, next=more))

    async def examples(self, request: web.Request) -> web.Response:
        """The newest questions of a gap."""
        async with told():
            rows = await self._gaps.questions(request.match_info["id"], MOST_EXAMPLES, request[PRINCIPAL].sight)
        shown = [GapExample(**{name: row[name] for name in GapExample.model_fields}) for row in rows]
        return answer(GapExamples(questions=shown))

    async def fill(self, request: web.Request) -> web.Response:
        """Write a question with its answer; customers get it within seconds, and the gap is solved."""
        gap_id, principal = request.match_info["id"], request[PRINCIPAL]
        async with told():
            try:
                await self._gaps.check_open(gap_id)
            except Decided as error:
                raise Problem(409, "Decided meanwhile", f"Not written: {error}.") from None
            body = await read_body(request, GapAnswer)
            question = " ".join(body.question.split())
            saved = await self._documents.save(
                title=question, text=f"# {question}\n\n{body.answer.strip()}", changed_by=principal.owner,
                source_id=body.source or None, url=body.url,
            )  # fmt: skip

            async def unit(tx: Tx) -> None:
                await self._gaps.decide(tx, gap_id, "solved", principal.owner, saved.id)
                detail = {"document": saved.id, "title": saved.title}
                await audit(tx, principal, "gap.answer", gap_id, detail, client_ip(request, self._http))

            await self._store.write(unit, order="~gaps")
        request[AUDITED] = True
        return answer(_document(saved), status=201)

    async def set_state(self, request: web.Request) -> web.Response:
        """Dismiss a gap, or take such a decision back."""
        gap_id, principal = request.match_info["id"], request[PRINCIPAL]
        async with told():
            await self._gaps.check(gap_id)
        body = await read_body(request, GapState)
        wanted: State = body.state

        async def unit(tx: Tx) -> None:
            before = await self._gaps.decide(tx, gap_id, wanted, principal.owner)
            detail = {"from": before, "to": wanted, "note": body.note}
            await audit(tx, principal, "gap.decide", gap_id, detail, client_ip(request, self._http))

        async with told():
            await self._store.write(unit, order="~gaps")
        request[AUDITED] = True
        return web.Response(status=204)


def _group(row: Row) -> GapGroup:
    kinds = KindCounts(**{name: row[name] for name in KindCounts.model_fields})
    plain = {name: row[name] for name in GapGroup.model_fields if name != "kinds"}
    return GapGroup(kinds=kinds, **plain)


def _document(document: Document) -> DocumentRow:
    return DocumentRow(**{name: getattr(document, name) for name in DocumentRow.model_fields})
