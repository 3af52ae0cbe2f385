"""The review queue as one person sees it, the way back from a decision, and what is in a dataset."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from config.settings import Settings
from server.api.examples_shapes import Decided
from server.api.review_shapes import Cluster, QueueLine, QueuePage, QueueQuery, RowLine, RowPage, RowQuery
from server.api.shapes import ID, Page, answer, encode_cursor, load
from server.audit import audit
from server.conversation import NotFound, Refused
from server.examples import MOST_AT_ONCE, Decision, Examples
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_query
from server.store.contract import Event, Row, Store, Tx

DAY_S = 86_400.0
OLDEST = (-1.0, "")


class ReviewApi:
    """Addresses ``/api/examples/queue`` and what belongs to it; they stand before ``/api/examples/{id}``."""

    def __init__(self, store: Store, settings: Settings, examples: Examples) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._http = settings.http
        self._reviewer = Role(settings.training.reviewers)
        self._examples = examples

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/examples/{ID}"
        return [
            Route("GET", "/api/examples/queue", self.queue, Role.STAFF, "What waits for the caller, oldest first",
                  answer=QueuePage),
            Route("GET", f"{one}/alike", self.alike, Role.STAFF, "Near-equal ones that wait too", answer=Cluster),
            Route("POST", f"{one}/reopen", self.reopen, self._reviewer, "Take one's own word back", "example.reopen",
                  answer=Decided),
            Route("GET", f"/api/datasets/{ID}/rows", self.rows, Role.STAFF, "What is in a dataset", answer=RowPage),
        ]  # fmt: skip

    async def queue(self, request: web.Request) -> web.Response:
        """One page of the queue; near-equal examples are one line."""
        query = read_query(request, QueueQuery)
        at, row_id = query.position if query.cursor else OLDEST
        who = request[PRINCIPAL]
        key = {"tenant": self._tenant, "reviewer": who.owner, **who.sight.values()}
        rows = await self._store.rows(
            "review.queue", **key, behaviour=query.behaviour, origin=query.origin, at=at, id=row_id,
            count=query.limit + 1,
        )  # fmt: skip
        counted = await self._store.row("review.waiting", **key, since=await self._store.clock_s() - DAY_S)
        assert counted is not None  # subqueries always give a row
        lines = [QueueLine(**{name: row[name] for name in QueueLine.model_fields}) for row in rows[: query.limit]]
        decides = who.role.covers(self._reviewer)
        return answer(QueuePage(queue=lines, may_decide=decides, next=_next(rows, query), **counted))

    async def alike(self, request: web.Request) -> web.Response:
        """Ids of the example's cluster that wait for the caller, itself among them."""
        row, who = await self._found(request.match_info["id"]), request[PRINCIPAL]
        found = await self._store.rows(
            "review.alike", tenant=self._tenant, cluster=row["cluster"], reviewer=who.owner, count=MOST_AT_ONCE,
            **who.sight.values(),
        )  # fmt: skip
        return answer(Cluster(ids=[each["id"] for each in found]))

    async def reopen(self, request: web.Request) -> web.Response:
        """The example waits again, as if the caller had said nothing. 409 for somebody else's word."""
        principal, ip, example = request[PRINCIPAL], client_ip(request, self._http), request.match_info["id"]

        async def unit(tx: Tx) -> Decision:
            done = await self._examples.reopen(tx, example, principal.owner)
            await audit(tx, principal, "example.reopen", example, {"status": done.status}, ip)
            tx.emit(Event(self._tenant, "example", {"example": example, "status": done.status}))
            return done

        request[AUDITED] = True
        try:
            done = await self._store.write(unit)
        except NotFound as error:
            raise Problem(404, "No such example", str(error)) from None
        except Refused as refused:
            raise Problem(409, "Not possible", str(refused)) from None
        return answer(Decided(id=done.id, status=done.status, needed=done.needed, adapters=[]))

    async def rows(self, request: web.Request) -> web.Response:
        """One page of a dataset's rows."""
        query = read_query(request, RowQuery)
        at, row_id = query.position
        dataset = await self._store.row("loop.dataset", tenant=self._tenant, id=request.match_info["id"])
        if dataset is None:
            raise Problem(404, "No such dataset", "There is no dataset with this id; reload the list.")
        rows = await self._store.rows(
            "review.dataset_rows", tenant=self._tenant, dataset_id=dataset["id"], split=query.split,
            behaviour=query.behaviour, origin=query.origin, at=at, id=row_id, count=query.limit + 1,
            **request[PRINCIPAL].sight.values(),
        )  # fmt: skip
        return answer(RowPage(rows=[_row(row) for row in rows[: query.limit]], next=_next(rows, query)))

    async def _found(self, example_id: str) -> Row:
        row = await self._store.row("loop.example", tenant=self._tenant, id=example_id)
        if row is None:
            raise Problem(404, "No such example", "There is no such example; reload the list.")
        return row


def _row(row: Row) -> RowLine:
    read = {"usable": bool(row["usable"]), "target": load(row["target"])}
    return RowLine(**{name: row[name] for name in RowLine.model_fields if name not in read}, **read)


def _next(rows: Sequence[Row], page: Page) -> str | None:
    if len(rows) <= page.limit:
        return None
    last = rows[page.limit - 1]
    return encode_cursor(last["created_at"], last["id"])
