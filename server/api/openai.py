"""The assistant for programs that speak OpenAI's chat API: ``/v1/models`` and ``/v1/chat/completions``.

The caller keeps the dialogue. Tools that the caller sends are offered to the model and its calls are given back; the
shop's own tools stay out, because nobody here is a verified customer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import structlog
from aiohttp import hdrs, web

from models.chat import ModelBusy, ModelError, ModelRefused, ModelTimeout, QuestionTooLong
from server.api.openai_shapes import ChatBody, Envelope, bad, delta_of_calls, event
from server.assistant import Asked, Assistant, Piece, Reply
from server.buckets import Buckets
from server.ids import new_id
from server.problems import STARTED, Problem, too_many
from server.releases.bundle import Release
from server.releases.registry import Releases
from server.routes import AUDITED, PRINCIPAL, Role, Route, read_body

log = structlog.get_logger()

OUR_NAME = "frontdesk"
EXACT = "release:"  # before a release's id
REQUESTS_PER_MINUTE = 600  # of one caller
BUSY_RETRY_S = 2.0
STREAM_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-cache",
    "X-Accel-Buffering": "no",
}
DONE = b"data: [DONE]\n\n"


class OpenAiApi:
    """Addresses under ``/v1/``."""

    def __init__(self, assistant: Assistant, releases: Releases) -> None:
        self._assistant = assistant
        self._releases = releases
        self._buckets = Buckets(REQUESTS_PER_MINUTE)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/v1/models", self.models, Role.VIEWER, "Names the assistant goes by"),
            Route("GET", "/v1/models/{model:.{1,200}}", self.model, Role.VIEWER, "One of these names"),
            Route(
                "POST", "/v1/chat/completions", self.complete, Role.VIEWER, "Ask the assistant (OpenAI's chat API)",
                "openai.chat", body=ChatBody,
            ),
        ]  # fmt: skip

    async def models(self, _request: web.Request) -> web.Response:
        """Ours, and the live release's model."""
        release = await self._live()
        return web.json_response({"object": "list", "data": [_card(name) for name in _names(release)]})

    async def model(self, request: web.Request) -> web.Response:
        """One card, 404 for any other name."""
        name = request.match_info["model"]
        self._check(name, await self._live())
        return web.json_response(_card(name))

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """One answer, whole or as a stream; nothing is kept, so there is nothing to audit."""
        request[AUDITED] = True
        if wait_s := self._buckets.take(request[PRINCIPAL].owner):
            raise too_many(wait_s, f"More than {REQUESTS_PER_MINUTE} requests a minute; wait, then send it again.")
        body = await read_body(request, ChatBody)
        exact = body.model.startswith(EXACT)
        release = await (self._named(request, body.model) if exact else self._live())
        if not exact:
            self._check(body.model, release)
        asked = _asked(body, release, exact=exact)
        envelope = Envelope(new_id().replace("-", ""), int(time.time()), body.model)
        pieces = self._assistant.answer(release, asked)
        try:
            if body.stream:
                return await self._streamed(request, body, envelope, pieces)
            return await _whole(request, envelope, pieces)
        except ModelError as error:
            raise _problem(error) from None

    async def _streamed(
        self, request: web.Request, body: ChatBody, envelope: Envelope, pieces: AsyncIterator[Piece]
    ) -> web.StreamResponse:
        """Chunks as they come; the head is sent with the first piece, so that a refusal before it has its status."""
        response = web.StreamResponse(headers=STREAM_HEADERS)
        reply = Reply()
        async with aclosing(pieces):  # type: ignore[type-var]  # an async generator
            try:
                async for piece in pieces:
                    if not response.prepared:
                        await response.prepare(request)
                        request[STARTED] = True
                        await response.write(envelope.chunk({"role": "assistant", "content": ""}))
                    await _write(response, envelope, reply, piece)
            except ModelError as error:
                if not response.prepared:
                    raise
                log.warning("completion_broken", error=type(error).__name__)
                await response.write(event({"error": _error(_problem(error))}))
                await response.write_eof()
                return response
        await response.write(envelope.chunk({}, reply.finish, reply.citations))
        if body.stream_options is not None and body.stream_options.include_usage:
            await response.write(envelope.usage(reply.usage))
        await response.write(DONE)
        await response.write_eof()
        return response

    async def _live(self) -> Release:
        try:
            return await self._releases.get(self._releases.live)
        except LookupError:
            detail = "No release is live yet; a worker publishes it when it starts. Try again in a moment."
            raise Problem(503, "Not ready", detail, headers={"Retry-After": "2"}) from None

    async def _named(self, request: web.Request, model: str) -> Release:
        """One release by id, for staff and admins: how a candidate is tried before any customer sees it."""
        unknown = bad(f"The model {model[:100]!r} does not exist.", "model", "model_not_found", 404)
        if not request[PRINCIPAL].role.covers(Role.STAFF):
            raise unknown
        try:
            return await self._releases.own(model.removeprefix(EXACT))
        except LookupError:
            raise unknown from None

    @staticmethod
    def _check(name: str, release: Release) -> None:
        if name not in _names(release):
            detail = f"The model {name[:100]!r} does not exist; use {OUR_NAME!r} (GET /v1/models lists the names)."
            raise bad(detail, "model", "model_not_found", 404)


async def _whole(request: web.Request, envelope: Envelope, pieces: AsyncIterator[Piece]) -> web.Response:
    reply = Reply()
    async with aclosing(pieces):  # type: ignore[type-var]  # an async generator
        async for piece in pieces:
            reply.add(piece)
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError  # nobody waits for the rest: the model stops here
    return web.json_response(envelope.whole(reply.text, reply.calls, reply.finish, reply.usage, reply.citations))


async def _write(response: web.StreamResponse, envelope: Envelope, reply: Reply, piece: Piece) -> None:
    """One piece as chunks; what was streamed cannot be taken back, so words that replace it follow as a paragraph."""
    before, shown = len(reply.calls), reply.text
    reply.add(piece)
    if piece.text:
        text = f"\n\n{piece.text}" if piece.instead and shown else piece.text
        await response.write(envelope.chunk({"content": text}))
    if piece.calls:
        await response.write(envelope.chunk(delta_of_calls(piece.calls, before)))


def _asked(body: ChatBody, release: Release, *, exact: bool) -> Asked:
    """The dialogue taken apart; raises a 400 problem when nobody asks anything."""
    messages = body.chat()
    last = next((number for number in reversed(range(len(messages))) if messages[number].role == "user"), None)
    if last is None:
        raise bad("There is no message with role user; the last one is what is answered.", "messages")
    said = [message for message in messages[:last] if message.role != "system"]
    return Asked(
        instructions="\n\n".join(message.content for message in messages if message.role == "system"),
        history=tuple(said),
        question=messages[last].content,
        steps=tuple(message for message in messages[last + 1 :] if message.role != "system"),
        tools=body.specs(),
        tool_choice=body.choice(),
        decoding=body.decoding(release.decoding),
        structured=body.structured,
        exact=exact,
    )


def _problem(error: ModelError) -> Problem:
    """A model's failure as these clients know it: what passes by itself is told with its status."""
    if isinstance(error, QuestionTooLong):
        return bad(str(error), "messages", "context_length_exceeded")
    if isinstance(error, ModelRefused):
        return bad(str(error))
    if isinstance(error, ModelBusy):
        return too_many(error.retry_after_s or BUSY_RETRY_S, "The model has as much to do as it can; try again.")
    status = 504 if isinstance(error, ModelTimeout) else 503
    detail = f"The model did not answer ({error}); try again in a moment."
    return Problem(status, "Model unavailable", detail, headers={"Retry-After": f"{BUSY_RETRY_S:.0f}"})


def _error(problem: Problem) -> dict[str, str | None]:
    return {"message": problem.detail, "type": "server_error", "param": None, "code": None}


def _names(release: Release) -> list[str]:
    return list(dict.fromkeys((OUR_NAME, release.model)))


def _card(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": 0, "owned_by": OUR_NAME}
