"""Labels of the shop, and which of them a conversation carries."""

from __future__ import annotations

from aiohttp import web

from config.settings import Http
from server.api.acting import Acts
from server.api.desk_shapes import CarryBody, LabelBody, LabelList, LabelRow, Made
from server.api.shapes import ID, answer
from server.desk import labels
from server.desk.views import Views
from server.problems import Problem
from server.routes import PRINCIPAL, Role, Route, read_body
from server.store.contract import Store


class LabelsApi:
    """Addresses ``/api/labels`` and ``/api/conversations/{id}/labels``."""

    def __init__(self, store: Store, tenant: str, http: Http, views: Views) -> None:
        self._store = store
        self._tenant = tenant
        self._views = views
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/labels", self.list, Role.VIEWER, "Labels by name", answer=LabelList),
            Route("POST", "/api/labels", self.add, Role.STAFF, "Make a label", "label.add", body=LabelBody,
                  answer=Made),
            Route("PUT", f"/api/labels/{ID}", self.change, Role.STAFF, "Rename or recolour a label", "label.change",
                  body=LabelBody),
            Route("DELETE", f"/api/labels/{ID}", self.drop, Role.STAFF, "Remove a label", "label.remove"),
            Route("POST", f"/api/labels/{ID}/restore", self.restore, Role.STAFF, "Bring a removed label back",
                  "label.restore"),
            Route("PUT", f"/api/conversations/{ID}/labels", self.carry, Role.STAFF,
                  "Say which labels a conversation carries", "conversation.labels", body=CarryBody),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """All labels with how much is open under them."""
        who = request[PRINCIPAL]
        counts = await self._views.by_label(who.owner, who.scope)
        rows = await self._store.rows("inbox_desk.labels", tenant=self._tenant)
        names = ("id", "name", "colour")
        return answer(
            LabelList(
                labels=[LabelRow(**{name: row[name] for name in names}, open=counts.get(row["id"], 0)) for row in rows]
            )
        )

    async def add(self, request: web.Request) -> web.Response:
        """Make one."""
        body = await read_body(request, LabelBody)
        made = await self._acts.do(request, lambda tx: labels.add(tx, self._tenant, body.name, body.colour))
        return answer(Made(id=made), status=201)

    async def change(self, request: web.Request) -> web.Response:
        """Another name or colour."""
        body, key = await read_body(request, LabelBody), request.match_info["id"]
        return _done(
            await self._acts.do(
                request,
                lambda tx: tx.run(
                    "inbox_desk.change_label", tenant=self._tenant, id=key, name=body.name, colour=body.colour
                ),
            )
        )

    async def drop(self, request: web.Request) -> web.Response:
        """Out of sight; it can be brought back with everything that carries it."""
        key = request.match_info["id"]
        return _done(
            await self._acts.do(
                request, lambda tx: tx.run("inbox_desk.drop_label", tenant=self._tenant, id=key, now=tx.now_s)
            )
        )

    async def restore(self, request: web.Request) -> web.Response:
        """The undo of removing."""
        key = request.match_info["id"]
        return _done(
            await self._acts.do(request, lambda tx: tx.run("inbox_desk.restore_label", tenant=self._tenant, id=key))
        )

    async def carry(self, request: web.Request) -> web.Response:
        """Exactly these."""
        body, key = await read_body(request, CarryBody), request.match_info["id"]
        await self._acts.do(
            request, lambda tx: labels.carry(tx, self._tenant, key, body.labels), {"labels": body.labels}
        )
        return web.Response(status=204)


def _done(changed: int) -> web.Response:
    if not changed:
        raise Problem(404, "No such label", "There is no label with this id; reload the labels.")
    return web.Response(status=204)
