"""Ready replies: kept by staff, filled in for one conversation."""

from __future__ import annotations

from aiohttp import web

from config.settings import Settings
from server.api.acting import Acts
from server.api.desk_shapes import CannedBody, CannedList, CannedQuery, CannedRow, Made
from server.api.shapes import ID, answer
from server.conversation import Refused
from server.desk.canned import NAMES, fill, values
from server.ids import new_id
from server.problems import Problem
from server.routes import PRINCIPAL, Role, Route, read_body, read_query
from server.store.contract import Store, Tx


class CannedApi:
    """Addresses ``/api/canned``."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._shop = settings.name
        self._acts = Acts(store, settings.http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/canned", self.list, Role.VIEWER, "Ready replies, filled in for a conversation",
                  answer=CannedList),
            Route("POST", "/api/canned", self.add, Role.STAFF, "Keep a ready reply", "canned.add", body=CannedBody,
                  answer=Made),
            Route("PUT", f"/api/canned/{ID}", self.change, Role.STAFF, "Change a ready reply", "canned.change",
                  body=CannedBody),
            Route("DELETE", f"/api/canned/{ID}", self.drop, Role.STAFF, "Remove a ready reply", "canned.remove"),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """Those whose short name begins so."""
        query, who = read_query(request, CannedQuery), request[PRINCIPAL]
        about = None
        if query.conversation:
            key = {"tenant": self._tenant, "id": query.conversation}
            about = await self._store.row("inbox_desk.about", **key, **who.sight.values())
        known = values(about, who.name, self._shop)
        prefix = f"{query.prefix}%" if query.prefix else ""  # an underscore matches more, which is sorted out below
        shown = []
        for row in await self._store.rows("inbox_desk.canned", tenant=self._tenant, prefix=prefix):
            filled, missing = fill(row["text"], known)
            names = ("id", "short", "text", "language", "updated_at")
            if row["short"].startswith(query.prefix):
                shown.append(CannedRow(**{name: row[name] for name in names}, filled=filled, missing=missing))
        return answer(CannedList(replies=shown, variables=[*NAMES]))

    async def add(self, request: web.Request) -> web.Response:
        """Keep one."""
        body, who = await read_body(request, CannedBody), request[PRINCIPAL].owner
        key = new_id()

        async def unit(tx: Tx) -> str:
            row = await tx.row(
                "inbox_desk.add_canned", id=key, tenant=self._tenant, short=body.short, text=body.text,
                language=body.language, person=who, now=tx.now_s,
            )  # fmt: skip
            if row is None:
                raise Refused("there is a ready reply of this name; change that one, or take another name")
            return key

        return answer(Made(id=await self._acts.do(request, unit, {"short": body.short})), status=201)

    async def change(self, request: web.Request) -> web.Response:
        """Better words."""
        body, key = await read_body(request, CannedBody), request.match_info["id"]
        return _done(
            await self._acts.do(
                request,
                lambda tx: tx.run(
                    "inbox_desk.change_canned", tenant=self._tenant, id=key, short=body.short, text=body.text,
                    language=body.language, now=tx.now_s,
                ),
            )
        )  # fmt: skip

    async def drop(self, request: web.Request) -> web.Response:
        """Not needed any more."""
        key = request.match_info["id"]
        return _done(
            await self._acts.do(request, lambda tx: tx.run("inbox_desk.drop_canned", tenant=self._tenant, id=key))
        )


def _done(changed: int) -> web.Response:
    if not changed:
        raise Problem(404, "No such reply", "There is no ready reply with this id; reload them.")
    return web.Response(status=204)
