"""Figures of the desk: a period as a whole, piece by piece, as a file, and the conversations behind it."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from config.insight import Analytics
from config.settings import Http
from server import lanes
from server.analytics.definitions import DEFINITIONS
from server.analytics.folding import JOB
from server.analytics.metrics import METRICS, figures
from server.analytics.periods import BadPeriod, Period
from server.analytics.reading import Reading, Summary
from server.analytics.tables import Unavailable, columns_of, csv_of, parquet_of, table
from server.api.analytics_shapes import (
    CaseLine,
    CasePage,
    Definition,
    Definitions,
    DrillQuery,
    ExportQuery,
    Figure,
    PeriodQuery,
    PeriodShown,
    RebuildStarted,
    SeriesQuery,
    SeriesShown,
    SummaryShown,
)
from server.api.shapes import NEWEST, answer, decode_cursor, encode_cursor
from server.audit import audit
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_query
from server.store.contract import Row, Store, Tx

MIMES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


class AnalyticsApi:
    """Addresses ``/api/analytics``."""

    def __init__(self, store: Store, tenant: str, http: Http, settings: Analytics, reading: Reading) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http
        self._settings = settings
        self._reading = reading

    def routes(self) -> list[Route]:
        """The table of this resource."""
        at = "/api/analytics"
        return [
            Route("GET", at, self.summary, Role.VIEWER, "Figures of a period", answer=SummaryShown),
            Route("GET", f"{at}/series", self.series, Role.VIEWER, "Figures piece by piece", answer=SeriesShown),
            Route("GET", f"{at}/export", self.export, Role.VIEWER, "The same table as CSV or Parquet"),
            Route("GET", f"{at}/conversations", self.conversations, Role.VIEWER, "Conversations behind a figure",
                  answer=CasePage),
            Route("GET", f"{at}/definitions", self.definitions, Role.VIEWER, "How each figure is made",
                  answer=Definitions),
            Route("POST", f"{at}/rebuild", self.rebuild, Role.ADMIN, "Make all figures anew from the events",
                  "analytics.rebuild", answer=RebuildStarted),
        ]  # fmt: skip

    async def summary(self, request: web.Request) -> web.Response:
        """Every metric of a period, beside the one before."""
        query = read_query(request, PeriodQuery)
        period = _period(query)
        found = await self._reading.summary(period, query.filters, query.place, time.time())
        number, at = await self._reading.as_of()
        return answer(
            SummaryShown(
                period=_shown(period, query.zone), number=number, as_of=at, currency=self._settings.currency,
                priced=bool(self._settings.prompt_price or self._settings.completion_price), figures=_figures(found),
                reasons=sorted(found.now.reasons.items(), key=lambda item: (-item[1], item[0])), heat=found.heat,
                choices=await self._reading.choices(),
            )
        )  # fmt: skip

    async def series(self, request: web.Request) -> web.Response:
        """Every metric for each piece of a period."""
        query = read_query(request, SeriesQuery)
        period = _period(query)
        pieces = await self._reading.series(period, query.filters, query.by, time.time())
        shown = _shown(period, query.zone)
        marks = await self._reading.promotions(period)
        return answer(SeriesShown(period=shown, by=query.by, columns=columns_of(), rows=table(pieces), marks=marks))

    async def export(self, request: web.Request) -> web.Response:
        """The rows of ``series`` as a file."""
        query = read_query(request, ExportQuery)
        pieces = await self._reading.series(_period(query), query.filters, query.by, time.time())
        make = csv_of if query.format == "csv" else parquet_of
        try:
            body = await asyncio.to_thread(make, table(pieces))
        except Unavailable as error:
            raise Problem(501, "Not available", f"{error}.") from None
        headers = {"Content-Disposition": f'attachment; filename="analytics.{query.format}"'}
        return web.Response(body=body, content_type=MIMES[query.format], headers=headers)

    async def conversations(self, request: web.Request) -> web.Response:
        """One page of the cases behind a figure that the caller's teams see; the figure counts all of them."""
        query = read_query(request, DrillQuery)
        position = decode_cursor(query.cursor) if query.cursor else NEWEST
        rows = await self._reading.conversations(
            _period(query), query.filters, query.which, query.reason, position, query.limit + 1,
            request[PRINCIPAL].sight,
        )  # fmt: skip
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["opened_at"], shown[-1]["case_id"]) if len(rows) > query.limit else None
        return answer(CasePage(items=[_line(row) for row in shown], next=more))

    async def definitions(self, _request: web.Request) -> web.Response:
        """How each metric is made, in one sentence."""
        return answer(
            Definitions(
                metrics=[
                    Definition(name=name, unit=metric.unit, text=DEFINITIONS[name]) for name, metric in METRICS.items()
                ]
            )
        )

    async def rebuild(self, request: web.Request) -> web.Response:
        """Fold every event that is still kept once more; figures are incomplete until that is done."""
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)

        async def unit(tx: Tx) -> None:
            await lanes.put(tx, self._tenant, "job", JOB, {"rebuild": True})
            await audit(tx, principal, "analytics.rebuild", "analytics", ip=ip)

        request[AUDITED] = True
        await self._store.write(unit)
        return answer(RebuildStarted(started=True), status=202)


def _period(query: PeriodQuery) -> Period:
    try:
        return query.period()
    except BadPeriod as error:
        raise Problem(422, "Invalid input", f"{error}.") from None


def _shown(period: Period, zone: str) -> PeriodShown:
    return PeriodShown(since=period.since, until=period.until, step=period.step, zone=zone)


def _figures(found: Summary) -> list[Figure]:
    now, before = figures(found.now), figures(found.before)
    return [
        Figure(
            name=name, unit=metric.unit, value=now[name], of=metric.of(found.now), previous=before[name],
            better=metric.better, drill=metric.drill,
        )
        for name, metric in METRICS.items()
    ]  # fmt: skip


def _line(row: Row) -> CaseLine:
    return CaseLine(
        case_id=row["case_id"], conversation_id=row["conversation_id"], customer=row["customer_name"],
        channel=row["channel"], language=row["language"], release=row["release_id"], opened_at=row["opened_at"],
        closed_at=row["closed_at"], first_response_s=row["bot_s"] if row["bot_s"] is not None else row["staff_s"],
        messages=row["customer_messages"] + row["bot_messages"] + row["staff_messages"],
        handed_reason=row["handed_reason"], csat=row["csat"], nps=row["nps"],
    )  # fmt: skip
