"""The staff's list: views with counts, filters, search, saved filters, and read marks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from config.settings import Http
from server.api.acting import Acts, unknown
from server.api.desk_shapes import (
    ChannelCount,
    FoundMessage,
    FoundPage,
    InboxLine,
    InboxPage,
    InboxQuery,
    Made,
    PriorityBody,
    SavedView,
    SearchQuery,
    SeenBody,
    ViewBody,
    ViewList,
)
from server.api.shapes import ID, answer, encode_cursor, load
from server.desk.search import Search
from server.desk.views import VIEWS, Filter, Views, mark_seen, save_view, set_priority
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, read_body, read_query
from server.store.contract import Row, Store

PREVIEW_CHARACTERS: Final = 160
CUT: Final = 400  # characters of a found message


class InboxApi:
    """Addresses ``/api/inbox``, ``/api/views`` and ``/api/search``."""

    def __init__(self, store: Store, tenant: str, http: Http, views: Views, search: Search) -> None:
        self._store = store
        self._tenant = tenant
        self._views = views
        self._search = search
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/conversations/{ID}"
        return [
            Route("GET", "/api/inbox", self.page, Role.VIEWER, "Conversations by view and filters", answer=InboxPage),
            Route("GET", "/api/views", self.views, Role.VIEWER, "Counts of each view, and saved ones", answer=ViewList),
            Route("POST", "/api/views", self.save, Role.VIEWER, "Keep filters under a name", "view.save",
                  body=ViewBody, answer=Made),
            Route("PUT", f"/api/views/{ID}", self.change, Role.VIEWER, "Change one's own saved view", "view.change",
                  body=ViewBody),
            Route("DELETE", f"/api/views/{ID}", self.drop, Role.VIEWER, "Remove a saved view", "view.remove"),
            Route("GET", "/api/search", self.search, Role.VIEWER, "Messages by their words", answer=FoundPage),
            Route("POST", f"{one}/seen", self.seen, Role.VIEWER, "Remember how far one has read",
                  "conversation.seen", body=SeenBody),
            Route("PUT", f"{one}/priority", self.priority, Role.STAFF, "Say how urgent it is",
                  "conversation.priority", body=PriorityBody),
        ]  # fmt: skip

    async def page(self, request: web.Request) -> web.Response:
        """One page of lines."""
        query = read_query(request, InboxQuery)
        at, row_id = query.position
        wanted = Filter(
            query.view, query.q, query.channel, query.account, query.owner, query.label, query.priority, query.sort,
            tuple(one for one in query.ids.split(",") if one), query.team,
        )  # fmt: skip
        who = request[PRINCIPAL]
        rows = await self._views.page(who.owner, wanted, at, row_id, query.limit + 1, who.scope)
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["place"], shown[-1]["id"]) if len(rows) > query.limit else None
        return answer(InboxPage(conversations=[_line(row) for row in shown], next=more))

    async def views(self, request: web.Request) -> web.Response:
        """Everything the first column shows."""
        person, scope = request[PRINCIPAL].owner, request[PRINCIPAL].scope
        counts = await self._views.counts(person, scope)
        saved = await self._views.saved(person)
        return answer(
            ViewList(
                views={name: counts[name] for name in VIEWS},
                oldest=counts["oldest"],
                channels=[
                    ChannelCount(channel=row["channel"], account=row["account"], open=row["n"])
                    for row in await self._views.by_channel(person, scope)
                ],
                labels=dict(await self._views.by_label(person, scope)),
                saved=[_saved(row, person) for row in saved],
            )
        )

    async def save(self, request: web.Request) -> web.Response:
        """Keep filters."""
        body, person = await _filters(request), request[PRINCIPAL].owner
        query = {str(name): value for name, value in body.query.items()}
        made = await self._acts.do(
            request,
            lambda tx: save_view(tx, self._tenant, person, body.name, query, shared=body.shared),
        )
        return answer(Made(id=made), status=201)

    async def change(self, request: web.Request) -> web.Response:
        """Other filters, another name, or shared."""
        body, person = await _filters(request), request[PRINCIPAL].owner
        changed = await self._acts.do(
            request,
            lambda tx: tx.run(
                "inbox_views.change", tenant=self._tenant, id=request.match_info["id"], person=person, name=body.name,
                query=json.dumps(body.query), shared=int(body.shared),
            ),
        )  # fmt: skip
        return _done(changed)

    async def drop(self, request: web.Request) -> web.Response:
        """Remove one's own; an admin may remove a shared one."""
        who = request[PRINCIPAL]
        dropped = await self._acts.do(
            request,
            lambda tx: tx.run(
                "inbox_views.drop", tenant=self._tenant, id=request.match_info["id"], person=who.owner,
                admin=int(who.role is Role.ADMIN),
            ),
        )  # fmt: skip
        return _done(dropped)

    async def search(self, request: web.Request) -> web.Response:
        """One page of messages."""
        query = read_query(request, SearchQuery)
        at, row_id = query.position
        who = request[PRINCIPAL]
        rows = await self._search.find(query.q, min(at, 1e15), row_id, query.limit + 1, who.owner, who.scope)
        shown = [FoundMessage(**{**row, "text": row["text"][:CUT]}) for row in rows[: query.limit]]
        more = encode_cursor(shown[-1].created_at, shown[-1].id) if len(rows) > query.limit else None
        return answer(FoundPage(messages=shown, next=more))

    async def seen(self, request: web.Request) -> web.Response:
        """Move one's own read mark; of no interest to the audit."""
        request[AUDITED] = True
        body, key = await read_body(request, SeenBody), request.match_info["id"]
        if await self._store.row("inbox.one", tenant=self._tenant, id=key) is None:
            raise unknown()
        person = request[PRINCIPAL].owner
        await self._store.write(lambda tx: mark_seen(tx, self._tenant, key, person, body.seq), order=key)
        return web.Response(status=204)

    async def priority(self, request: web.Request) -> web.Response:
        """Set it, and tell everybody."""
        body, key = await read_body(request, PriorityBody), request.match_info["id"]
        await self._acts.do(
            request, lambda tx: set_priority(tx, self._tenant, key, body.priority), {"priority": body.priority}
        )
        return web.Response(status=204)


async def _filters(request: web.Request) -> ViewBody:
    """Filters to keep; raises 403 for a viewer who wants to show them to everybody."""
    body = await read_body(request, ViewBody)
    if body.shared and not request[PRINCIPAL].role.covers(Role.STAFF):
        raise Problem(403, "Not allowed", "Only staff share views; keep it for yourself.")
    return body


def _done(changed: int) -> web.Response:
    if not changed:
        raise Problem(404, "No such view", "There is no view of yours with this id; reload the views.")
    return web.Response(status=204)


def _saved(row: Row, person: str) -> SavedView:
    return SavedView(
        id=row["id"],
        name=row["name"],
        query=load(row["query"]),
        shared=bool(row["shared"]),
        mine=row["person_id"] == person,
    )


def _line(row: Mapping[str, Any]) -> InboxLine:
    kept = {name: row[name] for name in InboxLine.model_fields if name in row}
    return InboxLine(
        **kept
        | {
            "snoozed": bool(row["snoozed"]),
            "unread": bool(row["unread"]),
            "preview": (row["last_text"] or "")[:PREVIEW_CHARACTERS],
            "preview_role": row["last_role"] or "",
            "preview_at": row["last_at"],
        }
    )
