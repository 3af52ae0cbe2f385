"""The client of a vLLM server, or of anything that speaks the same streaming chat API. Never retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from models import forced
from models.chat import (
    ChatMessage,
    Deadlines,
    Decoding,
    Delta,
    ModelBusy,
    ModelProtocolError,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    Stage,
    ToolCall,
    ToolSpec,
    UnknownModel,
    Usage,
)
from models.prompt import wire_messages, wire_tools

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 4.0  # vLLM hangs up on connections idle for 5; a request sent into that moment would be lost
ADMIN_TIMEOUT_S = 120.0  # loading a large adapter reads it from disk
HEALTH_TIMEOUT_S = 5.0
MAX_EVENT_BYTES = 1 << 20
MAX_ANSWER_BYTES = 8 << 20
WHOLE_ENDS = frozenset({"stop", "length", "tool_calls", "content_filter"})

SessionFactory = Callable[[], aiohttp.ClientSession]


def open_session() -> aiohttp.ClientSession:
    """A session without limits of its own: deadlines are the caller's, admission is the engine's."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S), timeout=timeout)


class VLLM:
    """One model server; ``base_url`` ends in /v1 and may be a function, as a restarted child can move.

    ``tags`` says that it is a vLLM with our chat template: calls that must come are asked for by ``models.forced``.
    """

    def __init__(
        self,
        base_url: str | Callable[[], str],
        api_key: str = "",
        session: SessionFactory = open_session,
        *,
        tags: bool = False,
    ) -> None:
        self._tags = tags
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._open_session = session
        self._session: aiohttp.ClientSession | None = None

    @property
    def base_url(self) -> str:
        """Where requests go right now, without a trailing slash."""
        url = self._base_url if isinstance(self._base_url, str) else self._base_url()
        return url.rstrip("/")

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _live_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = self._open_session()
        return self._session

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        model: str,
        decoding: Decoding,
        deadlines: Deadlines,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
    ) -> AsyncIterator[Delta]:
        """Stream one answer as ``models.chat.LLM`` promises; wrap it in ``contextlib.aclosing`` to stop early."""
        body = _request_body(messages, model, decoding, tools, tool_choice)
        tool = next((tool for tool in tools if self._tags and tool.name == tool_choice), None)
        if tool is not None:
            body |= {"tool_choice": "none", "structured_outputs": forced.grammar(tool)}
        clock = _Clock(deadlines)
        answer = _Answer(tool.name if tool is not None else "")
        response = await self._dispatch(body, clock, model)
        try:
            async for event in _events(response, clock):
                delta = answer.take(event)
                if answer.begun:
                    clock.token()
                if delta is not None:
                    yield delta
            yield answer.end()
        finally:
            if answer.done:
                response.release()
            else:
                response.close()  # a closed connection is how the server learns to stop generating

    async def _dispatch(self, body: Mapping[str, object], clock: _Clock, model: str) -> aiohttp.ClientResponse:
        url = f"{self.base_url}/chat/completions"
        try:
            async with clock.limit():
                response = await self._live_session().post(url, json=body, headers=self._headers)
        except TimeoutError as error:
            clock.check(error)
            raise ModelUnavailable("the model server did not accept a connection; check that it runs") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ModelUnavailable(f"the model server is not reachable ({type(error).__name__})") from error
        if response.status == 200:  # noqa: PLR2004 - HTTP's word for a good answer
            return response
        try:
            async with clock.limit():
                text = await response.text(errors="replace")
        except (TimeoutError, aiohttp.ClientError):
            text = ""
        finally:
            response.close()
        raise _refusal(response.status, text, model, response.headers.get("Retry-After"))

    async def models(self) -> list[str]:
        """Names that can be asked for: the base model and every loaded adapter."""
        body = await self._admin("GET", f"{self.base_url}/models", timeout_s=HEALTH_TIMEOUT_S)
        try:
            return [str(card["id"]) for card in json.loads(body)["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ModelProtocolError("the model server's list of models is not readable") from error

    async def health(self) -> bool:
        """Whether the server answers and its engine lives; servers without /health are asked for their models."""
        root = self.base_url.removesuffix("/v1")
        try:
            await self._admin("GET", f"{root}/health", timeout_s=HEALTH_TIMEOUT_S)
        except ModelRefused:
            try:
                await self.models()
            except (ModelRefused, ModelUnavailable, ModelBusy, ModelProtocolError):
                return False
        except (ModelUnavailable, ModelBusy):
            return False
        return True

    async def load_adapter(self, name: str, path: str) -> None:
        """Load a LoRA folder under a name never used before, never over a loaded one.

        Raises ModelRefused with the server's reason: vLLM answers 404 to a missing folder, 500 to a broken adapter.
        """
        body = {"lora_name": name, "lora_path": path}
        await self._admin("POST", f"{self.base_url}/load_lora_adapter", body, blame_request=True)

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter; the caller has drained it. Raises ModelRefused when it is not loaded."""
        await self._admin("POST", f"{self.base_url}/unload_lora_adapter", {"lora_name": name})

    async def _admin(
        self,
        method: str,
        url: str,
        body: Mapping[str, object] | None = None,
        timeout_s: float = ADMIN_TIMEOUT_S,
        *,
        blame_request: bool = False,
    ) -> str:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._live_session().request(
                method, url, json=body, headers=self._headers, timeout=timeout
            ) as response:
                text = await response.text(errors="replace")
                status = response.status
        except (aiohttp.ClientError, OSError) as error:
            raise ModelUnavailable(f"the model server is not reachable ({type(error).__name__})") from error
        if status >= 500 and not blame_request:  # noqa: PLR2004 - HTTP's server errors
            raise ModelUnavailable(f"the model server answered {status}: {_reason(text)}")
        if status >= 400:  # noqa: PLR2004 - HTTP's client errors
            raise ModelRefused(f"the model server answered {status}: {_reason(text)}", status)
        return text


def _request_body(
    messages: Sequence[ChatMessage], model: str, decoding: Decoding, tools: Sequence[ToolSpec], tool_choice: str | None
) -> dict[str, object]:
    body: dict[str, object] = {
        **decoding.extra,
        "model": model,
        "messages": wire_messages(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": decoding.temperature,
        "max_tokens": decoding.max_tokens,
        "top_p": decoding.top_p,
    }
    if decoding.repetition_penalty != 1.0:
        body["repetition_penalty"] = decoding.repetition_penalty
    if decoding.seed is not None:
        body["seed"] = decoding.seed
    if decoding.stop:
        body["stop"] = list(decoding.stop)
    if tools:
        body["tools"] = wire_tools(tools)
        named = tool_choice not in {None, "auto", "none", "required"}
        choice = {"type": "function", "function": {"name": tool_choice}} if named else tool_choice
        body["tool_choice"] = choice or "auto"
    return body


class _Clock:
    """Which deadline is next; times are seconds of the event loop's clock."""

    def __init__(self, deadlines: Deadlines) -> None:
        now = asyncio.get_running_loop().time()
        self._deadlines = deadlines
        self._end = now + deadlines.total_s
        self._next = now + deadlines.first_token_s
        self._stage: Stage = "first_token"

    def token(self) -> None:
        """Start waiting for the following token."""
        self._next = asyncio.get_running_loop().time() + self._deadlines.gap_s
        self._stage = "gap"

    def limit(self) -> asyncio.Timeout:
        """A time limit up to the next deadline."""
        return asyncio.timeout_at(min(self._next, self._end))

    def check(self, error: TimeoutError) -> None:
        """Raise ModelTimeout when it was a deadline that passed, not the operating system's time-out."""
        now = asyncio.get_running_loop().time()
        limits = self._deadlines
        if now >= self._end:
            raise ModelTimeout("total", limits.total_s) from error
        if now >= self._next:
            seconds = limits.first_token_s if self._stage == "first_token" else limits.gap_s
            raise ModelTimeout(self._stage, seconds) from error


async def _events(response: aiohttp.ClientResponse, clock: _Clock) -> AsyncIterator[dict[str, Any]]:
    """The stream's events up to its end mark; raises when it stalls, breaks, or ends without the mark."""
    rest = b""
    size = 0
    while True:
        try:
            async with clock.limit():
                chunk = await response.content.readany()
        except TimeoutError as error:
            clock.check(error)
            raise ModelUnavailable("the connection to the model server timed out") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ModelProtocolError(f"the answer was cut off ({type(error).__name__})") from error
        if not chunk:
            raise ModelProtocolError("the answer ended without its end mark")
        size += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_EVENT_BYTES or size > MAX_ANSWER_BYTES:
            raise ModelProtocolError("the answer is larger than any answer can be")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            yield _decode(data)


def _decode(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise ModelProtocolError("the model server sent something that is not JSON") from error
    if not isinstance(event, dict):
        raise ModelProtocolError("the model server sent something that is not an event")
    failure = event.get("error")
    if failure:
        code = failure.get("code") if isinstance(failure, dict) else None
        raise _refusal(code if isinstance(code, int) else 500, json.dumps(event), "", None)
    return event


@dataclass(slots=True)
class _PartialCall:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class _Answer:
    """Puts an answer together from its events; with the name of a ``tool`` all of its text is a call of it."""

    def __init__(self, tool: str = "") -> None:
        self._tool = tool
        self._written: list[str] = []
        self.begun = False
        self.done = False
        self._spoken = False
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._calls: dict[int, _PartialCall] = {}

    def take(self, event: Mapping[str, Any]) -> Delta | None:
        """Note one event; returns the text it adds, if any. Raises ModelProtocolError for a foreign shape."""
        try:
            usage = event.get("usage")
            if usage:
                self._usage = Usage(int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0))
            text = ""
            for choice in event.get("choices") or ():
                delta = choice.get("delta") or {}
                text += delta.get("content") or ""
                self._take_calls(delta.get("tool_calls") or ())
                self._finish = choice.get("finish_reason") or self._finish
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelProtocolError("the model server sent an event of an unknown shape") from error
        self.begun = self.begun or bool(text) or bool(self._calls)
        self._spoken = self._spoken or bool(text.strip())
        if self._tool:
            self._written.append(text)
            return None
        return Delta(text=text) if text else None

    def _take_calls(self, pieces: Sequence[Mapping[str, Any]]) -> None:
        for piece in pieces:
            call = self._calls.setdefault(int(piece.get("index") or 0), _PartialCall())
            function = piece.get("function") or {}
            call.id = piece.get("id") or call.id
            call.name = function.get("name") or call.name
            call.arguments.append(function.get("arguments") or "")

    def end(self) -> Delta:
        """The last delta; raises ModelProtocolError when the answer is not whole or says nothing."""
        if self._finish not in WHOLE_ENDS:
            raise ModelProtocolError(f"the answer ended early (finish reason {self._finish or 'missing'})")
        if not self._spoken and not self._calls:
            raise ModelProtocolError("the answer is empty")
        if self._tool and not self._calls:
            written = forced.arguments_in("".join(self._written), self._tool)
            self._calls = {0: _PartialCall(name=self._tool, arguments=[written])}
            self._finish = "tool_calls" if self._finish == "stop" else self._finish
        self.done = True
        calls = tuple(
            ToolCall(call.id or f"call-{index}", call.name, "".join(call.arguments) or "{}")
            for index, call in sorted(self._calls.items())
        )
        return Delta(tool_calls=calls, finish_reason=self._finish, usage=self._usage)


def _refusal(
    status: int, text: str, model: str, retry_after: str | None
) -> ModelBusy | ModelUnavailable | ModelRefused:
    """The error for an answer that is none; never quotes the server, which may quote the customer."""
    if status == 429:  # noqa: PLR2004 - HTTP's "too many requests"
        wait_s = float(retry_after) if retry_after and retry_after.strip().isdigit() else None
        return ModelBusy("the model server is full; try again later", wait_s)
    if status >= 500:  # noqa: PLR2004 - HTTP's server errors
        return ModelUnavailable(f"the model server answered {status}; see its log")
    if status in {401, 403}:
        return ModelUnavailable("the model server rejected the key; set model.api_key")
    if status == 404:  # noqa: PLR2004 - HTTP's "not found"
        return UnknownModel(f"the model server does not know {model!r}; check model.name and model.base_url")
    if "context length" in text or "max_model_len" in text or "maximum context" in text:
        return ModelRefused("the prompt exceeds the model's context; lower the history or raise the context", status)
    return ModelRefused(f"the model server rejected the request with {status}; see its log", status)


def _reason(text: str) -> str:
    """The server's own words on an administrative request, cut short; no customer text reaches these."""
    limit = 300
    try:
        body = json.loads(text)
        error = body.get("error", body)
        message = error.get("message") if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        message = text
    return str(message)[:limit]
