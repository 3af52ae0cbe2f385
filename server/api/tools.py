"""Tools for staff: which there are, what they did, what waits for a yes, and what they left behind."""

from __future__ import annotations

import builtins
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from config.settings import Http
from server.api.shapes import ID, Page, answer, encode_cursor, load
from server.api.tools_shapes import (
    DeliveryLine,
    DeliveryPage,
    DeliveryQuery,
    LeadPage,
    LeadRow,
    OriginRow,
    RequestPage,
    RequestQuery,
    RequestRow,
    TicketPage,
    TicketQuery,
    TicketRow,
    ToolList,
    ToolRow,
    TrialBody,
    TrialResult,
)
from server.audit import audit
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Principal, Role, Route, client_ip, read_body, read_query
from server.store.contract import Row, Store, Tx
from server.tools.contract import Caller, Result, Tool, ToolError, ToolRefused, ToolTimeout
from server.tools.runner import SourceState

OUTCOMES_S = 30 * 86_400.0  # what the figures of a tool cover
TRIAL = "trial"  # the conversation of a tool that an admin tries: there is none


class Box(Protocol):
    """What this resource needs from :class:`server.tools.runner.ToolBox`."""

    def listed(self) -> builtins.list[tuple[str, Tool]]:
        """Every tool there is now with where it comes from, by name."""
        ...

    def sources(self) -> builtins.list[SourceState]:
        """Where tools of other systems come from, and whether they can be reached."""
        ...

    def tool(self, name: str) -> Tool:
        """One tool; raises ToolRefused for an unknown name."""
        ...

    def check(self, name: str, arguments_json: str) -> dict[str, Any]:
        """Arguments that fit the tool's schema; raises ToolRefused with the reason."""
        ...

    async def run(self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """One call within its limits; raises ToolError."""
        ...


Decide = Callable[[Principal, str, bool], Awaitable[None]]
"""Grants (or refuses) a request as somebody; raises LookupError for an unknown one, ToolRefused when it is too late."""


class ToolsApi:
    """Addresses ``/api/tools``; ``box`` and ``decide`` are None where this process has no tools."""

    def __init__(self, store: Store, tenant: str, http: Http, box: Box | None, decide: Decide | None) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http
        self._box = box
        self._decide = decide

    def routes(self) -> builtins.list[Route]:
        """The table of this resource."""
        request, ticket = f"/api/tools/requests/{ID}", f"/api/tools/tickets/{ID}"
        return [
            Route("GET", "/api/tools", self.list, Role.VIEWER, "Every tool and how its calls ended", answer=ToolList),
            Route(
                "POST", "/api/tools/{name:[a-z][a-z0-9_.-]{0,63}}/try", self.trial, Role.ADMIN,
                "Call a tool that only reads, as nobody in particular", "tool.try", body=TrialBody, answer=TrialResult,
            ),
            Route(
                "GET", "/api/tools/requests", self.requests, Role.VIEWER, "Calls that wait or waited for a yes",
                answer=RequestPage,
            ),
            Route("POST", f"{request}/approve", self.approve, Role.STAFF, "Let a waiting call happen", "tool.approve"),
            Route("POST", f"{request}/deny", self.deny, Role.STAFF, "Refuse a waiting call", "tool.deny"),
            Route("GET", "/api/tools/leads", self.leads, Role.STAFF, "People who want to be called", answer=LeadPage),
            Route("GET", "/api/tools/tickets", self.tickets, Role.VIEWER, "Tickets, newest first", answer=TicketPage),
            Route("POST", f"{ticket}/close", self.close_ticket, Role.STAFF, "Close a ticket", "ticket.close"),
            Route(
                "GET", "/api/tools/deliveries", self.deliveries, Role.ADMIN, "Webhook deliveries, newest first",
                answer=DeliveryPage,
            ),
            Route(
                "POST", f"/api/tools/deliveries/{ID}/replay", self.replay, Role.ADMIN, "Send a webhook again",
                "webhook.replay",
            ),
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """Tools by name, with the outcomes of their calls."""
        found = await self._store.rows("listing.tool_outcomes", tenant=self._tenant, since=time.time() - OUTCOMES_S)
        box = self._box
        if box is None:
            return answer(ToolList(tools=[], sources=[]))
        tools = [_tool(origin, tool, found) for origin, tool in box.listed()]
        sources = [
            OriginRow(name=one.name, kind=one.kind, reason=one.reason, tools=len(one.tools)) for one in box.sources()
        ]
        return answer(ToolList(tools=tools, sources=sources))

    async def trial(self, request: web.Request) -> web.Response:
        """Call a reading tool to see what it answers; one with effects, or for one customer only, is refused."""
        name, box = request.match_info["name"], self._box
        if box is None:
            raise Problem(409, "Tools are off", "Set tools.enabled, and tools.shop or tools.file, then restart.")
        try:
            policy = box.tool(name).policy
        except ToolRefused:
            raise Problem(404, "No such tool", "There is no tool of this name; GET /api/tools lists them.") from None
        if policy.effect != "read" or policy.personal:
            raise Problem(409, "Not for trials", "Only tools that read, and not for one customer, can be tried here.")
        body = await read_body(request, TrialBody)
        caller = Caller(self._tenant, TRIAL, "console", "default", request[PRINCIPAL].id)
        started = time.monotonic()
        try:
            arguments = box.check(name, json.dumps(body.arguments))
            result = await box.run(name, arguments, caller, f"{TRIAL}:{started}")
        except ToolError as error:
            raise _failed(error) from None
        took_ms = round(1000 * (time.monotonic() - started), 1)
        return answer(TrialResult(ok=result.ok, say=result.say, data=dict(result.data), took_ms=took_ms))

    async def requests(self, request: web.Request) -> web.Response:
        """One page of requests."""
        query = read_query(request, RequestQuery)
        seen = request[PRINCIPAL].sight.values()
        rows, more = await self._page(query, "listing.requests", kind=query.kind, state=query.state, **seen)
        shown = [
            RequestRow(**{**row, "arguments": load(row["arguments"]), "result": load(row["result"])}) for row in rows
        ]
        return answer(RequestPage(requests=shown, next=more))

    async def approve(self, request: web.Request) -> web.Response:
        """Grant a request; the call happens in the background, and the customer is told."""
        return await self._decided(request, granted=True)

    async def deny(self, request: web.Request) -> web.Response:
        """Refuse a request; the customer is told."""
        return await self._decided(request, granted=False)

    async def leads(self, request: web.Request) -> web.Response:
        """One page of leads."""
        rows, more = await self._page(read_query(request, Page), "listing.leads", **request[PRINCIPAL].sight.values())
        return answer(LeadPage(leads=[LeadRow(**row) for row in rows], next=more))

    async def tickets(self, request: web.Request) -> web.Response:
        """One page of tickets."""
        query = read_query(request, TicketQuery)
        seen = request[PRINCIPAL].sight.values()
        rows, more = await self._page(query, "listing.tickets", state=query.state, **seen)
        return answer(TicketPage(tickets=[TicketRow(**row) for row in rows], next=more))

    async def close_ticket(self, request: web.Request) -> web.Response:
        """Close one ticket; closing it twice is no mistake."""
        key = {"tenant": self._tenant, "id": request.match_info["id"]}
        if await self._store.row("listing.ticket", **key) is None:
            raise Problem(404, "No such ticket", "There is no ticket with this id; reload the list.")
        await self._changed(request, "ticket.close", lambda tx: tx.run("listing.close_ticket", **key, now=tx.now_s))
        return web.Response(status=204)

    async def deliveries(self, request: web.Request) -> web.Response:
        """One page of webhook deliveries."""
        query = read_query(request, DeliveryQuery)
        rows, more = await self._page(query, "listing.deliveries", state=query.state)
        return answer(DeliveryPage(deliveries=[DeliveryLine(**row) for row in rows], next=more))

    async def replay(self, request: web.Request) -> web.Response:
        """Send one delivery again from its first attempt, under the same id: a careful receiver takes it once."""
        key = {"tenant": self._tenant, "id": request.match_info["id"]}
        changed = await self._changed(
            request, "webhook.replay", lambda tx: tx.run("tools.replay_delivery", **key, now=tx.now_s)
        )
        if not changed:
            raise Problem(404, "Nothing to send", "There is no such delivery, or it still waits; reload the list.")
        return web.Response(status=204)

    async def _decided(self, request: web.Request, *, granted: bool) -> web.Response:
        if self._decide is None:
            raise Problem(409, "Tools are off", "Set tools.enabled, then restart; the request stays as it is.")
        try:
            await self._decide(request[PRINCIPAL], request.match_info["id"], granted)
        except LookupError:
            raise Problem(404, "No such request", "There is no request with this id; reload the list.") from None
        except ToolRefused as error:
            raise Problem(409, "Too late", str(error)) from None
        return web.Response(status=204)

    async def _page(self, page: Page, query: str, **by: str) -> tuple[Sequence[Row], str | None]:
        at, row_id = page.position
        rows = await self._store.rows(query, tenant=self._tenant, at=at, id=row_id, count=page.limit + 1, **by)
        shown = rows[: page.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > page.limit else None
        return shown, more

    async def _changed(self, request: web.Request, action: str, change: Callable[[Tx], Awaitable[int]]) -> int:
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)

        async def unit(tx: Tx) -> int:
            changed = await change(tx)
            if changed:
                await audit(tx, principal, action, request.match_info["id"], ip=ip)
            return changed

        request[AUDITED] = True
        return await self._store.write(unit)


def _tool(origin: str, tool: Tool, outcomes: Sequence[Row]) -> ToolRow:
    mine = [row for row in outcomes if row["tool"] == tool.spec.name]
    policy = tool.policy
    return ToolRow(
        name=tool.spec.name,
        description=tool.spec.description,
        origin=origin,
        effect=policy.effect,
        audience=policy.audience,
        personal=policy.personal,
        confirm=policy.confirm,
        approve=policy.approve,
        timeout_s=policy.timeout_s,
        per_hour=policy.per_hour,
        parameters=dict(tool.spec.parameters),
        outcomes={row["state"]: row["calls"] for row in mine},
        last_at=max((row["last_at"] for row in mine), default=None),
    )


def _failed(error: ToolError) -> Problem:
    """A trial's failure: ours to repair (422), or the other side's (504, 502)."""
    if isinstance(error, ToolRefused):
        return Problem(422, "Refused", str(error))
    return Problem(504 if isinstance(error, ToolTimeout) else 502, "The tool failed", str(error))
