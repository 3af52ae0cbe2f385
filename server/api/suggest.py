"""A reply drafted by the model, streamed to the composer; sending it is left to the person who asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import structlog
from aiohttp import web

from models.chat import ModelBusy, ModelError, QuestionTooLong
from server.api.acting import missing, sentence
from server.api.desk_shapes import SuggestionBody
from server.api.shapes import ID
from server.api.stream import HEADERS
from server.assistant import Piece
from server.buckets import Buckets
from server.conversation import NotFound, Refused
from server.desk.live import frame
from server.desk.suggestions import Suggestions, Wish
from server.problems import Problem, too_many
from server.routes import PRINCIPAL, Role, Route, read_body

log = structlog.get_logger()

PER_MINUTE: Final = 30  # drafts of one person
BUSY_S: Final = 2.0


class SuggestApi:
    """Address ``/api/conversations/{id}/suggestion``."""

    def __init__(self, suggestions: Suggestions) -> None:
        self._suggestions = suggestions
        self._buckets = Buckets(PER_MINUTE)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route(
                "POST", f"/api/conversations/{ID}/suggestion", self.suggest, Role.STAFF,
                "Let the model draft a reply, as server-sent events", "conversation.suggest", body=SuggestionBody,
            )
        ]  # fmt: skip

    async def suggest(self, request: web.Request) -> web.StreamResponse:
        """``piece`` frames, then ``done`` or ``error``; a refusal before the first word has its own status."""
        if wait_s := self._buckets.take(request[PRINCIPAL].owner):
            raise too_many(wait_s, f"More than {PER_MINUTE} drafts a minute; wait a moment.")
        body = await read_body(request, SuggestionBody)
        wish = Wish(body.style, body.language, body.text.strip())
        try:
            pieces = await self._suggestions.draft(request.match_info["id"], wish)
        except NotFound as error:
            raise missing(error) from None
        except Refused as refused:
            raise Problem(409, "Nothing to answer", sentence(refused)) from None
        except LookupError:
            detail = "No release is live yet; a worker publishes it when it starts. Try again in a moment."
            raise Problem(503, "Not ready", detail, headers={"Retry-After": "2"}) from None
        response = web.StreamResponse(headers=HEADERS)
        try:
            await _streamed(request, response, pieces)
        except ModelError as error:
            if not response.prepared:
                raise _problem(error) from None
            log.warning("suggestion_broken", error=type(error).__name__)
            problem = _problem(error)
            await response.write(frame("error", {"title": problem.title, "detail": problem.detail}))
        return response


async def _streamed(request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[Piece]) -> None:
    """Write the pieces as they come; the head goes out with the first one."""
    finish, citations, shown = "stop", None, ""
    async with aclosing(pieces):  # type: ignore[type-var]  # an async generator
        async for piece in pieces:
            if not response.prepared:
                await response.prepare(request)
            if piece.text:
                shown = piece.text if piece.instead else shown + piece.text
                await response.write(frame("piece", {"text": piece.text, "instead": piece.instead}))
            finish = piece.finish or finish
            citations = piece.citations if piece.citations is not None else citations
    if not response.prepared:
        await response.prepare(request)
    done = {"finish": finish, "citations": [dict(one) for one in citations or ()], "text": shown}
    await response.write(frame("done", done))


def _problem(error: ModelError) -> Problem:
    if isinstance(error, QuestionTooLong):
        return Problem(422, "Too long", "What the customer wrote is too long for the model; answer it yourself.")
    if isinstance(error, ModelBusy):
        return too_many(error.retry_after_s or BUSY_S, "The model has as much to do as it can; try again.")
    detail = "The model did not answer; try again in a moment, or write the reply yourself."
    return Problem(503, "Model unavailable", detail, headers={"Retry-After": f"{BUSY_S:.0f}"})
