"""Customers for staff: the list, one with everything known, merging, a copy of the data, and its end."""

from __future__ import annotations

from aiohttp import web

from config.settings import Http
from server.api.acting import Acts, missing, sentence
from server.api.customers_shapes import (
    AlikeRow,
    ContactRow,
    CustomerBody,
    CustomerDetail,
    CustomerPage,
    CustomerQuery,
    CustomerRow,
    CustomerTicket,
    EpisodeRow,
    EraseBody,
    ErasurePage,
    ErasureRow,
    IdentityRow,
    MergeBody,
    MergeRow,
    RevealBody,
    TalkRow,
    UnmergeBody,
)
from server.api.shapes import ID, Page, answer, encode_cursor, load
from server.audit import audit
from server.conversation import NotFound
from server.customers import masking
from server.customers.erasure import Erasures
from server.customers.export import Exporter, file_name
from server.customers.merging import merge, unmerge
from server.customers.records import Customers, Record
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.sight import Sight
from server.store.contract import Row, Store, Tx

PREVIEW_CHARACTERS = 160


class CustomersApi:
    """Addresses around ``/api/customers`` and ``/api/erasures``."""

    def __init__(
        self, store: Store, tenant: str, http: Http, customers: Customers, exporter: Exporter, erasures: Erasures
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http
        self._customers = customers
        self._exporter = exporter
        self._erasures = erasures
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/customers/{ID}"
        return [
            Route("GET", "/api/customers", self.list, Role.VIEWER, "Customers, who wrote last first",
                  answer=CustomerPage),
            Route("GET", one, self.read, Role.VIEWER, "One customer with addresses and history",
                  answer=CustomerDetail),
            Route("GET", f"/api/conversations/{ID}/customer", self.of_conversation, Role.VIEWER,
                  "The customer of a conversation", answer=CustomerDetail),
            Route("PUT", one, self.describe, Role.STAFF, "Name a customer and note attributes", "customer.describe",
                  body=CustomerBody),
            Route("POST", f"{one}/reveal", self.reveal, Role.STAFF, "Show one piece of contact data",
                  "customer.reveal", body=RevealBody),
            Route("POST", f"{one}/merge", self.merge, Role.STAFF, "Another customer is the same person",
                  "customer.merge", body=MergeBody),
            Route("POST", f"{one}/unmerge", self.unmerge, Role.STAFF, "They are two persons after all",
                  "customer.unmerge", body=UnmergeBody),
            Route("POST", f"{one}/export", self.export, Role.ADMIN, "A copy of all data as a zip", "customer.export"),
            Route("POST", f"{one}/erase", self.erase, Role.ADMIN, "Remove all data, for good", "customer.erase",
                  body=EraseBody, answer=ErasureRow),
            Route("GET", "/api/erasures", self.erasures, Role.ADMIN, "Erasures, the newest first",
                  answer=ErasurePage),
            Route("GET", f"/api/erasures/{ID}", self.erasure, Role.ADMIN, "How far an erasure is",
                  answer=ErasureRow),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of the list."""
        query = read_query(request, CustomerQuery)
        found = await self._customers.page(query.q, query.position, query.limit + 1, request[PRINCIPAL].sight)
        shown = found[: query.limit]
        more = encode_cursor(shown[-1].said_at, shown[-1].id) if len(found) > query.limit else None
        rows = [
            CustomerRow(**{name: getattr(line, name) for name in CustomerRow.model_fields if name != "channels"},
                        channels=[*line.channels])
            for line in shown
        ]  # fmt: skip
        return answer(CustomerPage(customers=rows, next=more))

    async def read(self, request: web.Request) -> web.Response:
        """One customer."""
        return await self._detail(request.match_info["id"], request[PRINCIPAL].sight)

    async def of_conversation(self, request: web.Request) -> web.Response:
        """The customer behind a conversation."""
        try:
            customer_id = await self._customers.of_conversation(request.match_info["id"])
        except NotFound as error:
            raise missing(error) from None
        return await self._detail(customer_id, request[PRINCIPAL].sight)

    async def describe(self, request: web.Request) -> web.Response:
        """Put name and attributes in place of the former ones."""
        body, key = await read_body(request, CustomerBody), request.match_info["id"]
        await self._acts.do(
            request, lambda tx: self._customers.describe(tx, key, body.name, body.attributes),
            {"attributes": sorted(body.attributes)}, order="~",
        )  # fmt: skip
        return web.Response(status=204)

    async def reveal(self, request: web.Request) -> web.Response:
        """One value in clear; the audit names the field, not the value."""
        body, key, sight = await read_body(request, RevealBody), request.match_info["id"], request[PRINCIPAL].sight
        shown = await self._acts.do(
            request, lambda tx: self._customers.reveal(tx, key, body.field, sight), {"field": body.field}, order="~"
        )
        return web.json_response({"field": body.field, "text": shown}, headers={"Cache-Control": "no-store"})

    async def merge(self, request: web.Request) -> web.Response:
        """Take over somebody's addresses; only of inboxes that the caller sees."""
        body, key, who = await read_body(request, MergeBody), request.match_info["id"], request[PRINCIPAL].owner
        if (sight := request[PRINCIPAL].sight).scope:
            try:
                hidden = not (await self._customers.read(body.other, sight)).conversations
            except NotFound as error:
                raise missing(error) from None
            if hidden:
                raise missing(NotFound("there is no such customer, or another team has them; reload the list"))
        made = await self._acts.do(
            request, lambda tx: merge(tx, self._tenant, key, body.other, who), {"other": body.other}, order="~"
        )
        return web.json_response({"merge": made})

    async def unmerge(self, request: web.Request) -> web.Response:
        """Give them back."""
        body, key, who = await read_body(request, UnmergeBody), request.match_info["id"], request[PRINCIPAL].owner

        async def unit(tx: Tx) -> str:
            kept, alone = await unmerge(tx, self._tenant, body.merge, who)
            if kept != key:
                raise NotFound("there is no such merge of this customer; reload the customer")
            return alone

        alone = await self._acts.do(request, unit, {"merge": body.merge}, order="~")
        return web.json_response({"customer": alone})

    async def export(self, request: web.Request) -> web.StreamResponse:
        """The archive, sent while it is made; the audit row stands before the first byte leaves."""
        key, who = request.match_info["id"], request[PRINCIPAL]
        try:
            pieces = await self._exporter.open(key)
        except NotFound as error:
            raise missing(error) from None
        request[AUDITED] = True
        ip = client_ip(request, self._http)
        await self._store.write(lambda tx: audit(tx, who, "customer.export", key, {}, ip))
        response = web.StreamResponse(
            headers={
                "Content-Type": "application/zip",
                "Content-Disposition": f'attachment; filename="{file_name(key)}"',
                "Cache-Control": "no-store",
            }
        )
        await response.prepare(request)
        async for piece in pieces:
            await response.write(piece)
        await response.write_eof()
        return response

    async def erase(self, request: web.Request) -> web.Response:
        """Begin to erase; asked again while it runs, the same erasure is answered."""
        body, key, who = await read_body(request, EraseBody), request.match_info["id"], request[PRINCIPAL]
        row = await self._store.row("customers.read", tenant=self._tenant, id=key)
        wanted = " ".join(str(row["name"]).split()) if row is not None else ""
        if row is not None and " ".join(body.confirm.split()).casefold() not in {key.casefold(), wanted.casefold()}:
            raise Problem(422, "Not confirmed", "Type the customer's name, or the id, exactly as it is shown.")
        erasure_id = await self._acts.do(
            request, lambda tx: self._erasures.ask(tx, key, "person", who.owner), order="~"
        )
        return answer(_erasure(await self._erasures.read(erasure_id)), status=202)

    async def erasures(self, request: web.Request) -> web.Response:
        """One page of erasures."""
        page = read_query(request, Page)
        rows = await self._erasures.page(page.position, page.limit + 1)
        shown = rows[: page.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > page.limit else None
        return answer(ErasurePage(erasures=[_erasure(row) for row in shown], next=more))

    async def erasure(self, request: web.Request) -> web.Response:
        """One erasure with its report."""
        try:
            return answer(_erasure(await self._erasures.read(request.match_info["id"])))
        except NotFound as error:
            raise missing(error) from None

    async def _detail(self, customer_id: str, sight: Sight) -> web.Response:
        try:
            return answer(detail(await self._customers.read(customer_id, sight)))
        except NotFound as error:
            raise Problem(404, "No such customer", sentence(error)) from None


def detail(record: Record) -> CustomerDetail:
    """A customer as staff see one."""
    row = record.customer
    return CustomerDetail(
        id=row["id"],
        name=row["name"],
        created_at=row["created_at"],
        banned_at=row["banned_at"],
        attributes=dict(record.attributes),
        identities=[_identity(each) for each in record.identities],
        contacts=[
            ContactRow(name=lead["name"], text=masking.masked(str(lead["contact"])), field=f"{lead['id']}/contact")
            for lead in record.leads
        ],
        conversations=[
            TalkRow(**_picked(TalkRow, talk), preview=str(talk["last_text"] or "")[:PREVIEW_CHARACTERS])
            for talk in record.conversations
        ],
        cases=[EpisodeRow(**_picked(EpisodeRow, each)) for each in record.cases],
        tickets=[CustomerTicket(**_picked(CustomerTicket, each)) for each in record.tickets],
        merges=[
            MergeRow(
                id=each["id"], merged_id=each["merged_id"], name=each["name"] or "", basis=each["basis"],
                merged_at=each["merged_at"], by_name=each["by_name"] or "",
            )
            for each in record.merges
        ],
        alike=[AlikeRow(id=each.id, name=each.name, basis=each.basis) for each in record.alike],
    )  # fmt: skip


def _identity(row: Row) -> IdentityRow:
    return IdentityRow(
        id=row["id"],
        channel=row["channel"],
        account=row["account"],
        proof="site" if masking.proven(row) else "platform" if row["verified"] else "none",
        created_at=row["created_at"],
        values=[ContactRow(name=one.name, text=one.text, field=one.field) for one in masking.values_of(row)],
    )


def _picked(shape: type[TalkRow | EpisodeRow | CustomerTicket], row: Row) -> dict[str, object]:
    return {name: row[name] for name in shape.model_fields if name in row}


def _erasure(row: Row) -> ErasureRow:
    kept = {name: row[name] for name in ErasureRow.model_fields if name != "report"}
    return ErasureRow(**kept, report=load(row["report"]))
