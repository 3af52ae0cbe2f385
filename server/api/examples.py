"""The review queue and the datasets, for staff and for programs."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from config.settings import Settings
from server.api.examples_shapes import (
    CountLine,
    DatasetLine,
    DatasetPage,
    DatasetWhole,
    DecideBody,
    Decided,
    DecidedAll,
    EditBody,
    ExampleLine,
    ExamplePage,
    ExampleQuery,
    ExampleSummary,
    ExampleWhole,
    Reasons,
    ReviewLine,
    SideLine,
    Undecided,
)
from server.api.shapes import ID, Page, answer, encode_cursor, load
from server.audit import audit
from server.candidates import Target
from server.conversation import NotFound, Refused
from server.examples import Decision, Examples, shown_reasons
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Principal, Role, Route, client_ip, read_body, read_query
from server.store.contract import Event, Row, Store, Tx

Step = Callable[[Tx], Awaitable[Decision]]


class ExamplesApi:
    """Addresses ``/api/examples`` and ``/api/datasets``; who may approve is ``training.reviewers``."""

    def __init__(self, store: Store, settings: Settings, examples: Examples) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._http = settings.http
        self._training = settings.training
        self._examples = examples

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one, reviewer = f"/api/examples/{ID}", Role(self._training.reviewers)
        return [
            Route("GET", "/api/examples", self.list, Role.STAFF, "Examples, newest first", answer=ExamplePage),
            Route("GET", "/api/examples/summary", self.summary, Role.STAFF, "The queue in figures",
                  answer=ExampleSummary),
            Route("GET", "/api/examples/next", self.next, Role.STAFF, "The oldest one that waits for the caller",
                  answer=ExampleWhole),
            Route("POST", "/api/examples/decide", self.decide, reviewer, "Approve, reject or skip many",
                  "example.decide", body=DecideBody, answer=DecidedAll),
            Route("GET", one, self.one, Role.STAFF, "One example with its prompt", answer=ExampleWhole),
            Route("POST", f"{one}/approve", self.approve, reviewer, "Let it be trained on", "example.approve",
                  body=Reasons, answer=Decided),
            Route("POST", f"{one}/reject", self.reject, reviewer, "Keep it out, also when it was approved",
                  "example.reject", body=Reasons, answer=Decided),
            Route("POST", f"{one}/skip", self.skip, reviewer, "Leave it to somebody else", "example.skip",
                  body=Reasons, answer=Decided),
            Route("PUT", f"{one}/target", self.edit, reviewer, "Put other words in its target", "example.edit",
                  body=EditBody, answer=Decided),
            Route("GET", "/api/datasets", self.datasets, Role.STAFF, "What runs were trained on", answer=DatasetPage),
            Route("GET", f"/api/datasets/{ID}", self.dataset, Role.STAFF, "One dataset", answer=DatasetWhole),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of the queue."""
        query = read_query(request, ExampleQuery)
        rows = await self._examples.page(
            query.position, query.limit + 1, request[PRINCIPAL].sight, status=query.status, cluster=query.cluster,
            behaviour=query.behaviour, origin=query.origin,
        )  # fmt: skip
        return answer(ExamplePage(examples=[_line(row) for row in rows[: query.limit]], next=_next(rows, query)))

    async def summary(self, _request: web.Request) -> web.Response:
        """How many there are of each kind, and how often reviewers agree."""
        agreement = await self._examples.agreement()
        return answer(
            ExampleSummary(
                counts=[CountLine(**row) for row in await self._examples.counts()],
                judged_twice=agreement.judged,
                agreement=agreement.share,
                minimum=self._training.minimum_examples,
                reviewers=2 if self._training.second_reviewer else 1,
            )
        )

    async def next(self, request: web.Request) -> web.Response:
        """What the caller should look at now; 404 when nothing waits for them."""
        row = await self._examples.next(request[PRINCIPAL].owner, request[PRINCIPAL].sight)
        if row is None:
            raise Problem(404, "Nothing waits", "There is no example that waits for you.")
        return await self._whole(row["id"])

    async def one(self, request: web.Request) -> web.Response:
        """One example, everything about it."""
        return await self._whole(request.match_info["id"])

    async def approve(self, request: web.Request) -> web.Response:
        """One reviewer's yes."""
        return await self._judged(request, "approve")

    async def reject(self, request: web.Request) -> web.Response:
        """One reviewer's no."""
        return await self._judged(request, "reject")

    async def skip(self, request: web.Request) -> web.Response:
        """One reviewer's shrug."""
        return await self._judged(request, "skip")

    async def edit(self, request: web.Request) -> web.Response:
        """Other words for the target; approvals of the earlier words count no more."""
        body = await read_body(request, EditBody)
        target = Target(body.content, tuple(call.model_dump() for call in body.calls))
        example = request.match_info["id"]
        done = await self._do(
            request, "example.edit", example, lambda tx: self._examples.edit(tx, example, target, body.behaviour or "")
        )
        return answer(_decided(done))

    async def decide(self, request: web.Request) -> web.Response:
        """The same decision on many; what is not possible for one does not keep the others."""
        body = await read_body(request, DecideBody)
        decided, refused = [], []
        for example in dict.fromkeys(body.ids):
            step = self._step(body.verdict, example, request[PRINCIPAL], body.reasons)
            try:
                decided.append(_decided(await self._do(request, f"example.{body.verdict}", example, step)))
            except Problem as problem:
                refused.append(Undecided(id=example, detail=problem.detail))
        return answer(DecidedAll(decided=decided, refused=refused))

    async def datasets(self, request: web.Request) -> web.Response:
        """One page of datasets."""
        query = read_query(request, Page)
        at, row_id = query.position
        rows = await self._store.rows("loop.datasets", tenant=self._tenant, at=at, id=row_id, count=query.limit + 1)
        return answer(DatasetPage(datasets=[_dataset(row) for row in rows[: query.limit]], next=_next(rows, query)))

    async def dataset(self, request: web.Request) -> web.Response:
        """One dataset with what is in it."""
        row = await self._store.row("loop.dataset", tenant=self._tenant, id=request.match_info["id"])
        if row is None:
            raise Problem(404, "No such dataset", "There is no dataset with this id; reload the list.")
        sides = await self._store.rows("loop.dataset_counts", id=row["id"])
        return answer(
            DatasetWhole(
                dataset=_dataset(row), sides=[SideLine(**side) for side in sides], manifest=load(row["manifest"])
            )
        )

    async def _whole(self, example_id: str) -> web.Response:
        try:
            row, reviews = await self._examples.get(example_id)
        except NotFound as error:
            raise Problem(404, "No such example", str(error)) from None
        return answer(
            ExampleWhole(
                example=_line({**row, "alike": 0}),
                messages=json.loads(row["prompt"]),
                tools=json.loads(row["tools"]),
                sources=json.loads(row["sources"]),
                reviews=[
                    ReviewLine(
                        reviewer=one["reviewer"],
                        verdict=one["verdict"],
                        reasons=shown_reasons(one["reasons"]),
                        created_at=one["created_at"],
                    )
                    for one in reviews
                ],
            )
        )

    async def _judged(self, request: web.Request, verdict: str) -> web.Response:
        body = await read_body(request, Reasons)
        example = request.match_info["id"]
        step = self._step(verdict, example, request[PRINCIPAL], body.reasons)
        return answer(_decided(await self._do(request, f"example.{verdict}", example, step)))

    def _step(self, verdict: str, example: str, principal: Principal, reasons: Sequence[str]) -> Step:
        steps = {"approve": self._examples.approve, "reject": self._examples.reject, "skip": self._examples.skip}
        return lambda tx: steps[verdict](tx, example, principal.owner, reasons)

    async def _do(self, request: web.Request, action: str, example: str, step: Step) -> Decision:
        """A step and its audit row in one commit; raises 404 and 409 problems."""
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        key = {"tenant": self._tenant, "id": example, **principal.sight.values()}

        async def unit(tx: Tx) -> Decision:
            if await tx.row("teams.sees_example", **key) is None:
                raise NotFound("there is no such example, or it belongs to another team; reload the list")
            done = await step(tx)
            await audit(tx, principal, action, example, {"status": done.status, "adapters": list(done.adapters)}, ip)
            tx.emit(Event(self._tenant, "example", {"example": example, "status": done.status}))
            return done

        request[AUDITED] = True
        try:
            return await self._store.write(unit)
        except NotFound as error:
            raise Problem(404, "No such example", str(error)) from None
        except Refused as refused:
            raise Problem(409, "Not possible", str(refused)) from None


def _line(row: Row) -> ExampleLine:
    read: dict[str, Any] = {
        "exact": bool(row["exact"]),
        "edited": bool(row["edited"]),
        "target": load(row["target"]),
        "rejected": load(row["rejected"]) if row["rejected"] else None,
        "reasons": shown_reasons(row["reasons"]),
    }
    return ExampleLine(**{name: row[name] for name in ExampleLine.model_fields if name not in read}, **read)


def _dataset(row: Row) -> DatasetLine:
    return DatasetLine(
        id=row["id"], run_id=row["run_id"], digest=row["digest"], rows=row["rows_count"], created_at=row["created_at"]
    )


def _decided(done: Decision) -> Decided:
    return Decided(id=done.id, status=done.status, needed=done.needed, adapters=list(done.adapters))


def _next(rows: Sequence[Row], page: Page) -> str | None:
    if len(rows) <= page.limit:
        return None
    last = rows[page.limit - 1]
    return encode_cursor(last["created_at"], last["id"])
