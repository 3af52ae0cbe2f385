"""Asks an OpenAI-shaped server for answers, for evaluation: patient, one at a time unless told otherwise, measured.

A request is repeated only while nothing of its answer was generated (no connection, 429, 5xx before the first byte):
an answer that breaks off is recorded as an error, so that no subject gets a second try at the same prompt.

Errors::

    EvaluationError
    ├── Unanswered    this request has no answer; the message says why and becomes the row's error
    └── Unreachable   the server cannot be used at all: wrong key, unknown model, nothing listens
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from training.errors import TrainingError

TRIES: Final = 5
PAUSE_S: Final = 0.5  # before the second try; doubles
LONGEST_PAUSE_S: Final = 20.0
OK: Final = 200
REFUSED_KEY: Final = (401, 403)
UNKNOWN: Final = 404
BUSY: Final = 429
SERVER_FAULT: Final = 500
LONGEST_FAULT: Final = 300  # characters of a server's message that are kept
LONGEST_LINE: Final = 2**22  # bytes of one event


class EvaluationError(TrainingError):
    """Something about asking went wrong; the message says what to do."""


class Unanswered(EvaluationError):
    """This request got no whole answer."""


class Unreachable(EvaluationError):
    """No request will get an answer before somebody repairs something."""


class _Again(Exception):
    """Nothing was generated and another try may help; carries the pause asked for, in seconds."""

    def __init__(self, reason: str, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


@dataclass(frozen=True, slots=True)
class Asking:
    """How every prompt is sent: decoding, and the longest waits in seconds."""

    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    total_s: float = 600.0
    connect_s: float = 10.0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """What came back; times in milliseconds from sending, tokens as the server counted them (None = it did not)."""

    content: str = ""
    tool_calls: list[dict[str, str]] = field(default_factory=list)
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_ms: float | None = None
    total_ms: float = 0.0


class Client:
    """One server and one key; use inside ``async with client.running()``."""

    def __init__(
        self, url: str, key: str = "", asking: Asking | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.asking = asking or Asking()
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Client]:
        """Keep connections open for the time of an evaluation."""
        timeout = aiohttp.ClientTimeout(total=self.asking.total_s, sock_connect=self.asking.connect_s)
        async with aiohttp.ClientSession(
            headers=self._headers, timeout=timeout, read_bufsize=LONGEST_LINE
        ) as self._session:
            yield self

    async def ask(
        self, model: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
    ) -> Answer:
        """One answer of ``model``. Raises Unanswered for this prompt, Unreachable when no prompt will fare better."""
        body = self._body(model, messages, tools)
        reason = ""
        for attempt in range(TRIES):
            try:
                return await self._once(body)
            except _Again as again:
                reason = str(again)
                if attempt + 1 < TRIES:
                    await asyncio.sleep(max(again.pause_s, min(LONGEST_PAUSE_S, PAUSE_S * 2**attempt)))
        raise Unreachable(f"{self._url} gave no answer in {TRIES} tries: {reason}; start the server and run this again")

    def _body(
        self, model: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        asking = self.asking
        body: dict[str, Any] = {
            "model": model,
            "messages": [wire_message(message) for message in messages],
            "temperature": asking.temperature,
            "max_tokens": asking.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **asking.extra,
        }
        if tools:
            body["tools"] = [{"type": "function", "function": dict(tool)} for tool in tools]
        if asking.seed is not None:
            body["seed"] = asking.seed
        return body

    async def _once(self, body: Mapping[str, Any]) -> Answer:
        if self._session is None:
            raise RuntimeError("use the client inside 'async with client.running()'")
        answer, started = Answer(), self._clock()
        try:
            async with self._session.post(self._url, json=body) as response:
                if response.status != OK:
                    await _refuse(response)
                await self._read(response, answer, started)
        except TimeoutError as error:
            raise Unanswered(f"no whole answer within {self.asking.total_s:.0f} s") from error
        except aiohttp.ClientConnectorError as error:
            raise _Again(str(error)) from error
        except aiohttp.ClientError as error:
            if answer.first_token_ms is None:
                raise _Again(f"the connection ended: {error}") from error
            raise Unanswered(f"the answer broke off: {error}") from error
        answer.total_ms = 1_000 * (self._clock() - started)
        return answer

    async def _read(self, response: aiohttp.ClientResponse, answer: Answer, started: float) -> None:
        async for line in response.content:
            data = line.removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or data == b"[DONE]":
                continue
            event = _event(data)
            if _take(event, answer) and answer.first_token_ms is None:
                answer.first_token_ms = 1_000 * (self._clock() - started)
        if not answer.finish_reason:
            raise Unanswered("the answer broke off before its end")


async def _refuse(response: aiohttp.ClientResponse) -> None:
    said = (await response.text())[:LONGEST_FAULT]
    if response.status == BUSY or response.status >= SERVER_FAULT:
        asked = response.headers.get("Retry-After", "")
        raise _Again(f"{response.status} {said}", float(asked) if asked.isdigit() else 0.0)
    if response.status in REFUSED_KEY:
        raise Unreachable(f"the server refuses the key ({response.status}); check the variable named by --key-env")
    if response.status == UNKNOWN:
        raise Unreachable(f"the server does not know this model or address ({said}); check --model and --url")
    raise Unanswered(f"the server refused the prompt ({response.status}): {said}")


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise Unanswered(f"the server sent something that is no JSON: {data[:80]!r}") from error
    if not isinstance(event, dict) or "error" in event:
        raise Unanswered(f"the server gave up: {str(event)[:LONGEST_FAULT]}")
    return event


def _take(event: Mapping[str, Any], answer: Answer) -> bool:
    """Add one event; whether it brought anything of the answer."""
    usage = event.get("usage") or {}
    answer.prompt_tokens = usage.get("prompt_tokens", answer.prompt_tokens)
    answer.completion_tokens = usage.get("completion_tokens", answer.completion_tokens)
    brought = False
    for choice in event.get("choices") or ():
        delta = choice.get("delta") or {}
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        answer.content += delta.get("content") or ""
        for part in delta.get("tool_calls") or ():
            _take_call(part, answer.tool_calls)
        brought = brought or bool(delta.get("content") or delta.get("tool_calls"))
    return brought


def _take_call(part: Mapping[str, Any], calls: list[dict[str, str]]) -> None:
    place = part.get("index", len(calls))
    while len(calls) <= place:
        calls.append({"name": "", "arguments": ""})
    function = part.get("function") or {}
    calls[place]["name"] += function.get("name") or ""
    calls[place]["arguments"] += function.get("arguments") or ""


def wire_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A row's message in the shape of an OpenAI request; calls may be ``{name, arguments}`` or already wrapped."""
    wire = {key: message[key] for key in ("role", "content", "tool_call_id") if message.get(key) is not None}
    wire.setdefault("content", "")
    calls = message.get("tool_calls") or ()
    if calls:
        wire["tool_calls"] = [_wire_call(call, number) for number, call in enumerate(calls)]
    return wire


def _wire_call(call: Mapping[str, Any], number: int) -> dict[str, Any]:
    function = call.get("function") or call
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {
        "id": call.get("id") or f"call-{number}",
        "type": "function",
        "function": {"name": function["name"], "arguments": text},
    }
