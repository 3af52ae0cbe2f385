"""Releases for admins: what is live, on trial or waiting, and how that is changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from aiohttp import web

from config.settings import Settings
from server.api.releases_shapes import (
    CanaryBody,
    CanaryNow,
    CandidateBody,
    ChangeQuery,
    ChangeRow,
    LineageAnswer,
    LiveNow,
    Made,
    PromoteBody,
    ReleaseDetail,
    ReleasePage,
    ReleaseQuery,
    ReleaseRow,
    ReplicaRow,
    RollBackBody,
    ShareBody,
    Timeline,
    TrialRow,
)
from server.api.shapes import ID, answer, encode_cursor, load
from server.problems import Problem
from server.releases.bundle import adapters_of
from server.releases.lineage import lineage
from server.releases.moves import ReleaseRefused
from server.releases.registry import Releases
from server.releases.served import AdapterUnavailable
from server.releases.watch import Watch
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.store.contract import Row, Store

TRIALS = 20  # earlier canaries shown


class ReleasesApi:
    """Addresses ``/api/releases``."""

    def __init__(self, store: Store, settings: Settings, releases: Releases, watch: Watch) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._http = settings.http
        self._releases = releases
        self._watch = watch

    def routes(self) -> list[Route]:
        """The table of this resource; fixed words stand before ids."""
        top, admin = "/api/releases", Role.ADMIN
        return [
            Route("GET", top, self.list, Role.VIEWER, "Releases and their states", answer=ReleasePage),
            Route("GET", f"{top}/changes", self.changes, Role.VIEWER, "What happened to releases", answer=Timeline),
            Route("GET", f"{top}/canary", self.canary, Role.VIEWER, "How the canary does", answer=CanaryNow),
            Route(
                "PATCH", f"{top}/canary", self.share, admin, "Change the canary's share", "release.canary_share",
                body=ShareBody, answer=LiveNow,
            ),
            Route(
                "POST", f"{top}/canary/stop", self.stop, admin, "End the canary without a verdict",
                "release.canary_stopped", body=PromoteBody, answer=LiveNow,
            ),
            Route(
                "POST", f"{top}/candidates", self.candidate, admin, "Make a release of the live one and an adapter",
                "release.candidate", body=CandidateBody, answer=Made,
            ),
            Route(
                "POST", f"{top}/rollback", self.roll_back, admin, "Take back the canary or the live release",
                "release.rolled_back", body=RollBackBody, answer=LiveNow,
            ),
            Route(
                "GET", f"{top}/lineage/{ID}", self.lineage, Role.STAFF, "Where an answer came from",
                answer=LineageAnswer,
            ),
            Route("GET", f"{top}/{ID}", self.one, Role.VIEWER, "One release with its report", answer=ReleaseDetail),
            Route(
                "POST", f"{top}/{ID}/canary", self.start, admin, "Try a release on some new cases",
                "release.canary_started", body=CanaryBody, answer=LiveNow,
            ),
            Route(
                "POST", f"{top}/{ID}/promote", self.promote, admin, "Make a release live", "release.promoted",
                body=PromoteBody, answer=LiveNow,
            ),
        ]  # fmt: skip

    async def list(self, request: web.Request) -> web.Response:
        """One page of releases."""
        query = read_query(request, ReleaseQuery)
        await self._releases.refresh()
        at, row_id = query.position
        rows = await self._store.rows(
            "releases.cards", tenant=self._tenant, state=query.state, at=at, id=row_id, count=query.limit + 1
        )
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["release_id"]) if len(rows) > query.limit else None
        now = self._now()
        page = ReleasePage(live=now.live, canary=now.canary, releases=[_row(row) for row in shown], next=more)
        return answer(page)

    async def one(self, request: web.Request) -> web.Response:
        """One release, its bundle and the gate's report."""
        release_id = request.match_info["id"]
        row = await self._store.row("releases.card", tenant=self._tenant, release_id=release_id)
        if row is None:
            raise _missing(release_id)
        detail = ReleaseDetail(release=_row(row), body=json.loads(row["body"]), report=load(row["report"]))
        return answer(detail)

    async def changes(self, request: web.Request) -> web.Response:
        """One page of the timeline."""
        query = read_query(request, ChangeQuery)
        at, row_id = query.position
        rows = await self._store.rows(
            "releases.changes", tenant=self._tenant, release_id=query.release, at=at, id=row_id, count=query.limit + 1
        )
        shown = rows[: query.limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > query.limit else None
        return answer(Timeline(changes=[_change(row) for row in shown], next=more))

    async def canary(self, _request: web.Request) -> web.Response:
        """How the running canary does, what became of earlier ones, and what model servers hold."""
        await self._releases.refresh()
        rows = await self._store.rows("releases.canaries", tenant=self._tenant, count=TRIALS)
        trials = [TrialRow(**_trial(row)) for row in rows]
        replicas = [
            ReplicaRow(name=each.name, served=sorted(each.served), failed=dict(each.failed), seen_at=each.seen_at)
            for each in await self._releases.served.replicas()
        ]
        return answer(CanaryNow(figures=await self._figures(), trials=trials, replicas=replicas))

    async def candidate(self, request: web.Request) -> web.Response:
        """A release of the live one with an adapter of the registry; the same again is the same release."""
        body = await read_body(request, CandidateBody)
        async with _told(request):
            made = await self._releases.candidate(body.adapter, by=request[PRINCIPAL], languages=tuple(body.languages))
        return answer(Made(id=made), 201)

    async def start(self, request: web.Request) -> web.Response:
        """Try a release on a share of new cases."""
        body = await read_body(request, CanaryBody)
        async with _told(request):
            await self._releases.start_canary(
                request.match_info["id"], by=request[PRINCIPAL], share=body.share, cap=body.cap, reason=body.reason,
                ip=client_ip(request, self._http),
            )  # fmt: skip
        return answer(self._now())

    async def share(self, request: web.Request) -> web.Response:
        """Give the running canary more or fewer new cases."""
        body = await read_body(request, ShareBody)
        async with _told(request):
            await self._releases.change_share(
                body.share, by=request[PRINCIPAL], cap=body.cap, reason=body.reason, ip=client_ip(request, self._http)
            )
        return answer(self._now())

    async def stop(self, request: web.Request) -> web.Response:
        """End the running canary without a verdict."""
        body = await read_body(request, PromoteBody)
        async with _told(request):
            await self._releases.stop_canary(
                by=request[PRINCIPAL], reason=body.reason, figures=await self._figures(),
                ip=client_ip(request, self._http),
            )  # fmt: skip
        return answer(self._now())

    async def promote(self, request: web.Request) -> web.Response:
        """Make a release live; doing it twice is no mistake."""
        body = await read_body(request, PromoteBody)
        async with _told(request):
            await self._releases.promote(
                request.match_info["id"], by=request[PRINCIPAL], reason=body.reason, figures=await self._figures(),
                ip=client_ip(request, self._http),
            )  # fmt: skip
        return answer(self._now())

    async def roll_back(self, request: web.Request) -> web.Response:
        """Take back the canary or the live release, at once."""
        body = await read_body(request, RollBackBody)
        async with _told(request):
            await self._releases.roll_back(
                by=request[PRINCIPAL], reason=body.reason, side=body.side, figures=await self._figures(),
                ip=client_ip(request, self._http),
            )  # fmt: skip
        return answer(self._now())

    async def lineage(self, request: web.Request) -> web.Response:
        """Where an answer came from, down to the messages that trained its adapter."""
        try:
            found = await lineage(self._store, self._tenant, request.match_info["id"], request[PRINCIPAL].sight)
        except LookupError as error:
            raise Problem(404, "No such message", str(error)) from None
        return answer(LineageAnswer(**{**asdict(found), "sources": [dict(source) for source in found.sources]}))

    def _now(self) -> LiveNow:
        trial = self._releases.canary
        return LiveNow(live=self._releases.live, canary=trial.release_id if trial else None)

    async def _figures(self) -> dict[str, Any] | None:
        trial = self._releases.canary
        return (await self._watch.compare(trial)).figures() if trial is not None else None


@asynccontextmanager
async def _told(request: web.Request) -> AsyncIterator[None]:
    """Refusals as problems; the change itself writes its audit row."""
    try:
        yield
    except ReleaseRefused as error:
        raise Problem(409, "Refused", str(error)) from None
    except AdapterUnavailable as error:
        raise Problem(503, "Adapter unavailable", str(error), headers={"Retry-After": "30"}) from None
    except LookupError as error:
        raise Problem(404, "No such release", str(error)) from None
    request[AUDITED] = True


def _missing(release_id: str) -> Problem:
    return Problem(404, "No such release", f"There is no release {release_id}; reload the list.")


def _row(row: Row) -> ReleaseRow:
    body = json.loads(row["body"])
    return ReleaseRow(
        id=row["release_id"],
        state=row["state"],
        verdict=row["verdict"],
        model=body["model"],
        adapters=adapters_of(body),
        run_id=row["run_id"],
        dataset_id=row["dataset_id"],
        parent_id=row["parent_id"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        changed_at=row["changed_at"],
    )


def _change(row: Row) -> ChangeRow:
    fields = {name: row[name] for name in ChangeRow.model_fields if name not in {"at", "detail"}}
    return ChangeRow(at=row["created_at"], detail=load(row["detail"]), **fields)


def _trial(row: Row) -> Mapping[str, Any]:
    return {name: row[name] for name in TrialRow.model_fields if name != "figures"} | {"figures": load(row["figures"])}
