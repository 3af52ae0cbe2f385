"""The evaluating child's way to the model: a private address on loopback, OpenAI-shaped, behind a random key.

``model`` is ``raw:<served name>`` for the model itself with messages, tools and decoding as sent, or ``release:<id>``
for the whole assistant with that release and the passages recorded in the request (``sources``: [{id, title, text}]).
Customers go first: while any of them is being answered, one evaluation request runs at a time.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import structlog
from aiohttp import web
from pydantic import Field, ValidationError

from config.settings import Settings
from models.chat import Deadlines, Decoding, ModelBusy, ModelError, ModelRefused, ModelTimeout
from server.api.openai_shapes import ChatBody, Envelope, delta_of_calls
from server.assistant import Asked, Assistant, Piece, Reply
from server.engine.rounds import BudgetedLLM
from server.ids import new_id
from server.knowledge.contract import Audience, Chunk, Passage, Retrieved
from server.problems import Problem
from server.releases.bundle import Release
from server.retrain.contract import Doorway

log = structlog.get_logger()

PATIENT = Deadlines(first_token_s=300.0, gap_s=120.0, total_s=580.0)  # an evaluation waits; its client gives up at 600
LOOK_S = 0.25  # while customers are being answered
BODY_BYTES = 8_000_000
DONE = b"data: [DONE]\n\n"


class Question(ChatBody):
    """A request of the evaluating child; ``sources`` are the passages recorded with its row."""

    sources: list[dict[str, str]] = Field(default_factory=list)


class Recorded:
    """Finds what was found when the row was made: every passage, sure enough to answer from."""

    def __init__(self, sources: Sequence[dict[str, str]]) -> None:
        chunks = [
            Chunk(each.get("id", str(number)), "", each.get("title", ""), "", each.get("text", ""), "", "customer")
            for number, each in enumerate(sources)
        ]
        self._found = Retrieved(tuple(Passage(chunk, 1.0) for chunk in chunks), confidence=1.0, empty=not chunks)

    async def retrieve(self, question: str, *, audience: Audience = "customer", limit: int | None = None) -> Retrieved:
        """The recorded passages, whatever is asked."""
        del question, audience, limit
        return self._found


class Queue:
    """Lets up to ``most`` requests through while nobody else uses the model, else one at a time."""

    def __init__(self, most: int, busy: Callable[[], bool]) -> None:
        self._most = most
        self._busy = busy
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One place, as soon as there is one."""
        while self._inside >= (1 if self._busy() else self._most):  # noqa: ASYNC110 - nobody tells when customers left
            await asyncio.sleep(LOOK_S)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


class Door:
    """Opens the address for as long as an evaluation needs it; ``busy`` says whether customers use the model now."""

    def __init__(
        self,
        llm: BudgetedLLM,
        release: Callable[[str], Any],
        settings: Settings,
        busy: Callable[[], bool],
        *,
        deadlines: Deadlines = PATIENT,
    ) -> None:
        self._llm = llm
        self._release = release
        self._settings = settings
        self._queue = Queue(settings.training.parallel, busy)
        self._deadlines = deadlines

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Doorway]:
        """Listen on a free port of loopback until the block ends."""
        key = secrets.token_urlsafe(32)
        app = web.Application(client_max_size=BODY_BYTES, middlewares=[_guard(key)])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield Doorway(f"http://{host}:{port}/v1", key)
        finally:
            await runner.cleanup()

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self._settings.model.name, "object": "model"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        try:
            body = Question.model_validate_json(await request.read())
            pieces = await self._pieces(body)
        except ValidationError as error:
            return _fault(400, str(error.errors(include_input=False, include_url=False)[0]))
        except Problem as problem:
            return _fault(problem.status, problem.detail)
        except LookupError as error:
            return _fault(404, str(error))
        envelope = Envelope(new_id().replace("-", ""), int(time.time()), body.model)
        async with self._queue.turn(), aclosing(pieces):
            try:
                return await _answered(request, body, envelope, pieces)
            except ModelError as error:
                log.info("evaluation_unanswered", error=type(error).__name__)
                return _fault(_status(error), str(error))

    async def _pieces(self, body: Question) -> Any:
        kind, _, name = body.model.partition(":")
        if kind == "raw" and name:
            return self._raw(body, name)
        if kind != "release" or not name:
            raise LookupError(f"model must be raw:NAME or release:ID, not {body.model[:100]!r}")
        release: Release = await self._release(name)
        assistant = Assistant(self._llm, Recorded(body.sources), self._settings)
        return assistant.answer(release, _asked(body, release))

    async def _raw(self, body: Question, name: str) -> AsyncIterator[Piece]:
        """The model's own words; nothing is added, checked or replaced."""
        model = self._settings.model
        decoding = body.decoding(
            Decoding(model.temperature, model.answer_tokens, model.top_p, model.seed, (), model.repetition_penalty)
        )
        stream = self._llm.chat(
            body.chat(), model=name, decoding=decoding, deadlines=self._deadlines, tools=body.specs(),
            tool_choice=body.choice(),
        )  # fmt: skip
        async with aclosing(stream):  # type: ignore[type-var]  # the protocol promises an async generator
            async for delta in stream:
                yield Piece(delta.text, delta.tool_calls, delta.finish_reason or "", delta.usage)


def _asked(body: Question, release: Release) -> Asked:
    """The dialogue without its system message: the release brings its own rules, the sources bring the passages."""
    messages = [message for message in body.chat() if message.role != "system"]
    last = max((number for number, message in enumerate(messages) if message.role == "user"), default=None)
    if last is None:
        raise LookupError("nobody asks anything: there is no message with role user")
    return Asked(
        messages[last].content,
        body.decoding(release.decoding),
        history=tuple(messages[:last]),
        steps=tuple(messages[last + 1 :]),
        tools=body.specs(),
        tool_choice=body.choice(),
    )


async def _answered(
    request: web.Request, body: Question, envelope: Envelope, pieces: AsyncIterator[Piece]
) -> web.StreamResponse:
    """The answer whole, or as a stream; one that breaks off ends without its end, so that it counts as none."""
    reply = Reply()
    if not body.stream:
        async for piece in pieces:
            reply.add(piece)
        return web.json_response(envelope.whole(reply.text, reply.calls, reply.finish, reply.usage, reply.citations))
    return await _streamed(request, envelope, pieces, reply)


async def _streamed(
    request: web.Request, envelope: Envelope, pieces: AsyncIterator[Piece], reply: Reply
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    try:
        async for piece in pieces:
            if not response.prepared:
                await response.prepare(request)
            before = len(reply.calls)
            reply.add(piece)
            if piece.text:
                await response.write(envelope.chunk({"content": piece.text}))
            if piece.calls:
                await response.write(envelope.chunk(delta_of_calls(piece.calls, before)))
    except ModelError:
        if not response.prepared:
            raise
        if request.transport is not None:
            request.transport.abort()
        return response
    if not response.prepared:
        await response.prepare(request)
    await response.write(envelope.chunk({}, reply.finish or "stop", reply.citations))
    await response.write(envelope.usage(reply.usage))
    await response.write(DONE)
    await response.write_eof()
    return response


def _guard(key: str) -> Any:
    expected = f"Bearer {key}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return _fault(401, "this address is for the evaluation that opened it")
        response: web.StreamResponse = await handler(request)
        return response

    return guard


def _status(error: ModelError) -> int:
    if isinstance(error, ModelRefused):
        return 400
    if isinstance(error, ModelBusy):
        return 429
    return 504 if isinstance(error, ModelTimeout) else 503


def _fault(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)
