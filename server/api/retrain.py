"""Retrains: start, watch, stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from config.settings import Settings
from server.api.retrain_shapes import (
    RetrainLine,
    RetrainPage,
    RetrainStarted,
    RetrainStopped,
    RetrainWhole,
    StartBody,
)
from server.api.shapes import ID, Page, answer, encode_cursor, load
from server.audit import audit
from server.conversation import NotFound, Refused
from server.problems import Problem
from server.retrain.contract import STAGES
from server.retrain.folder import Folder, read_json
from server.retrain.runs import Runs
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.store.contract import Row, Store, Tx

CURVE_POINTS = 2_000
CAUSES = {"person": "person", "api_key": "api", "cli": "cli"}  # by what kind of caller it is


class RetrainApi:
    """Addresses ``/api/retrains``."""

    def __init__(self, store: Store, settings: Settings, runs: Runs) -> None:
        self._store = store
        self._enabled = settings.training.enabled
        self._http = settings.http
        self._runs = runs

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/retrains/{ID}"
        return [
            Route("GET", "/api/retrains", self.list, Role.VIEWER, "Retrains, newest first", answer=RetrainPage),
            Route("POST", "/api/retrains", self.start, Role.ADMIN, "Train on what is approved", "retrain.start",
                  body=StartBody, answer=RetrainStarted),
            Route("GET", one, self.one, Role.VIEWER, "One retrain with progress and report", answer=RetrainWhole),
            Route("POST", f"{one}/stop", self.stop, Role.ADMIN, "Stop a retrain", "retrain.stop",
                  answer=RetrainStopped),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of retrains."""
        query = read_query(request, Page)
        rows = await self._runs.page(query.position, query.limit + 1)
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > query.limit else None
        return answer(RetrainPage(retrains=[_line(row) for row in shown], next=more))

    async def start(self, request: web.Request) -> web.Response:
        """Queue a retrain; a worker begins within a second. 409 while another one is open."""
        if not self._enabled:
            raise Problem(409, "Training is off", "Set training.enabled, then restart the server.")
        body = await read_body(request, StartBody)
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        cause = CAUSES.get(principal.kind, "api")

        async def unit(tx: Tx) -> str:
            run = await self._runs.put(
                tx, cause, principal.owner, note=body.note, recipe=body.recipe, forced=body.force
            )
            await audit(tx, principal, "retrain.start", run, {"force": body.force}, ip)
            return run

        request[AUDITED] = True
        try:
            run = await self._store.write(unit)
        except Refused as refused:
            raise Problem(409, "Not possible now", str(refused)) from None
        return answer(RetrainStarted(id=run), status=202)

    async def one(self, request: web.Request) -> web.Response:
        """Everything about one retrain; what lies in its folder is there only on the worker's own disk."""
        try:
            row = await self._runs.get(request.match_info["id"])
        except NotFound as error:
            raise Problem(404, "No such retrain", str(error)) from None
        folder = Folder(Path(row["folder"]))
        curve, report = await asyncio.to_thread(lambda: (folder.curve(CURVE_POINTS), read_json(folder.report)))
        return answer(
            RetrainWhole(
                retrain=_line(row),
                stages=list(STAGES),
                recipe=load(row["recipe"]),
                curve=curve,
                advice=load(row["advice"]),
                report=report,
            )
        )

    async def stop(self, request: web.Request) -> web.Response:
        """Stop an open retrain; what is trained so far stays in its folder. 409 when it is over."""
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        run = request.match_info["id"]

        async def unit(tx: Tx) -> str:
            state = await self._runs.stop(tx, run, principal.owner)
            await audit(tx, principal, "retrain.stop", run, {"state": state}, ip)
            return state

        request[AUDITED] = True
        try:
            state = await self._store.write(unit)
        except NotFound as error:
            raise Problem(404, "No such retrain", str(error)) from None
        except Refused as refused:
            raise Problem(409, "Over already", str(refused)) from None
        return answer(RetrainStopped(id=run, state=state), status=202)


def _line(row: Row) -> RetrainLine:
    values = {name: row[name] for name in RetrainLine.model_fields if name != "progress"}
    return RetrainLine(**values, progress=load(row["progress"]))
