"""What code decides about a message before the model sees it: the kinds of plan, and the state a plan works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A call that is not complete yet, as stored in the ``dialogue`` row; ``tool`` is empty while none is due.

    ``asked`` is the slot that was asked for last, ``tries`` how often in a row the answer was not understood.
    """

    tool: str = ""
    slots: Mapping[str, Any] = field(default_factory=dict)
    asked: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that waits for this customer's yes (a ``tool_request`` of kind confirm that has not expired)."""

    request_id: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Code decides nothing: knowledge and the model answer. Dialogue and pending request stay as they are."""


@dataclass(frozen=True, slots=True)
class Call:
    """Every argument is known: run the tool, after the customer's yes where its policy wants one.

    ``summary`` is the question to confirm in the customer's language and ``replies`` its buttons. ``replaces`` is a
    pending request that this call supersedes. After the run the dialogue is kept as (tool, slots, asked =
    ``result.data["ask"]``) where the result has such a key, and cleared where it has none.
    """

    tool: str
    arguments: Mapping[str, Any]
    slots: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    replies: tuple[str, ...] = ()
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Force:
    """The call is due; the model fills ``missing`` by structured output (tool_choice = the tool's name).

    What the tool's schema marks as the customer's words is filled in by code and stands in neither. ``otherwise`` is
    asked where the customer said nothing that could be filled in.
    """

    tool: str
    known: Mapping[str, Any]
    missing: tuple[str, ...]
    slots: Mapping[str, Any] = field(default_factory=dict)
    otherwise: Ask | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """The call is due but needs something only the customer knows: say ``text``, store the dialogue.

    ``missing`` are all required arguments that are open, ``asked`` the one the text asks for; ``tries`` is stored too.
    ``replaces`` is a pending request that is void now.
    """

    tool: str
    text: str
    slots: Mapping[str, Any]
    asked: str
    missing: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    tries: int = 0
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The customer said yes to this pending request: run it."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The customer said no to this pending request: refuse it, say ``text``, clear the dialogue."""

    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Say:
    """Nothing to call: say ``text`` and clear the dialogue."""

    text: str
    replies: tuple[str, ...] = ()


Plan = NoPlan | Call | Force | Ask | Confirmed | Declined | Say
