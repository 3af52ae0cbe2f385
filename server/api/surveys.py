"""What customers said about their cases."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from server.api.shapes import Answer, Page, answer, encode_cursor
from server.routes import PRINCIPAL, Role, Route, read_query
from server.store.contract import Store


class SurveyQuery(Page):
    """Which: of one kind, and only those with a score where ``answered``."""

    kind: Literal["", "csat", "nps"] = ""
    answered: bool = False


class SurveyLine(Answer):
    """One question: about which case, under which release, asked after which person closed it, and the answer."""

    id: str
    conversation_id: str
    case_id: str
    customer: str
    channel: str
    account: str
    release_id: str | None
    person_id: str | None
    kind: str
    score: int | None
    comment: str | None
    asked_at: float
    scored_at: float | None


class SurveyPage(Answer):
    """Surveys, newest first; ``next`` is the cursor of the following page, None at the end."""

    items: list[SurveyLine]
    next: str | None


class SurveysApi:
    """Addresses ``/api/surveys``."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [Route("GET", "/api/surveys", self.list, Role.VIEWER, "What customers answered", answer=SurveyPage)]

    async def list(self, request: web.Request) -> web.Response:
        """One page of surveys."""
        query = read_query(request, SurveyQuery)
        at, row_id = query.position
        rows = await self._store.rows(
            "surveys.page", tenant=self._tenant, kind=query.kind, answered=int(query.answered), at=at, id=row_id,
            count=query.limit + 1, **request[PRINCIPAL].sight.values(),
        )  # fmt: skip
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["asked_at"], shown[-1]["id"]) if len(rows) > query.limit else None
        names = [name for name in SurveyLine.model_fields if name != "customer"]
        lines = [SurveyLine(customer=row["customer_name"], **{name: row[name] for name in names}) for row in shown]
        return answer(SurveyPage(items=lines, next=more))
