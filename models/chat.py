"""The vocabulary between the engine and any model: messages, tools, deltas, deadlines and errors.

Errors, all raised by ``LLM.chat`` while it is iterated::

    ModelError
    ├── ModelUnavailable     nothing answers: connection refused or reset, 5xx
    │   └── UnknownModel     it answers, but does not serve that name (404)
    ├── ModelBusy            the server asks to wait (429); carries retry_after_s
    ├── ModelTimeout         first_token, gap or total deadline passed; carries the stage
    ├── ModelProtocolError   garbage, a stream cut before its end, an empty answer
    └── ModelRefused         the request itself is at fault (400 class): unknown model, context too long
        └── QuestionTooLong  the customer's text alone does not fit; never sent
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]
Stage = Literal["first_token", "gap", "total"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants run; ``arguments`` is the JSON text exactly as generated, not yet checked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One entry of a prompt; ``tool_calls`` only with role assistant, ``tool_call_id`` only with role tool."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What the model is told about a function; ``parameters`` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one exchange as the model server counted them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer: text to append, complete tool calls, or the end with its reason and usage."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are chosen; ``max_tokens`` bounds the answer, not the prompt. Part of a release."""

    temperature: float = 0.0
    max_tokens: int = 256
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float = 1.0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the model may stay silent, in seconds from dispatch or from the previous token."""

    first_token_s: float = 8.0
    gap_s: float = 10.0
    total_s: float = 60.0


class ModelState(StrEnum):
    """Whether turns may be dispatched: still loading, ready, or down (a restart is on its way)."""

    LOADING = "loading"
    READY = "ready"
    DOWN = "down"


class LLM(Protocol):
    """Anything that streams a chat answer."""

    def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        model: str,
        decoding: Decoding,
        deadlines: Deadlines,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
    ) -> AsyncIterator[Delta]:
        """Stream one answer; closing or cancelling the iterator stops the generation upstream.

        ``tool_choice`` is ``auto``, ``none``, ``required`` or a tool's name. The last delta carries the finish
        reason and the usage. Raises the errors of this module; nothing is ever retried here.
        """
        ...


class ModelError(Exception):
    """Root of everything a model can do wrong."""


class ModelUnavailable(ModelError):
    """Nothing answered at the model's address; check that the model server runs, then try again."""


class UnknownModel(ModelUnavailable):
    """The server does not serve the name it was asked for; load it, or ask for another one."""


class ModelBusy(ModelError):
    """The model server is full; try again after ``retry_after_s`` seconds (None: it did not say)."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelTimeout(ModelError):
    """The model stayed silent past a deadline; ``stage`` says which one."""

    def __init__(self, stage: Stage, limit_s: float) -> None:
        super().__init__(f"the model passed its {stage} deadline of {limit_s:g} s; raise it or use a faster model")
        self.stage: Stage = stage
        self.limit_s = limit_s


class ModelProtocolError(ModelError):
    """The answer could not be read or ended early; what had arrived must not be sent."""


class ModelRefused(ModelError):
    """The model server rejected the request; repeating it unchanged will not help."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class QuestionTooLong(ModelRefused):
    """The customer's text together with the system message exceeds the context; ask for a shorter message."""

    def __init__(self, needed_tokens: int, limit_tokens: int) -> None:
        super().__init__(
            f"the message needs {needed_tokens} tokens and {limit_tokens} are left; ask for a shorter one "
            "or raise model.context_tokens"
        )
        self.needed_tokens = needed_tokens
        self.limit_tokens = limit_tokens
