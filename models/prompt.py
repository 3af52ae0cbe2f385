"""Fits a conversation into the model's context, counting tokens as the model server will.

The prompt's stable part (system message with its tools) always comes first, so the server's prefix cache keeps it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from models.chat import ChatMessage, QuestionTooLong, ToolSpec

TEMPLATE_PATH = Path(__file__).with_name("chat_template.jinja")
ESTIMATE_BYTES_PER_TOKEN = 2.5  # pessimistic for every language the demo vocabulary knows: the estimate errs upwards
ESTIMATE_TOKENS_PER_MESSAGE = 8

T = TypeVar("T")


class TokenCounter(Protocol):
    """Knows what a prompt costs before it is sent."""

    def count(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """Tokens of the rendered prompt, including the opening of the answer."""
        ...


@lru_cache(maxsize=1)
def template_digest() -> str:
    """The sha256 of the chat template in hex; part of every release."""
    return hashlib.sha256(TEMPLATE_PATH.read_bytes()).hexdigest()


def wire_messages(messages: Sequence[ChatMessage]) -> list[dict[str, object]]:
    """The messages in the shape of an OpenAI chat request."""
    return [_wire_message(message) for message in messages]


def wire_tools(tools: Sequence[ToolSpec]) -> list[dict[str, object]]:
    """The tools in the shape of an OpenAI chat request."""
    return [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
        }
        for t in tools
    ]


def _wire_message(message: ChatMessage) -> dict[str, object]:
    wire: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


class Template:
    """The chat template, rendered under the same settings as the model server's own renderer."""

    def __init__(self, path: Path = TEMPLATE_PATH) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = _to_json
        self._template = environment.from_string(path.read_text(encoding="utf-8"))

    def render(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = (), *, answer_follows: bool = True
    ) -> str:
        """The prompt text; ``answer_follows`` adds the opening of the assistant's turn."""
        return self._template.render(
            messages=[_parsed_arguments(message) for message in wire_messages(messages)],
            tools=wire_tools(tools),
            add_generation_prompt=answer_follows,
        )


def _to_json(value: object) -> str:
    """JSON without HTML escapes and with keys in their own order, as the server's renderer writes it."""
    return json.dumps(value, ensure_ascii=False)


def _parsed_arguments(message: dict[str, object]) -> dict[str, object]:
    """Turn each tool call's argument text into the object the model server hands to its template."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    parsed = []
    for call in calls:
        function = call["function"]
        parsed.append({**call, "function": {**function, "arguments": _arguments(function["arguments"])}})
    return {**message, "tool_calls": parsed}


def _arguments(text: str) -> object:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return text
    return value if isinstance(value, Mapping) else text


class ExactCounter:
    """Counts with the served model's own ``tokenizer.json``: equal to the server's ``usage.prompt_tokens``."""

    def __init__(self, tokenizer_path: Path, template: Template | None = None) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer_path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._template = template or Template()

    def count(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """Tokens of the rendered prompt, including the opening of the answer."""
        text = self._template.render(messages, tools)
        # a batch of one: unlike `encode` it lets other threads run meanwhile
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0])


class EstimatedCounter:
    """Guesses upwards from the text's size, for a remote model whose tokenizer is not at hand."""

    def count(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """Tokens the prompt should not exceed."""
        size = sum(len(json.dumps(wire, ensure_ascii=False).encode()) for wire in wire_tools(tools))
        for message in messages:
            size += len(message.content.encode("utf-8", "replace"))
            size += sum(len(call.name) + len(call.arguments.encode()) for call in message.tool_calls)
        return int(size / ESTIMATE_BYTES_PER_TOKEN) + ESTIMATE_TOKENS_PER_MESSAGE * (len(messages) + 1)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages ready to send; ``dropped`` history messages did not fit."""

    messages: tuple[ChatMessage, ...]
    prompt_tokens: int
    dropped: int = 0


class PromptBudget:
    """Keeps prompts inside the context: the system message and the question whole, history as far as it fits."""

    longest_token_chars = 256  # no vocabulary has longer tokens: text past this many per token is refused uncounted

    def __init__(self, counter: TokenCounter, context_tokens: int) -> None:
        self._counter = counter
        self._aside = ThreadPoolExecutor(1, "prompts")
        self.context_tokens = context_tokens

    @property
    def template_digest(self) -> str:
        """The sha256 of the chat template in hex."""
        return template_digest()

    async def aside(self, work: Callable[[], T]) -> T:
        """Do counting ``work`` in a thread of its own: a long talk takes tens of ms, which the event loop has not."""
        return await asyncio.get_running_loop().run_in_executor(self._aside, work)

    def count(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = ()) -> int:
        """Tokens of a prompt made of exactly these messages."""
        return self._counter.count(messages, tools)

    def fit(
        self,
        system: str,
        history: Sequence[ChatMessage],
        question: str,
        *,
        max_answer_tokens: int,
        tools: Sequence[ToolSpec] = (),
        steps: Sequence[ChatMessage] = (),
    ) -> Prompt:
        """Build the prompt that leaves ``max_answer_tokens`` free; the oldest exchanges are dropped first.

        An exchange is a user message with everything up to the next one, so a reply never loses its question.
        ``steps`` are this turn's tool calls and results: they follow the question and are never dropped.
        Raises QuestionTooLong when system message, question and steps alone do not fit.
        """
        limit = self.context_tokens - max_answer_tokens
        if len(question) > limit * self.longest_token_chars:
            raise QuestionTooLong(len(question) // self.longest_token_chars, limit)
        head = (ChatMessage("system", system),)
        tail = (ChatMessage("user", question), *steps)
        starts = _exchange_starts(history)

        def attempt(first: int) -> Prompt:
            messages = (*head, *history[first:], *tail)
            return Prompt(messages, self._counter.count(messages, tools), first)

        best = attempt(0)
        if best.prompt_tokens <= limit:
            return best
        best = attempt(len(history))
        if best.prompt_tokens > limit:
            raise QuestionTooLong(best.prompt_tokens, limit)
        low, high = 1, len(starts)  # the smallest index into starts that fits; len(starts) means none kept
        while low < high:
            middle = (low + high) // 2
            candidate = attempt(starts[middle])
            if candidate.prompt_tokens <= limit:
                best, high = candidate, middle
            else:
                low = middle + 1
        return best


def _exchange_starts(history: Sequence[ChatMessage]) -> list[int]:
    """Positions where an exchange begins; always holds 0 when there is any history."""
    starts = [i for i, message in enumerate(history) if message.role == "user"]
    if history and (not starts or starts[0] != 0):
        starts.insert(0, 0)
    return starts


def open_budget(folder: Path | None, context_tokens: int) -> PromptBudget:
    """A budget that is exact when ``folder`` holds the served model's tokenizer.json, else estimated."""
    path = folder / "tokenizer.json" if folder is not None else None
    if path is not None and path.is_file():
        return PromptBudget(ExactCounter(path), context_tokens)
    return PromptBudget(EstimatedCounter(), context_tokens)
