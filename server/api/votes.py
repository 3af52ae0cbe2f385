"""Comparing a candidate with what is live: cases that changed, and blind votes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from config.settings import Settings
from server.api.shapes import ID, answer
from server.api.votes_shapes import (
    BallotLine,
    CaseLine,
    CasePage,
    CaseQuery,
    NextBallot,
    TallyAnswer,
    VoteBody,
    VoteCounted,
)
from server.audit import audit
from server.conversation import NotFound, Refused
from server.problems import Problem
from server.retrain.answers import Pair, pairs
from server.retrain.folder import Folder, read_json
from server.retrain.runs import Runs
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.store.contract import Row, Store, Tx
from server.votes import Ballot, Votes


class VotesApi:
    """Addresses below ``/api/retrains/{id}`` that show answers side by side, and ``/api/votes``."""

    def __init__(self, store: Store, settings: Settings, runs: Runs) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._http = settings.http
        self._runs = runs
        self._votes = Votes(store, settings.tenant)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/retrains/{ID}"
        return [
            Route("GET", f"{one}/cases", self.cases, Role.STAFF, "What the candidate does differently",
                  answer=CasePage),
            Route("GET", f"{one}/ballot", self.ballot, Role.STAFF, "Two answers to choose from, without names",
                  answer=NextBallot),
            Route("GET", f"{one}/votes", self.tally, Role.VIEWER, "What people preferred", answer=TallyAnswer),
            Route("POST", f"/api/votes/{ID}", self.vote, Role.STAFF, "Say which answer is better", "vote.give",
                  body=VoteBody, answer=VoteCounted),
        ]  # fmt: skip

    async def cases(self, request: web.Request) -> web.Response:
        """One page of cases; which ones broke and which were fixed the gate's report says."""
        query = read_query(request, CaseQuery)
        run = await self._run(request)
        found = await self._seen(await _pairs(run), request)
        report = await asyncio.to_thread(read_json, Folder(Path(run["folder"])).report)
        keys = [key for key in report.get(query.kind) or [] if key in found] if query.kind != "all" else list(found)
        end = query.offset + query.limit
        lines = [CaseLine(**asdict(found[key])) for key in keys[query.offset : end]]
        return answer(CasePage(cases=lines, total=len(keys), next=end if end < len(keys) else None))

    async def ballot(self, request: web.Request) -> web.Response:
        """The next pair for the caller; asking again before voting shows the same one in the same order."""
        run = await self._run(request)
        whole = await _pairs(run)
        if not whole:
            raise Problem(409, "Nothing to compare", "The answers of this retrain are not on this machine (any more).")
        found = await self._seen(whole, request)
        now = await self._votes.next(run["id"], request[PRINCIPAL].owner, found)
        line = _line(now.ballot) if now.ballot is not None else None
        return answer(NextBallot(ballot=line, pairs=now.pairs, voted=now.voted))

    async def vote(self, request: web.Request) -> web.Response:
        """Count a vote and say whose answers they were; once per pair and person."""
        body = await read_body(request, VoteBody)
        principal, ip, ballot = request[PRINCIPAL], client_ip(request, self._http), request.match_info["id"]

        async def unit(tx: Tx) -> VoteCounted:
            row, choice = await self._votes.vote(tx, ballot, principal.owner, body.choice)
            await audit(tx, principal, "vote.give", row["run_id"], {"row": row["row_key"], "choice": choice}, ip)
            return VoteCounted(choice=choice, candidate_first=bool(row["candidate_first"]))

        request[AUDITED] = True
        try:
            return answer(await self._store.write(unit))
        except NotFound as error:
            raise Problem(404, "No such pair", str(error)) from None
        except Refused as refused:
            raise Problem(409, "Voted already", str(refused)) from None

    async def tally(self, request: web.Request) -> web.Response:
        """The votes of everybody."""
        found = await self._votes.tally((await self._run(request))["id"])
        low, high = found.interval
        return answer(TallyAnswer(**asdict(found), share=found.share, low=low, high=high))

    async def _seen(self, found: dict[str, Pair], request: web.Request) -> dict[str, Pair]:
        """Pairs without those that were made of conversations the caller's teams do not see."""
        sight = request[PRINCIPAL].sight
        if not sight.scope:
            return found
        ids = json.dumps(sorted({pair.example for pair in found.values()}))
        rows = await self._store.rows("teams.visible_examples", tenant=self._tenant, ids=ids, **sight.values())
        seen = {"", *(row["id"] for row in rows)}  # a pair of no example is one of the built-in questions
        return {key: pair for key, pair in found.items() if pair.example in seen}

    async def _run(self, request: web.Request) -> Row:
        try:
            return await self._runs.get(request.match_info["id"])
        except NotFound as error:
            raise Problem(404, "No such retrain", str(error)) from None


async def _pairs(run: Row) -> dict[str, Pair]:
    return await asyncio.to_thread(pairs, Folder(Path(run["folder"])))


def _line(ballot: Ballot) -> BallotLine:
    pair = ballot.pair
    return BallotLine(
        id=ballot.id, suite=pair.suite, behaviour=pair.behaviour, question=pair.question, wanted=pair.wanted,
        first=ballot.first, second=ballot.second,
    )  # fmt: skip
