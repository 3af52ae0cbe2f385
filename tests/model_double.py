"""An OpenAI-compatible model server without a model: deterministic answers, settable pace, faults on demand.

In a test::

    async with ModelDouble(Pace(tokens_per_s=50)) as double:
        client(double.base_url)          # http://127.0.0.1:PORT/v1
        double.fail("cut", times=1)

Alone: ``python -m tests.model_double --port 0 --tokens-per-s 30 --first-token-s 0.1`` prints its base URL first.

Control over HTTP: ``POST /double/faults {"mode": M, "times": n}`` (n = 0: until changed), ``POST /double/pace``,
``POST /double/reset``, ``GET /double/stats``. Modes: ok, 500, 429, 400, refuse (connection closed unanswered), hang
(no byte until the client leaves), stall (two tokens, then silence), cut (two tokens, then the connection ends),
garbage (a stream that is not JSON), empty (an answer without text).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from aiohttp import web

MODES = frozenset({"ok", "500", "429", "400", "refuse", "hang", "stall", "cut", "garbage", "empty"})
PROMPTS_KEPT = 10_000
TOKENS_BEFORE_FAULT = 2


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast answers come: 0 tokens per second means at once; the first token waits ``first_token_s`` seconds."""

    tokens_per_s: float = 0.0
    first_token_s: float = 0.0


@dataclass(slots=True)
class Stats:
    """What has been asked of the double so far."""

    requests: int = 0
    answered: int = 0
    concurrent: int = 0
    max_concurrent: int = 0
    cancelled: int = 0
    connections: int = 0
    faults: int = 0
    prompts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=PROMPTS_KEPT))
    adapters: list[str] = field(default_factory=list)

    @property
    def last_user_messages(self) -> list[str]:
        return [prompt["last_user"] for prompt in self.prompts]


def answer_to(question: str) -> str:
    """The double's whole wit: the same question always gets the same answer, and different ones differ."""
    return f"answer to: {question}"


class ModelDouble:
    """One double on a loopback port of its own; use as an async context manager."""

    def __init__(
        self,
        pace: Pace | None = None,
        *,
        models: tuple[str, ...] = ("HuggingFaceTB/SmolLM2-135M-Instruct",),
        api_key: str = "",
        port: int = 0,
    ) -> None:
        self.pace = pace or Pace()
        self.stats = Stats()
        self.models = models
        self.api_key = api_key
        self.port = port
        self.mode, self.times = "ok", 0
        self.tool_calls: deque[tuple[str, dict[str, Any]]] = deque()
        self.answers: deque[str] = deque()
        self._peers: set[object] = set()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; a port once chosen is kept, so stop and start look like a restart of the same server."""
        app = web.Application(client_max_size=64_000_000)
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/load_lora_adapter", self._load),
                web.post("/v1/unload_lora_adapter", self._unload),
                web.get("/double/stats", self._get_stats),
                web.post("/double/faults", self._set_faults),
                web.post("/double/pace", self._set_pace),
                web.post("/double/script", self._set_script),
                web.post("/double/reset", self._reset),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and the port, as a killed server would."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fail(self, mode: str, times: int = 0) -> None:
        """Answer the next ``times`` requests with a fault; 0 means until changed."""
        if mode not in MODES:
            message = f"unknown mode {mode!r}; one of {', '.join(sorted(MODES))}"
            raise ValueError(message)
        self.mode, self.times = mode, times

    def call_next(self, name: str, arguments: dict[str, Any]) -> None:
        """Answer one coming request with this tool call instead of text."""
        self.tool_calls.append((name, arguments))

    def say_next(self, text: str) -> None:
        """Answer one coming request with this text instead of the derived one."""
        self.answers.append(text)

    def _take_fault(self) -> str:
        mode = self.mode
        if mode != "ok":
            self.stats.faults += 1
            if self.times:
                self.times -= 1
                if not self.times:
                    self.mode = "ok"
        return mode

    # --- control ---------------------------------------------------------------------------------------------------

    async def _set_faults(self, request: web.Request) -> web.Response:
        body = await request.json()
        try:
            self.fail(str(body.get("mode", "ok")), int(body.get("times", 0)))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"mode": self.mode, "times": self.times})

    async def _set_pace(self, request: web.Request) -> web.Response:
        self.pace = Pace(**await request.json())
        return web.json_response(asdict(self.pace))

    async def _set_script(self, request: web.Request) -> web.Response:
        """Queue scripted answers: ``{"say": "text"}`` or ``{"call": "name", "arguments": {...}}``."""
        body = await request.json()
        if "say" in body:
            self.say_next(str(body["say"]))
        if "call" in body:
            self.call_next(str(body["call"]), body.get("arguments", {}))
        return web.json_response({"answers": len(self.answers), "tool_calls": len(self.tool_calls)})

    async def _reset(self, _: web.Request) -> web.Response:
        self.stats = Stats(concurrent=self.stats.concurrent)
        self.mode, self.times = "ok", 0
        self._peers.clear()
        self.answers.clear()
        self.tool_calls.clear()
        return web.json_response({})

    async def _get_stats(self, _: web.Request) -> web.Response:
        stats = asdict(self.stats)
        prompts = list(stats.pop("prompts"))
        seen = {"last_user_messages": self.stats.last_user_messages, "prompts": prompts}
        return web.json_response({**stats, **seen})

    # --- the model server ------------------------------------------------------------------------------------------

    def _denied(self, request: web.Request) -> web.Response | None:
        if self.api_key and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return web.json_response({"error": {"message": "Unauthorized"}}, status=401)
        return None

    async def _health(self, request: web.Request) -> web.Response:
        if self.mode == "refuse" and request.transport is not None:
            request.transport.close()
        return web.Response(status=500 if self.mode == "500" else 200)

    async def _models(self, request: web.Request) -> web.Response:
        names = [*self.models, *self.stats.adapters]
        cards = [{"id": name, "object": "model", "max_model_len": 2048} for name in names]
        return self._denied(request) or web.json_response({"object": "list", "data": cards})

    async def _load(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        if name in self.stats.adapters:
            return web.json_response({"error": {"message": f"adapter {name} is already loaded"}}, status=400)
        self.stats.adapters.append(name)
        return web.Response(text="Success")

    async def _unload(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        if name not in self.stats.adapters:
            return web.json_response({"error": {"message": f"adapter {name} is not loaded"}}, status=404)
        self.stats.adapters.remove(name)
        return web.Response(text="Success")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        denied = self._denied(request)
        if denied is not None:
            return denied
        body = await request.json()
        stats = self.stats
        stats.requests += 1
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        if peer not in self._peers:
            self._peers.add(peer)
            stats.connections += 1
        stats.concurrent += 1
        stats.max_concurrent = max(stats.max_concurrent, stats.concurrent)
        try:
            response = await self._answer(request, body)
            stats.answered += 1
        except (asyncio.CancelledError, ConnectionError):
            stats.cancelled += 1
            raise
        else:
            return response
        finally:
            self.stats.concurrent -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        users = [m["content"] for m in body["messages"] if m["role"] == "user"]
        question = str(users[-1]) if users else ""
        self.stats.prompts.append(
            {
                "last_user": question,
                "model": body.get("model"),
                "messages": body["messages"],
                "stream": body.get("stream"),
                "wishes": {key: value for key, value in body.items() if key != "messages"},
            }
        )
        if body.get("model") not in {*self.models, *self.stats.adapters}:
            return _error(404, f"The model `{body.get('model')}` does not exist.")
        mode = self._take_fault()
        if mode == "hang":
            await asyncio.Event().wait()
        if mode == "refuse":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if mode in {"500", "429", "400"}:
            return _error(int(mode), f"fault {mode} switched on")
        if self.tool_calls and mode == "ok":
            return await self._send(request, body, [], self.tool_calls.popleft(), mode)
        text = "" if mode == "empty" else self.answers.popleft() if self.answers else answer_to(question)
        limit = int(body.get("max_tokens") or body.get("max_completion_tokens") or 1_000_000)
        return await self._send(request, body, _tokens(text)[:limit], None, mode)

    async def _send(
        self,
        request: web.Request,
        body: dict[str, Any],
        tokens: list[str],
        call: tuple[str, dict[str, Any]] | None,
        mode: str,
    ) -> web.StreamResponse:
        usage = _usage(body, tokens)
        finish = "tool_calls" if call else "stop"
        if self.pace.first_token_s:
            await asyncio.sleep(self.pace.first_token_s)
        if not body.get("stream"):
            message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens) or None}
            if call:
                message["tool_calls"] = [_call_chunk(call)]
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return web.json_response(
                {
                    "id": "double",
                    "object": "chat.completion",
                    "model": body["model"],
                    "choices": [choice],
                    "usage": usage,
                }
            )
        return await self._stream(request, body, tokens, call, mode)

    async def _stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        tokens: list[str],
        call: tuple[str, dict[str, Any]] | None,
        mode: str,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if mode == "garbage":
            await response.write(b"data: {this is not json\n\n")
            return response
        frames = [_frame(body, {"role": "assistant", "content": ""})]
        frames += [_frame(body, {"content": token}) for token in tokens]
        if call:
            frames.append(_frame(body, {"tool_calls": [_call_chunk(call)]}))
        broken = mode in {"stall", "cut"}
        gap_s = 1 / self.pace.tokens_per_s if self.pace.tokens_per_s else 0.0
        if gap_s or broken:
            for frame in frames[: 1 + TOKENS_BEFORE_FAULT] if broken else frames:
                await response.write(frame)
                await asyncio.sleep(gap_s)
            frames = []
        if mode == "stall":
            await asyncio.Event().wait()
        if mode == "cut":
            if request.transport is not None:
                request.transport.close()
            return response
        frames.append(_frame(body, {}, finish="tool_calls" if call else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            frames.append(
                _event({"id": "double", "model": body["model"], "choices": [], "usage": _usage(body, tokens)})
            )
        frames.append(b"data: [DONE]\n\n")
        await response.write(b"".join(frames))
        await response.write_eof()
        return response


def _tokens(text: str) -> list[str]:
    """Words with their leading space, about as a model's tokens come."""
    words = text.split(" ")
    return [word if i == 0 else f" {word}" for i, word in enumerate(words)] if text else []


def _usage(body: dict[str, Any], tokens: list[str]) -> dict[str, int]:
    prompt = sum(len(str(message.get("content") or "").split()) + 4 for message in body["messages"])
    return {"prompt_tokens": prompt, "completion_tokens": len(tokens), "total_tokens": prompt + len(tokens)}


def _call_chunk(call: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    name, arguments = call
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"index": 0, "id": f"call-{name}", "type": "function", "function": function}


def _frame(body: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({"id": "double", "object": "chat.completion.chunk", "model": body["model"], "choices": [choice]})


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def _error(status: int, message: str) -> web.Response:
    headers = {"Retry-After": "1"} if status == 429 else {}
    return web.json_response({"error": {"message": message, "code": status}}, status=status, headers=headers)


async def run(double: ModelDouble) -> None:
    """Serve until SIGTERM or SIGINT; the first line of output is the base URL."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with double:
        print(double.base_url, flush=True)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens-per-s", type=float, default=0.0, help="0 = at once")
    parser.add_argument("--first-token-s", type=float, default=0.0)
    parser.add_argument("--model", action="append", help="served name; repeatable")
    parser.add_argument("--api-key", default=os.environ.get("VLLM_API_KEY", ""))
    arguments = parser.parse_args()
    pace = Pace(arguments.tokens_per_s, arguments.first_token_s)
    names = tuple(arguments.model or ()) or ("HuggingFaceTB/SmolLM2-135M-Instruct",)
    asyncio.run(run(ModelDouble(pace, models=names, api_key=arguments.api_key, port=arguments.port)))


if __name__ == "__main__":
    main()
