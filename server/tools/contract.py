"""The vocabulary of tools: what one is, who calls it, what comes back.

Errors::

    ToolError            the call failed; the message is for the model and staff, never a stack
    ├── ToolRefused      arguments or caller are not acceptable; nothing was done
    ├── ToolTimeout      no answer in time; for a write the effect is unknown, so the key is used again
    └── ToolUnavailable  the other side cannot be reached; nothing is known to have been done
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from models.chat import ToolSpec

Effect = Literal["read", "write"]


class ToolError(Exception):
    """Root of everything a tool call can do wrong."""


class ToolRefused(ToolError):
    """Arguments or caller are not acceptable; nothing was done."""


class ToolTimeout(ToolError):
    """No answer in time; the effect of a write is unknown."""


class ToolUnavailable(ToolError):
    """The other side cannot be reached; try again later."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a tool runs: always from the conversation, never from arguments.

    ``subject`` is the shop's id of the customer and empty while nobody is verified; ``contact`` is the address on file.
    """

    tenant: str
    conversation_id: str
    channel: str
    account: str
    customer_id: str
    language: str = "en"
    subject: str = ""
    contact: str = ""
    name: str = ""

    @property
    def verified(self) -> bool:
        """Whether the customer proved who they are."""
        return bool(self.subject)


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gave back.

    ``data`` is JSON for the model; ``say`` is the finished text for the customer where the tool knows it (the engine
    then answers with it instead of asking the model again); ``handoff`` is the reason when a person must take over;
    ``ok`` False is an answer too ("taken", "unknown order"); ``replies`` are quick replies offered below the answer.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    say: str = ""
    ok: bool = True
    handoff: str = ""
    replies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """How far a tool may go; ``per_hour`` is per conversation, None = no limit of its own.

    ``approve_above`` maps an argument to the figure above which staff must approve; ``cost`` is what one call takes
    from the conversation's hourly budget; tools for ``staff`` are never offered to the model.
    """

    effect: Effect = "read"
    personal: bool = False
    confirm: bool = False
    approve: bool = False
    timeout_s: float = 10.0
    per_hour: int | None = None
    approve_above: Mapping[str, float] = field(default_factory=dict)
    cost: float = 0.0
    audience: Literal["customer", "staff"] = "customer"


class Tool(Protocol):
    """One function the assistant may call."""

    spec: ToolSpec
    policy: Policy

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Do it; ``key`` is the same for every repeat of the same step. Raises ToolError."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A tool that words the question for the customer's yes itself."""

    def question(self, arguments: Mapping[str, Any], language: str) -> str:
        """The question in the customer's language; empty where the tool has no words for it."""
        ...


@runtime_checkable
class Previewing(Protocol):
    """A tool that knows before the customer is asked for a yes what stands against the call."""

    async def preview(self, arguments: Mapping[str, Any], caller: Caller) -> Result | None:
        """The answer that the call would get now, None when nothing stands against it. Raises ToolError."""
        ...
