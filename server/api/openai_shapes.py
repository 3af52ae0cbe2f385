"""OpenAI's chat API on the wire: what its clients send, and the documents and chunks they read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from models.chat import ChatMessage, Decoding, ToolCall, ToolSpec, Usage
from server.problems import Problem

MOST_MESSAGES = 500
MOST_TOOLS = 64
MOST_STOPS = 4
ROLES: dict[str, Literal["system", "user", "assistant", "tool"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Loose(BaseModel):
    """What these clients send grows with every version: fields that change nothing here are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Function(_Loose):
    """A function the calling program offers."""

    name: Name
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


class OfferedTool(_Loose):
    """One entry of ``tools``."""

    type: Literal["function"]
    function: Function


class CalledFunction(_Loose):
    """A function the model called earlier; ``arguments`` is JSON text."""

    name: Name
    arguments: str


class EarlierCall(_Loose):
    """One entry of an assistant message's ``tool_calls``."""

    id: Annotated[str, StringConstraints(max_length=200)]
    type: Literal["function"] = "function"
    function: CalledFunction


class Part(_Loose):
    """A piece of a message's content; only text can be read."""

    type: str
    text: str = ""


class Message(_Loose):
    """One message of the dialogue."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[EarlierCall] | None = None
    tool_call_id: Annotated[str, StringConstraints(max_length=200)] | None = None


class ChoiceFunction(_Loose):
    """The function that must be called."""

    name: Name


class NamedChoice(_Loose):
    """``tool_choice`` as an object."""

    type: Literal["function"]
    function: ChoiceFunction


class StreamOptions(_Loose):
    """What a stream ends with."""

    include_usage: bool = False


class ChatBody(_Loose):
    """A chat completion as OpenAI's clients ask for it."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MOST_STOPS)] | None = None
    seed: int | None = None
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[OfferedTool], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedChoice | None = None

    def choice(self) -> str | None:
        """``tool_choice`` as models take it: a word, or a tool's name; raises a 400 problem for an unknown tool."""
        if self.tool_choice is None or isinstance(self.tool_choice, str):
            return self.tool_choice
        name = self.tool_choice.function.name
        if name not in {tool.function.name for tool in self.tools or ()}:
            raise bad(f"tool_choice names {name!r}, which is none of the tools; offer it in tools.", "tool_choice")
        return name

    def specs(self) -> tuple[ToolSpec, ...]:
        """The offered functions as models take them."""
        functions = [tool.function for tool in self.tools or ()]
        return tuple(ToolSpec(each.name, each.description, each.parameters) for each in functions)

    def decoding(self, base: Decoding) -> Decoding:
        """The release's way of choosing tokens with the caller's wishes; never more tokens than the release allows."""
        wished = self.max_completion_tokens or self.max_tokens or base.max_tokens
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or base.stop)
        formatted = self.response_format or {}
        extra = {**base.extra, "response_format": formatted} if self.structured else base.extra
        return Decoding(
            temperature=base.temperature if self.temperature is None else self.temperature,
            max_tokens=min(wished, base.max_tokens),
            top_p=base.top_p if self.top_p is None else self.top_p,
            seed=base.seed if self.seed is None else self.seed,
            stop=stop,
            repetition_penalty=base.repetition_penalty,
            extra=extra,
        )

    @property
    def structured(self) -> bool:
        """Whether the answer is JSON for a program, which footnotes would spoil."""
        return bool((self.response_format or {}).get("type", "text") != "text")

    def chat(self) -> list[ChatMessage]:
        """The dialogue as models take it; raises a 400 problem for content that is no text."""
        return [_message(number, message) for number, message in enumerate(self.messages)]


def _message(number: int, message: Message) -> ChatMessage:
    content = message.content
    if isinstance(content, list):
        if any(part.type != "text" for part in content):
            raise bad("Only text can be read; leave images, audio and files out.", f"messages.{number}.content")
        content = "\n".join(part.text for part in content)
    calls = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ())
    return ChatMessage(ROLES[message.role], content or "", calls, message.tool_call_id)


def bad(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Problem:
    """A refusal that OpenAI's clients raise as BadRequestError, or by its status."""
    return Problem(status, "Invalid request", message, more={"param": param, "code": code})


class Envelope:
    """What every document of one answer has in common: its id, time and model."""

    def __init__(self, completion_id: str, created: int, model: str) -> None:
        self._head = {"id": f"chatcmpl-{completion_id}", "created": created, "model": model}

    def whole(
        self,
        text: str,
        calls: Sequence[ToolCall],
        finish: str,
        usage: Usage,
        citations: Sequence[Mapping[str, Any]] | None,
    ) -> dict[str, Any]:
        """A finished answer; ``citations`` is our own field, absent when nothing was looked up."""
        message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
        if calls:
            message["tool_calls"] = [_call(call) for call in calls]
        if citations is not None:
            message["citations"] = list(citations)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": _usage(usage)}

    def chunk(
        self,
        delta: Mapping[str, Any],
        finish: str | None = None,
        citations: Sequence[Mapping[str, Any]] | None = None,
    ) -> bytes:
        """One event of a stream."""
        choice: dict[str, Any] = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
        body: dict[str, Any] = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        if citations is not None:
            body["citations"] = list(citations)
        return event(body)

    def usage(self, usage: Usage) -> bytes:
        """The event after the last chunk, for callers that asked for it."""
        return event({**self._head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(usage)})


def delta_of_calls(calls: Sequence[ToolCall], first: int) -> dict[str, Any]:
    """Complete tool calls as a stream's delta; ``first`` is how many went before."""
    return {"tool_calls": [{"index": number, **_call(call)} for number, call in enumerate(calls, first)]}


def event(body: Mapping[str, Any]) -> bytes:
    """A server-sent event without a name, as OpenAI's are; half a surrogate pair of a model does not break it."""
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode("utf-8", "replace")


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
