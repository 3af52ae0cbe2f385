"""One case's facts, and how each kind of event changes them: no store, no clock, only what events say.

docs/analytics.md has the definitions in words; this is the only place that folds events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from server.conversation import Outcome, Status

WITH_PEOPLE: Final = frozenset({Status.WAITING.value, Status.CLAIMED.value})
TAKEN: Final = "taken"  # reason of a handoff that staff began by claiming
CARRIED: Final = "carried"  # of a case that opened while people held the conversation already
SPEAKERS: Final = frozenset({"customer", "assistant", "staff"})

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """One event: its number, its kind, when (epoch seconds), and what it says."""

    number: int
    kind: str
    at: float
    body: Body


@dataclass(slots=True)
class CaseFacts:
    """What is known of one case; names and units are the columns of ``fact_case``."""

    case_id: str
    tenant: str
    conversation_id: str
    channel: str
    account: str
    language: str
    opened_at: float
    opened_number: int
    number: int
    last_at: float
    release_id: str | None = None
    closed_at: float | None = None
    closed_by: str | None = None
    next_at: float | None = None
    asked_at: float | None = None
    customer_messages: int = 0
    bot_messages: int = 0
    staff_messages: int = 0
    bot_s: float | None = None
    staff_s: float | None = None
    handed_at: float | None = None
    handed_reason: str | None = None
    handle_s: float = 0.0
    turns: int = 0
    answered: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tools_done: int = 0
    tools_failed: int = 0
    thumbs_up: int = 0
    thumbs_down: int = 0
    sla_met: int = 0
    sla_breached: int = 0
    csat_asked: int = 0
    csat: int | None = None
    nps_asked: int = 0
    nps: int | None = None

    def hand(self, at: float, reason: str) -> None:
        """People are needed; the first time counts."""
        if self.handed_at is None:
            self.handed_at, self.handed_reason = at, reason

    def said(self, role: str, at: float) -> None:
        """Somebody spoke; notices of the service do not count."""
        self.last_at = at
        if role == "customer":
            self.customer_messages += 1
            self.asked_at = at if self.asked_at is None else self.asked_at
        elif role == "assistant":
            self.bot_messages += 1
            if self.bot_s is None and self.asked_at is not None:
                self.bot_s = at - self.asked_at
        else:
            self.staff_messages += 1
            since = self.handed_at if self.handed_at is not None else self.asked_at
            if self.staff_s is None and since is not None:
                self.staff_s = at - since

    def turned(self, body: Body) -> None:
        """A turn of the bot ended."""
        calls = body.get("calls") or {}
        self.turns += 1
        self.answered += body.get("outcome") == Outcome.ANSWERED.value
        self.release_id = self.release_id or body.get("release")
        self.prompt_tokens += int(body.get("prompt_tokens") or 0)
        self.completion_tokens += int(body.get("completion_tokens") or 0)
        self.tools_done += int(calls.get("done", 0))
        self.tools_failed += int(calls.get("failed", 0))

    def rated(self, before: str | None, value: str | None) -> None:
        """The last word on one of its answers changed."""
        self.thumbs_up += (value == "up") - (before == "up")
        self.thumbs_down += (value == "down") - (before == "down")

    def promised(self, body: Body) -> None:
        """A promise of staff to answer or finish in time was met or missed; one that fell away does not count."""
        self.sla_met += body.get("outcome") == "met"
        self.sla_breached += body.get("outcome") == "missed"

    def surveyed(self, body: Body) -> None:
        """The customer was asked, or gave a score."""
        asked, csat = body.get("state") == "asked", body.get("kind") == "csat"
        if asked and csat:
            self.csat_asked = 1
        elif asked:
            self.nps_asked = 1
        elif body.get("state") == "scored" and csat:
            self.csat = int(body["score"])
        elif body.get("state") == "scored":
            self.nps = int(body["score"])


@dataclass(slots=True)
class Span:
    """A time in which a case waited for, or was with, people."""

    case_id: str
    from_number: int
    kind: str
    from_at: float
    to_at: float | None = None


@dataclass(slots=True)
class Thread:
    """Where folding stands in one conversation."""

    conversation_id: str
    tenant: str
    channel: str
    account: str
    language: str
    status: str = Status.BOT.value
    case: CaseFacts | None = None
    last: CaseFacts | None = None
    span: Span | None = None
    changed: dict[str, CaseFacts] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)  # message id -> case id, of answers since loaded

    def fold(self, event: Happened) -> None:
        """Take in one event of this conversation, in order; kinds of no account change nothing."""
        step = _STEPS.get(event.kind)
        if step is not None:
            step(self, event)

    def _touch(self, case: CaseFacts, event: Happened) -> CaseFacts:
        case.number = event.number
        self.changed[case.case_id] = case
        return case

    def _opened(self, event: Happened) -> None:
        body = event.body
        earlier = self.case or self.last
        if earlier is not None:
            earlier.next_at = event.at
            self._touch(earlier, event)
        self._end_span(event)
        self.case = CaseFacts(
            str(body["case_id"]), self.tenant, self.conversation_id, body.get("channel", self.channel),
            body.get("account", self.account), body.get("language", self.language), event.at, event.number,
            event.number, event.at,
        )  # fmt: skip
        self._touch(self.case, event)
        if self.status in WITH_PEOPLE:
            self.case.hand(event.at, CARRIED)
            self._begin_span(event)

    def _closed(self, event: Happened) -> None:
        if self.case is None or self.case.case_id != event.body.get("case_id"):
            return
        self._end_span(event)
        by = str(event.body.get("by") or "")
        self._touch(self.case, event)
        self.case.closed_at, self.case.closed_by = event.at, by if by in {"idle", "platform"} else "staff"
        self.case, self.last = None, self.case

    def _changed(self, event: Happened) -> None:
        status = str(event.body.get("status"))
        if status == self.status:
            return
        self._end_span(event)
        self.status = status
        if self.case is None or status not in WITH_PEOPLE:
            return
        reason = event.body.get("reason")
        waits = status == Status.WAITING.value and reason
        self._touch(self.case, event).hand(event.at, str(reason) if waits else TAKEN)
        self._begin_span(event)

    def _begin_span(self, event: Happened) -> None:
        assert self.case is not None  # both callers looked
        self.span = Span(self.case.case_id, event.number, self.status, event.at)
        self.spans.append(self.span)

    def _end_span(self, event: Happened) -> None:
        span, self.span = self.span, None
        if span is None or self.case is None:
            return
        span.to_at = event.at
        if span not in self.spans:
            self.spans.append(span)
        if span.kind == Status.CLAIMED.value:
            self._touch(self.case, event).handle_s += event.at - span.from_at

    def _said(self, event: Happened) -> None:
        role = event.body.get("role")
        if self.case is None or role not in SPEAKERS:
            return
        self._touch(self.case, event).said(str(role), event.at)
        if role == "assistant":
            self.answers[str(event.body["id"])] = self.case.case_id

    def _turned(self, event: Happened) -> None:
        if self.case is not None:
            self._touch(self.case, event).turned(event.body)


_STEPS: Final[Mapping[str, Callable[[Thread, Happened], None]]] = {
    "case_opened": Thread._opened,  # noqa: SLF001 - the table of this very class
    "case_closed": Thread._closed,  # noqa: SLF001
    "state": Thread._changed,  # noqa: SLF001
    "message": Thread._said,  # noqa: SLF001
    "turn_ended": Thread._turned,  # noqa: SLF001
}
