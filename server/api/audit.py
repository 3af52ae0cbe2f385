"""The audit over HTTP: who did what, newest first."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from server.api.shapes import Answer, Page, answer, encode_cursor, load
from server.routes import Role, Route, read_query
from server.store.contract import Store


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

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [Route("GET", "/api/audit", self.list, Role.ADMIN, "Who did what, newest first", answer=AuditPage)]

    async def list(self, request: web.Request) -> web.Response:
        """One page of the audit."""
        page = read_query(request, Page)
        at, row_id = page.position
        rows = await self._store.rows("audit.page", tenant=self._tenant, at=at, id=row_id, count=page.limit + 1)
        shown = rows[: page.limit]
        more = encode_cursor(shown[-1]["at"], shown[-1]["id"]) if len(rows) > page.limit else None
        return answer(
            AuditPage(
                rows=[
                    AuditRow(**{**row, "detail": load(row["detail"]), "actor_name": row["actor_name"] or ""})
                    for row in shown
                ],
                next=more,
            )
        )
