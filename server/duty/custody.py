"""Who holds a conversation since when, and which promises begin and end with that: pure, one event after the other.

A *response* promise runs from the moment a customer waits for a person until staff write; a *resolution* promise from
the first handover of a case until it is closed. What goes back to the bot, or is closed unanswered, drops its promise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

PRIORITIES: Final = ("low", "normal", "high", "urgent")
WITH_PEOPLE: Final = frozenset({"waiting", "claimed"})
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,24}(?![\w-])", re.IGNORECASE)

Side = Literal["response", "resolution"]
Kind = Literal["first", "next", "resolution"]


@dataclass(frozen=True, slots=True)
class Custody:
    """What was followed of one conversation; moments are epoch seconds, ``priority`` an index of PRIORITIES."""

    status: str
    since_at: float
    case_id: str | None = None
    priority: int = 1
    customer_at: float | None = None
    staff_at: float | None = None
    email: str | None = None
    email_at: float | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """A promise begins, unless one runs on its side."""

    side: Side
    kind: Kind


@dataclass(frozen=True, slots=True)
class End:
    """The promise of a side is over: ``kept`` when what was promised happened, else it fell away."""

    side: Side
    kept: bool


@dataclass(frozen=True, slots=True)
class Retarget:
    """The running promises are due at another moment: the priority changed."""


Step = Begin | End | Retarget


def follow(
    custody: Custody, kind: str, body: Mapping[str, Any], at_s: float, *, text: str = ""
) -> tuple[Custody, tuple[Step, ...]]:
    """What an event makes of a custody, and the promises it begins and ends; ``text`` is a customer's message."""
    if kind == "state":
        return _held(custody, str(body.get("status")), at_s)
    if kind == "message":
        return _said(custody, str(body.get("role")), at_s, text)
    if kind == "case_opened":
        return replace(custody, case_id=str(body.get("case_id")), staff_at=None), ()
    if kind == "priority" and body.get("priority") in PRIORITIES:
        return replace(custody, priority=PRIORITIES.index(str(body["priority"]))), (Retarget(),)
    return custody, ()


def _held(custody: Custody, status: str, at_s: float) -> tuple[Custody, tuple[Step, ...]]:
    if status == "waiting" and custody.status == "waiting":
        return custody, ()  # another reason, the same wait
    changed = replace(custody, status=status, since_at=at_s)
    match status:
        case "waiting":
            return changed, (_answer(custody), Begin("resolution", "resolution"))
        case "claimed":
            return changed, (Begin("resolution", "resolution"),)
        case "closed":
            return changed, (End("response", kept=False), End("resolution", kept=True))
        case _:
            return changed, (End("response", kept=False), End("resolution", kept=False))


def _said(custody: Custody, role: str, at_s: float, text: str) -> tuple[Custody, tuple[Step, ...]]:
    if role == "staff":
        return replace(custody, staff_at=at_s), (End("response", kept=True),)
    if role != "customer":
        return custody, ()
    said = replace(custody, customer_at=at_s)
    if custody.status not in WITH_PEOPLE:
        return said, ()
    found = address_in(text)
    if found and found != custody.email:
        said = replace(said, email=found, email_at=at_s)
    return said, (_answer(custody),)


def _answer(custody: Custody) -> Begin:
    return Begin("response", "first" if custody.staff_at is None else "next")


def address_in(text: str) -> str | None:
    """The first e-mail address in a text, in lower case."""
    found = _ADDRESS.search(text)
    return found[0].lower() if found else None
