"""Tickets for staff: the list, one, and what is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from config.settings import Http
from server.api.acting import Acts
from server.api.duty_shapes import Ticket, TicketBody, TicketChange, TicketList, TicketQuery
from server.api.shapes import ID, answer, encode_cursor
from server.conversation import NotFound
from server.duty.tickets import Tickets
from server.problems import Problem
from server.routes import PRINCIPAL, Role, Route, read_body, read_query
from server.store.contract import Store, Tx

KEY_CHARACTERS = 200


class TicketsApi:
    """Addresses ``/api/tickets``."""

    def __init__(self, store: Store, tenant: str, http: Http, tickets: Tickets) -> None:
        self._store = store
        self._tenant = tenant
        self._tickets = tickets
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/tickets/{ID}"
        return [
            Route("GET", "/api/tickets", self.page, Role.VIEWER, "Tickets by filters, the newest first",
                  answer=TicketList),
            Route("POST", "/api/tickets", self.open, Role.STAFF, "Open a ticket for a conversation", "ticket.open",
                  body=TicketBody, answer=Ticket),
            Route("GET", one, self.read, Role.VIEWER, "One ticket", answer=Ticket),
            Route("PATCH", one, self.edit, Role.STAFF, "Change a ticket", "ticket.change", body=TicketChange,
                  answer=Ticket),
            Route("POST", f"{one}/close", self.close, Role.STAFF, "Done with it", "ticket.close", answer=Ticket),
            Route("POST", f"{one}/reopen", self.reopen, Role.STAFF, "Not done after all", "ticket.reopen",
                  answer=Ticket),
        ]  # fmt: skip

    async def page(self, request: web.Request) -> web.Response:
        """One page of tickets."""
        query = read_query(request, TicketQuery)
        (at, row_id), who = query.position, request[PRINCIPAL]
        rows = await self._store.rows(
            "tickets.page", tenant=self._tenant, state=query.state, priority=query.priority, category=query.category,
            assignee=query.assignee, conversation=query.conversation, at=at, id=row_id, count=query.limit + 1,
            **who.sight.values(),
        )  # fmt: skip
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > query.limit else None
        return answer(TicketList(items=[Ticket(**row) for row in shown], next=more))

    async def read(self, request: web.Request) -> web.Response:
        """One ticket."""
        return answer(await self._one(request.match_info["id"]))

    async def open(self, request: web.Request) -> web.Response:
        """A new one; an ``Idempotency-Key`` sent again opens none."""
        body, key = await read_body(request, TicketBody), request.headers.get("Idempotency-Key", "")
        if len(key) > KEY_CHARACTERS:
            raise Problem(422, "Invalid input", f"An Idempotency-Key has at most {KEY_CHARACTERS} characters.")
        who, place = request[PRINCIPAL], {"tenant": self._tenant, "id": body.conversation_id}

        async def unit(tx: Tx) -> str:
            if await tx.row("teams.sees", **place, **who.sight.values()) is None:
                raise NotFound("there is no such conversation, or it belongs to another team; reload the list")
            once = f"{who.owner}:{key}" if key else ""
            return await self._tickets.open(tx, body.conversation_id, body.model_dump(), once)

        made = await self._acts.do(
            request,
            unit,
            {"conversation": body.conversation_id, "priority": body.priority},
            order=body.conversation_id,
        )
        return answer(await self._one(made), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """Other values; an empty ``assignee`` takes it from everybody."""
        body, ticket_id = await read_body(request, TicketChange), request.match_info["id"]
        changes: Mapping[str, Any] = body.model_dump(exclude_unset=True)
        changes = {name: value or None if name == "assignee" else value for name, value in changes.items()}
        changes = {name: value for name, value in changes.items() if value is not None or name == "assignee"}
        detail = {name: value for name, value in changes.items() if name != "summary"}
        await self._acts.do(request, lambda tx: self._tickets.edit(tx, ticket_id, changes), detail, order="~tickets")
        return answer(await self._one(ticket_id))

    async def close(self, request: web.Request) -> web.Response:
        """Close it."""
        ticket_id, who = request.match_info["id"], request[PRINCIPAL].owner
        await self._acts.do(request, lambda tx: self._tickets.close(tx, ticket_id, who), order="~tickets")
        return answer(await self._one(ticket_id))

    async def reopen(self, request: web.Request) -> web.Response:
        """Open it again."""
        ticket_id = request.match_info["id"]
        await self._acts.do(request, lambda tx: self._tickets.reopen(tx, ticket_id), order="~tickets")
        return answer(await self._one(ticket_id))

    async def _one(self, ticket_id: str) -> Ticket:
        row = await self._store.row("tickets.one", tenant=self._tenant, id=ticket_id)
        if row is None:
            raise Problem(404, "No such ticket", "There is no ticket with this id; reload the list.")
        return Ticket(**row)
