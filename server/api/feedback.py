"""Feedback and corrections for staff: what people thought of answers, and what they would have answered."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from config.settings import Settings
from server.api.feedback_shapes import (
    CorrectionBody,
    CorrectionMade,
    CorrectionPage,
    CorrectionRow,
    FeedbackPage,
    FeedbackQuery,
    FeedbackRow,
    RatingBody,
)
from server.api.shapes import ID, Page, answer, encode_cursor, load
from server.audit import audit
from server.conversation import NotFound, Refused
from server.corrections import Correction, Corrections
from server.feedback import Feedback
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.store.contract import Row, Store, Tx


class FeedbackApi:
    """Addresses ``/api/feedback`` and ``/api/corrections``."""

    def __init__(self, store: Store, settings: Settings, corrections: Corrections) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._http = settings.http
        self._corrections = corrections
        self._feedback = Feedback(store)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/feedback", self.list, Role.VIEWER, "What people thought of answers",
                  answer=FeedbackPage),
            Route("POST", "/api/feedback", self.rate, Role.STAFF, "Rate an answer as staff", "feedback.rate",
                  body=RatingBody),
            Route("GET", "/api/corrections", self.corrections, Role.VIEWER, "What staff would have answered",
                  answer=CorrectionPage),
            Route("GET", f"/api/corrections/{ID}", self.one, Role.VIEWER, "One correction", answer=CorrectionRow),
            Route("POST", "/api/corrections", self.correct, Role.STAFF, "Correct an answer of the assistant",
                  "correction.give", body=CorrectionBody, answer=CorrectionMade),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of feedback."""
        query = read_query(request, FeedbackQuery)
        at, row_id = query.position
        rows = await self._store.rows(
            "loop.ratings", tenant=self._tenant, kind=query.kind, value=query.value, release=query.release, at=at,
            id=row_id, count=query.limit + 1, **request[PRINCIPAL].sight.values(),
        )  # fmt: skip
        shown = [FeedbackRow(**{name: row[name] for name in FeedbackRow.model_fields}) for row in rows[: query.limit]]
        return answer(FeedbackPage(feedback=shown, next=_next(rows, query)))

    async def rate(self, request: web.Request) -> web.Response:
        """A staff member's own thumb; the last one counts."""
        body = await read_body(request, RatingBody)
        place = await self._place(request, body.message_id)
        giver = ("staff", request[PRINCIPAL].owner)
        try:
            await self._feedback.rate(
                place, body.message_id, giver, body.value, reason=body.reason, comment=body.comment
            )
        except Refused as refused:
            raise Problem(409, "Not possible", str(refused)) from None
        return web.Response(status=204)

    async def corrections(self, request: web.Request) -> web.Response:
        """One page of corrections."""
        query = read_query(request, Page)
        at, row_id = query.position
        rows = await self._store.rows(
            "loop.corrections", tenant=self._tenant, at=at, id=row_id, count=query.limit + 1,
            **request[PRINCIPAL].sight.values(),
        )  # fmt: skip
        shown = [_correction(row) for row in rows[: query.limit]]
        return answer(CorrectionPage(corrections=shown, next=_next(rows, query)))

    async def one(self, request: web.Request) -> web.Response:
        """One correction with the example it became."""
        row = await self._store.row("loop.correction", tenant=self._tenant, id=request.match_info["id"])
        if row is None:
            raise Problem(404, "No such correction", "There is no correction with this id; reload the list.")
        return answer(_correction(row))

    async def correct(self, request: web.Request) -> web.Response:
        """Keep a correction; the answer itself stays as the customer got it."""
        body = await read_body(request, CorrectionBody)
        calls = tuple(call.model_dump() for call in body.calls)
        given = Correction(body.message_id, body.text, body.reason, body.note, calls, body.behaviour)
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        place = await self._place(request, body.message_id)

        async def unit(tx: Tx) -> tuple[str, str | None]:
            made = await self._corrections.write(tx, given, principal.owner)
            detail = {"reason": given.reason, "example": made[1]}
            await audit(tx, principal, "correction.give", given.message_id, detail, ip)
            return made

        request[AUDITED] = True
        try:
            correction, example = await self._store.write(unit, order=place)
        except NotFound as error:
            raise Problem(404, "No such message", str(error)) from None
        except Refused as refused:
            raise Problem(409, "Not possible", str(refused)) from None
        row = await self._store.row("loop.correction", tenant=self._tenant, id=correction)
        assert row is not None
        why = str(row["route_reason"] or "").split()
        return answer(CorrectionMade(id=correction, example=example, suggested=row["suggested"], why=why), status=201)

    async def _place(self, request: web.Request, message_id: str) -> str:
        """The conversation of a message that the caller may see; raises a 404 problem."""
        key = {"tenant": self._tenant, "id": message_id, **request[PRINCIPAL].sight.values()}
        row = await self._store.row("teams.sees_message", **key)
        if row is None:
            raise Problem(404, "No such message", "There is no message with this id; reload the conversation.")
        return str(row["conversation_id"])


def _correction(row: Row) -> CorrectionRow:
    values = {name: row[name] for name in CorrectionRow.model_fields if name != "calls"}
    return CorrectionRow(**values, calls=load(row["calls"]).get("calls", []))


def _next(rows: Sequence[Row], page: Page) -> str | None:
    if len(rows) <= page.limit:
        return None
    last = rows[page.limit - 1]
    return encode_cursor(last["created_at"], last["id"])
