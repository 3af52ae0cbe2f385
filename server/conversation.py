"""The conversation as a pure state machine: what happened, who may speak next. No io, no clock.

::

              PersonAsked            Claimed
       bot ───────────────▶ waiting ─────────▶ claimed
        ▲  ◀─────────────── │ ◀────────────────── │
        │    ModelReturned  │     Transferred     │
        │                   │ Returned            │ Returned
        └───────────────────┴─────────────────────┘
       any ── Closed ─▶ closed ── CustomerSaid ─▶ bot (a new case)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never


class ConversationError(Exception):
    """Root of what this module raises."""


class Refused(ConversationError):
    """The event is impossible in the present state; the message says what is and what to do."""


class NotFound(ConversationError):
    """There is no such conversation (or it is not yours); check the id."""


class SignedOut(ConversationError):
    """The session that asks ended when its customer signed out; start a new one."""


class Status(StrEnum):
    """Who holds the conversation."""

    BOT = "bot"
    WAITING = "waiting"
    CLAIMED = "claimed"
    CLOSED = "closed"


class Reason(StrEnum):
    """Why a conversation waits for a person."""

    CUSTOMER_ASKED = "customer_asked"
    TOOL = "tool"
    RULE = "rule"
    LOW_CONFIDENCE = "low_confidence"
    REPEATED_FAILURE = "repeated_failure"
    MODEL_DOWN = "model_down"
    BOT_OFF = "bot_off"
    UNDELIVERED = "undelivered"
    TRANSFERRED = "transferred"
    CLAIMER_SILENT = "claimer_silent"


AMONG_PEOPLE = frozenset({Reason.TRANSFERRED.value, Reason.CLAIMER_SILENT.value})
"""Reasons of a wait between two people: the bot does not answer meanwhile."""


DEVICE = "device"
"""Owner of a conversation that staff answered from the phone: nobody in particular, so any of them may take it over."""


class Outcome(StrEnum):
    """How a turn ended; every turn has exactly one."""

    ANSWERED = "answered"
    GRACEFUL = "graceful"
    HANDED_OVER = "handed_over"


EVENT_KINDS: dict[str, str] = {
    "alert": "a customer has waited too long for a person",
    "message": "somebody said something: customer, assistant, staff, or a notice of the service",
    "draft_started": "an answer is being written; its text travels as ephemeral draft frames",
    "draft_ended": "that draft ended in exactly one of final, replaced, withdrawn",
    "state": "who holds the conversation changed: bot, waiting, claimed, closed",
    "turn_ended": "a turn got its outcome: answered, graceful, handed_over",
    "feedback": "a message was rated, or its rating withdrawn",
    "case_opened": "an episode began",
    "case_closed": "an episode ended",
    "session_ended": "the visitor signed out of this conversation",
    "delivery": "what became of a message sent to a platform: sent, delivered, read, failed and the like",
    "message_edited": "the customer changed an earlier message",
    "account": "a channel account lost its access to the platform, or has it back",
    "release": "what is live or on trial changed: published, candidate, judged, canary, promoted, rolled back",
    "correction": "staff said what an answer should have been",
    "example": "somebody judged an example for training, or changed its words",
    "retrain": "a retrain began, went on, or ended",
    "switch": "the bot was silenced or un-silenced for a channel account or everywhere",
    "note": "staff wrote something to each other; the customer never sees it",
    "labels": "which labels a conversation carries changed",
    "priority": "how urgent a conversation is changed",
    "snooze": "a conversation was put off until a time, or came back",
    "scheduled": "a message of staff waits for its moment; until then it can be taken back",
    "unscheduled": "such a message was taken back, or was not sent because the conversation changed hands",
    "transfer": "a conversation was given to another person or team, or taken from a claimer who stayed silent",
    "sla": "a promise to answer or finish in time was met, was missed, or fell away",
    "survey": "a customer was asked about a case that is over, or answered",
    "presence": "somebody of the staff is online, busy or away",
    "customer": "a customer was changed, merged, unmerged, or is being or was erased",
    "ticket": "a ticket was opened, changed, closed or opened again",
}


@dataclass(frozen=True, slots=True)
class State:
    """All that decides who may speak; ``owner_epoch`` rises with each claim and fences bot sends made before it."""

    status: Status = Status.BOT
    reason: str | None = None
    waiting_since: float | None = None
    owner: str | None = None
    owner_epoch: int = 0


@dataclass(frozen=True, slots=True)
class CustomerSaid:
    """The customer wrote."""


@dataclass(frozen=True, slots=True)
class PersonAsked:
    """A person is needed; ``at_s`` epoch seconds starts the wait."""

    reason: Reason
    at_s: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """A member of staff took the conversation."""

    by: str


@dataclass(frozen=True, slots=True)
class Returned:
    """Staff gave the conversation back to the bot."""

    by: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """Staff gave the conversation to a colleague, or to the queue (``to`` None); ``by`` None: a timer did.

    ``force`` lets an admin take it from somebody else. ``at_s`` (epoch seconds) starts a wait in the queue.
    """

    by: str | None
    to: str | None
    at_s: float
    reason: Reason = Reason.TRANSFERRED
    force: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """Somebody ended the case."""

    by: str


@dataclass(frozen=True, slots=True)
class ModelReturned:
    """The model answered after all, so a wait it caused is over."""


Event = CustomerSaid | PersonAsked | Claimed | Returned | Transferred | Closed | ModelReturned


def apply(state: State, event: Event) -> State:
    """The state after ``event``; raises Refused when staff race each other or act on nothing."""
    match event:
        case CustomerSaid():
            return replace(state, status=Status.BOT, reason=None) if state.status is Status.CLOSED else state
        case PersonAsked(reason, at_s):
            return _ask(state, reason, at_s)
        case Claimed() | Returned() | Transferred():
            return _moved(state, event)
        case Closed():
            if state.status is Status.CLOSED:
                raise Refused("the conversation is already closed")
            return State(Status.CLOSED, owner_epoch=state.owner_epoch + 1)
        case ModelReturned():
            waited_for_model = state.status is Status.WAITING and state.reason == Reason.MODEL_DOWN
            return State(Status.BOT, owner_epoch=state.owner_epoch) if waited_for_model else state
        case _:
            assert_never(event)


def _ask(state: State, reason: Reason, at_s: float) -> State:
    if state.status is Status.CLAIMED:
        return state
    if state.status is Status.WAITING:
        # a customer's own wish outranks what the machine noticed, but never restarts the wait
        wish = reason is Reason.CUSTOMER_ASKED
        return replace(state, reason=reason) if wish else state
    return replace(state, status=Status.WAITING, reason=reason, waiting_since=at_s)


def _moved(state: State, move: Claimed | Returned | Transferred) -> State:
    match move:
        case Claimed(by):
            return _claim(state, by)
        case Returned(by):
            return _give_back(state, by)
        case _:
            return _transfer(state, move)


def _claim(state: State, by: str) -> State:
    if state.status is Status.CLAIMED and state.owner != DEVICE:
        if by in {state.owner, DEVICE}:
            return state
        raise Refused("another member of staff holds the conversation; ask for a transfer")
    if state.owner == by:
        return state
    if state.status is Status.CLOSED:
        raise Refused("the conversation is closed; it opens again when the customer writes")
    return State(Status.CLAIMED, owner=by, owner_epoch=state.owner_epoch + 1)


def _give_back(state: State, by: str) -> State:
    if state.status is Status.WAITING:
        return State(Status.BOT, owner_epoch=state.owner_epoch)
    if state.status is not Status.CLAIMED:
        raise Refused("the bot already holds the conversation")
    if state.owner not in {by, DEVICE}:
        raise Refused("another member of staff holds the conversation; only they can give it back")
    return State(Status.BOT, owner_epoch=state.owner_epoch)


def _transfer(state: State, wish: Transferred) -> State:
    if state.status is Status.CLOSED:
        raise Refused("the conversation is closed; it opens again when the customer writes")
    held = state.status is Status.CLAIMED and state.owner != DEVICE
    if held and wish.by is not None and wish.by != state.owner and not wish.force:
        raise Refused("another member of staff holds the conversation; only they, or an admin, can give it away")
    if wish.to is not None:
        if state.owner == wish.to:
            raise Refused("they hold the conversation already")
        return State(Status.CLAIMED, owner=wish.to, owner_epoch=state.owner_epoch + 1)
    since = state.waiting_since if state.status is Status.WAITING else wish.at_s
    return State(Status.WAITING, wish.reason.value, since, owner_epoch=state.owner_epoch + 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """The bot may answer this turn."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The bot stays silent; ``ask`` names the reason when the conversation must start to wait for a person."""

    reason: str
    ask: Reason | None = None


def who_answers(state: State, *, silenced: bool, answer_while_waiting: bool) -> Answer | HandOver:
    """Decide a turn before any model call: the engine only acts on this."""
    if state.status in {Status.CLAIMED, Status.CLOSED}:  # closed by staff since the customer wrote: they have read it
        return HandOver(state.status.value)
    if silenced:
        return HandOver(Reason.BOT_OFF, ask=Reason.BOT_OFF)
    if state.status is Status.WAITING and state.reason in AMONG_PEOPLE:
        return HandOver("waiting")
    if state.status is Status.WAITING and not answer_while_waiting and state.reason != Reason.MODEL_DOWN:
        return HandOver("waiting")
    return Answer()
