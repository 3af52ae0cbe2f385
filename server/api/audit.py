"""The audit over HTTP: who did what, newest first, by filters, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field, StringConstraints

from config.settings import Http
from server.api.shapes import Answer, Body, Page, answer, encode_cursor, load
from server.audit import audit
from server.routes import PRINCIPAL, Role, Route, client_ip, read_query
from server.store.contract import Row, Store

MOST_CSV: Final = 50_000  # rows of one file; a later `until` gives the ones before
STEP: Final = 1_000
FORMULA: Final = tuple("=+-@\t\r")  # what makes a spreadsheet compute a cell
COLUMNS: Final = ("at", "actor_kind", "actor_id", "actor_name", "action", "target", "detail", "ip")
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)]
Moment = Annotated[float, Field(ge=0, le=1e12)]


class _Filters(Body):
    """Whose (an id), which actions and targets (their beginning), and when (epoch seconds, ``until`` excluded)."""

    actor: Word = ""
    action: Word = ""
    target: Word = ""
    since: Moment = 0.0
    until: Moment | None = None


class AuditQuery(_Filters, Page):
    """A page of what the filters leave."""


class CsvQuery(_Filters):
    """What the file shall hold."""


class AuditRow(Answer):
    """One action; ``at`` is epoch seconds, ``actor_name`` is empty for keys and the command line."""

    id: str
    at: float
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    target: str
    detail: dict[str, Any]
    ip: str


class AuditPage(Answer):
    """Rows, newest first; ``next`` is the cursor of the following page, None at the end."""

    rows: list[AuditRow]
    next: str | None


class AuditApi:
    """Address ``/api/audit``."""

    def __init__(self, store: Store, tenant: str, http: Http) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/audit", self.list, Role.ADMIN, "Who did what, newest first", answer=AuditPage),
            Route("GET", "/api/audit/csv", self.csv, Role.ADMIN, "The same as a CSV file"),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """One page of the audit."""
        query = read_query(request, AuditQuery)
        rows = await self._rows(query, _start(query, *query.position), query.limit + 1)
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["at"], shown[-1]["id"]) if len(rows) > query.limit else None
        return answer(
            AuditPage(
                rows=[
                    AuditRow(**{**row, "detail": load(row["detail"]), "actor_name": row["actor_name"] or ""})
                    for row in shown
                ],
                next=more,
            )
        )

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """Every row the filters leave, newest first; that somebody took it away is in the audit, too."""
        query, who, ip = read_query(request, CsvQuery), request[PRINCIPAL], client_ip(request, self._http)
        filters = query.model_dump(exclude_defaults=True)
        await self._store.write(lambda tx: audit(tx, who, "audit.export", "csv", filters, ip))
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="audit.csv"'}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(_lines([COLUMNS]))
        position, left = _start(query, math.inf, ""), MOST_CSV
        while left > 0:
            rows = await self._rows(query, position, min(STEP, left))
            if not rows:
                break
            await response.write(_lines([_cells(row) for row in rows]))
            position, left = (rows[-1]["at"], rows[-1]["id"]), left - len(rows)
        await response.write_eof()
        return response

    async def _rows(self, query: _Filters, position: tuple[float, str], count: int) -> Sequence[Row]:
        at, row_id = position
        return await self._store.rows(
            "audit.page", tenant=self._tenant, actor=query.actor, action=query.action, target=query.target,
            since=query.since, at=at, id=row_id, count=count,
        )  # fmt: skip


def _start(query: _Filters, at: float, row_id: str) -> tuple[float, str]:
    """Where to begin: a cursor's position, or the end of the time asked for."""
    return (query.until, "") if query.until is not None and query.until < at else (at, row_id)


def _cells(row: Row) -> list[str]:
    """A row for a spreadsheet: the time in words, and nothing that it would compute."""
    at = datetime.fromtimestamp(row["at"], UTC).isoformat(timespec="milliseconds")
    texts = [at, *(str(row[name] or "") for name in COLUMNS[1:])]
    return [f"'{text}" if text.startswith(FORMULA) else text for text in texts]


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    """Lines of a CSV file as RFC 4180 says."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
