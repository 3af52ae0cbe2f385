"""Where corrections go: what the router suggests, what a person decides, and how the answer is after that."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import structlog
from aiohttp import web

from config.settings import Settings
from models.chat import ModelError
from server.api.acting import Acts, missing
from server.api.decisions_shapes import (
    DecideBody,
    Decided,
    ProposalRow,
    ResultAnswer,
    ResultRow,
    SuggestionRow,
    TryAnswer,
)
from server.api.shapes import ID, answer
from server.assistant import Asked, Reply
from server.buckets import Buckets
from server.conversation import NotFound
from server.decisions import ORDER, Change, Decisions, change_of
from server.desk.suggestions import Answers, Published
from server.problems import Problem, too_many
from server.router import Case, Suggestion
from server.routes import PRINCIPAL, Role, Route, read_body
from server.store.contract import Store

log = structlog.get_logger()

TRIES_PER_MINUTE: Final = 20  # test answers of one person


class DecisionsApi:
    """Addresses below ``/api/corrections/{id}``; ``assistant`` gives the test answers of the live release."""

    def __init__(self, store: Store, settings: Settings, assistant: Answers, releases: Published) -> None:
        self._acts = Acts(store, settings.http)
        self._decisions = Decisions(store, settings.tenant, settings.knowledge.parse.max_characters)
        self._assistant = assistant
        self._releases = releases
        self._buckets = Buckets(TRIES_PER_MINUTE)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/corrections/{ID}"
        return [
            Route("GET", f"{one}/suggestion", self.suggestion, Role.STAFF, "Where a correction belongs, and why",
                  answer=SuggestionRow),
            Route("POST", f"{one}/decide", self.decide, Role.STAFF, "Send a correction into knowledge or training",
                  "correction.decide", body=DecideBody, answer=Decided),
            Route("GET", f"{one}/result", self.result, Role.STAFF, "Whether a corrected fact is live",
                  answer=ResultAnswer),
            Route("POST", f"{one}/try", self.test, Role.STAFF, "Answer the customer's question again, as a test",
                  "correction.try", answer=TryAnswer),
        ]  # fmt: skip

    async def suggestion(self, request: web.Request) -> web.Response:
        """The router's view of a correction, as the knowledge is now."""
        case, found = await self._suggested(request)
        proposal = ProposalRow(**asdict(found.proposal)) if found.proposal else None
        shown = SuggestionRow(route=found.route, why=list(found.why), proposal=proposal, question=case.question)
        return answer(shown)

    async def decide(self, request: web.Request) -> web.Response:
        """A person's word; a fact changes the knowledge in the same commit."""
        body, key = await read_body(request, DecideBody), request.match_info["id"]
        change = Change(**body.change.model_dump()) if body.change else None
        if body.route == "fact" and change is None:
            _, found = await self._suggested(request)
            change = change_of(found.proposal)
        who = request[PRINCIPAL].owner
        made = await self._acts.do(
            request, lambda tx: self._decisions.decide(tx, key, who, body.route, change), {"route": body.route},
            order=ORDER,
        )  # fmt: skip
        return answer(Decided(**made))

    async def result(self, request: web.Request) -> web.Response:
        """The state of the changed document."""
        try:
            found = await self._decisions.result(request.match_info["id"])
        except NotFound as error:
            raise missing(error) from None
        return answer(ResultAnswer(result=ResultRow(**asdict(found), live=found.live) if found else None))

    async def test(self, request: web.Request) -> web.Response:
        """Nothing of it is kept or sent; 503 while the model is away."""
        if wait_s := self._buckets.take(request[PRINCIPAL].owner):
            raise too_many(wait_s, f"More than {TRIES_PER_MINUTE} test answers a minute; wait a moment.")
        case, _ = await self._suggested(request)
        if not case.question:
            raise Problem(409, "Nothing to ask", "The customer's question is not kept any more.")
        found = await self._decisions.result(request.match_info["id"])
        try:
            release = await self._releases.get(self._releases.live)
            reply = Reply()
            async for piece in self._assistant.answer(release, Asked(case.question, release.decoding)):
                reply.add(piece)
        except (ModelError, LookupError) as error:
            log.info("test_answer_failed", error=type(error).__name__)
            detail = "The model did not answer; try again in a moment."
            raise Problem(503, "Model unavailable", detail, headers={"Retry-After": "2"}) from None
        cited = [dict(one) for one in reply.citations or ()]
        rests = found is not None and any(str(one["passage"]).startswith(f"{found.document_id}:") for one in cited)
        return answer(TryAnswer(question=case.question, text=reply.text, citations=cited, rests_on_it=rests))

    async def _suggested(self, request: web.Request) -> tuple[Case, Suggestion]:
        try:
            return await self._decisions.suggest(request.match_info["id"])
        except NotFound as error:
            raise missing(error) from None
