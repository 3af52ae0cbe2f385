"""Decides in code what a small model cannot: whether a call is due, which arguments are known, what to ask. Pure.

One message goes through four readings, first hit wins: an answer to a pending confirmation, an answer to what we
asked last, a wish for a person or a tool, nothing. A question in between is never an answer: it gives NoPlan, and the
slots stay as they are until the customer comes back to them or calls them off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.chat import ToolSpec
from server.tools import signals, wishes
from server.tools.booking_plan import BOOK, plan_booking, resume_booking
from server.tools.contract import Caller
from server.tools.customer_words import tells
from server.tools.idle import idle
from server.tools.plans import Ask, Call, Confirmed, Declined, Dialogue, Force, NoPlan, Pending, Plan, Say
from server.tools.replies import say
from server.tools.slots import Said, Vocabulary, listen, read_name

ORDER = "order_status"
IDENTIFY = "confirm_identity"
PAY = "payment_link"
LEAD = "capture_lead"
TICKET = "create_ticket"
HANDOFF = "handoff_to_staff"
CHOSEN = ("category", "priority", "suggested_action")  # of a ticket, by the model; its summary is the customer's words
TRIES = 2  # answers in a row that were not understood before we stop asking
INTEREST_CHARS = 500
SUMMARY_CHARS = 1_000

__all__ = [
    "Ask", "Call", "Confirmed", "Declined", "Dialogue", "Force", "NoPlan", "Pending", "Plan", "Say", "plan",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Turn:
    """Everything one plan is made from."""

    question: str
    said: Said
    history: Sequence[str]
    dialogue: Dialogue
    pending: Pending | None
    caller: Caller
    tools: frozenset[str]
    now: datetime
    vocabulary: Vocabulary

    @property
    def language(self) -> str:
        return self.caller.language


def plan(
    question: str,
    history: Sequence[str],
    dialogue: Dialogue,
    pending: Pending | None,
    caller: Caller,
    tools: Sequence[ToolSpec],
    now: datetime,
    vocabulary: Vocabulary,
) -> Plan:
    """What is to be done about ``question``.

    ``history`` are our own earlier answers, oldest first; ``tools`` what this caller may use; ``now`` is aware and
    read in the shop's time zone.
    """
    now = now.astimezone(ZoneInfo(vocabulary.time_zone))
    said = listen(question, vocabulary, now.date())
    names = frozenset(tool.name for tool in tools)
    turn = _Turn(question, said, history, dialogue, pending, caller, names, now, vocabulary)
    for reading in (_pending, _wishes_that_win, _asked, _wishes, _idle):
        if not isinstance(found := reading(turn), NoPlan):
            return found
    return NoPlan()


def _pending(turn: _Turn) -> Plan:
    """Yes, no, a correction ("no, Thursday"), or something else that leaves the request waiting."""
    pending = turn.pending
    if pending is None:
        return NoPlan()
    if pending.tool == BOOK and BOOK in turn.tools and _corrects(turn):
        slots = dict(pending.arguments)
        found = resume_booking(
            turn.said, turn.question, slots, "", turn.history, turn.caller, turn.vocabulary, turn.now
        )
        return replace(found, replaces=pending.request_id) if isinstance(found, Call | Ask) else found
    if signals.says_yes(turn.said.text):
        return Confirmed(pending.request_id)
    if signals.says_no(turn.said.text) or signals.calls_off(turn.said.text):
        return Declined(pending.request_id, say("declined", turn.language))
    return NoPlan()


def _corrects(turn: _Turn) -> bool:
    said = turn.said
    told = said.when or said.people or said.services
    other = said.order or signals.asks_about_rules(said.text) or wishes.names_ticket(said.text)
    return bool(told) and not other


def _wishes_that_win(turn: _Turn) -> Plan:
    """What a customer may say at any time, also while something else is being arranged."""
    said = turn.said
    if HANDOFF in turn.tools and wishes.wants_person(said.text) and not (said.services and said.when):
        return Call(HANDOFF, {"reason": "customer_asked"})
    if TICKET in turn.tools and wishes.names_ticket(said.text):
        return _ticket(turn)
    if said.sure_order and ORDER in turn.tools and turn.dialogue.tool not in {PAY, TICKET, ""}:
        return _order(turn)
    return NoPlan()


def _asked(turn: _Turn) -> Plan:
    """The answer to what was asked last; a question or another wish is none."""
    dialogue = turn.dialogue
    if not dialogue.tool or dialogue.tool not in turn.tools | {IDENTIFY}:
        return NoPlan()
    if signals.calls_off(turn.said.text):
        return Say(say("dropped", turn.language))
    reader = _READERS.get(dialogue.tool)
    return reader(turn) if reader else NoPlan()


def _asked_order(turn: _Turn) -> Plan:
    if turn.dialogue.asked == "code":
        return _asked_code(turn)
    if turn.said.order:
        return _call_order(turn, ORDER)
    if turn.said.part_order:
        return _ask_order(turn, ORDER, again=True)
    if signals.misses_number(turn.said.text):
        return Say(
            say("help_order_number", turn.language, example=turn.vocabulary.example), (say("person", turn.language),)
        )
    return _not_understood(turn)


def _asked_code(turn: _Turn) -> Plan:
    slots = dict(turn.dialogue.slots)
    if turn.said.code and IDENTIFY in turn.tools:
        known = {"order_number": slots["order_number"]} if slots.get("order_number") else {}
        return Call(IDENTIFY, {"code": turn.said.code} | known, slots)
    if turn.said.order:
        return _call_order(turn, ORDER)
    if signals.misses_code(turn.said.text) and slots.get("order_number"):
        return Call(ORDER, slots, slots)
    return NoPlan()


def _asked_booking(turn: _Turn) -> Plan:
    said, dialogue = turn.said, turn.dialogue
    if signals.wants_change(said.text) or (signals.is_question(turn.question) and not wishes.wants_booking(said)):
        return NoPlan() if not (said.when and not signals.asks_about_rules(said.text)) else _resumed(turn)
    found = _resumed(turn)
    return _not_understood(turn) if isinstance(found, NoPlan) and dialogue.asked else found


def _resumed(turn: _Turn) -> Plan:
    slots = dict(turn.dialogue.slots)
    return resume_booking(
        turn.said, turn.question, slots, turn.dialogue.asked, turn.history, turn.caller, turn.vocabulary, turn.now
    )


def _asked_payment(turn: _Turn) -> Plan:
    if turn.said.order:
        return _call_order(turn, PAY)
    return _not_understood(turn)


def _asked_lead(turn: _Turn) -> Plan:
    if not (turn.said.email or turn.said.phone):
        return _not_understood(turn)
    return _lead(turn, dict(turn.dialogue.slots), only_name=True)


def _asked_ticket(turn: _Turn) -> Plan:
    return _ticket(turn) if tells(turn.question) else _not_understood(turn)


def _ticket(turn: _Turn) -> Plan:
    """A ticket in the customer's words; an order number that they spelled otherwise stands before them as it is."""
    known: dict[str, Any] = {}
    if turn.said.order and turn.said.order not in turn.question:
        known["summary"] = f"{turn.said.order}: {turn.question}"[:SUMMARY_CHARS]
    asked = Ask(TICKET, say("ask_matter", turn.language), {}, "summary", ("summary",))
    return Force(TICKET, known, CHOSEN, otherwise=asked)


_READERS = {
    ORDER: _asked_order,
    IDENTIFY: _asked_order,  # a wrong code asks for the code again
    BOOK: _asked_booking,
    PAY: _asked_payment,
    LEAD: _asked_lead,
    TICKET: _asked_ticket,
}


def _not_understood(turn: _Turn) -> Plan:
    """Ask once more for the same slot; a question, or a second failure, goes to knowledge and the model."""
    dialogue, said = turn.dialogue, turn.said
    other = said.order or wishes.wants_order(said) or wishes.wants_booking(said) or wishes.wants_contact(said.text)
    if other or signals.is_question(turn.question) or not dialogue.asked or dialogue.tries + 1 >= TRIES:
        return NoPlan()
    text = say("not_understood", turn.language)
    if dialogue.asked == "order_number":
        text = say("ask_order_again", turn.language, example=turn.vocabulary.example)
    return Ask(
        dialogue.tool, text, dialogue.slots, dialogue.asked, (dialogue.asked,), (say("person", turn.language),),
        dialogue.tries + 1,
    )  # fmt: skip


def _wishes(turn: _Turn) -> Plan:
    """A wish that this message expresses by itself."""
    said, text = turn.said, turn.said.text
    if BOOK in turn.tools and wishes.wants_booking(said):
        return plan_booking(said, {}, turn.caller, turn.vocabulary)
    if PAY in turn.tools and wishes.wants_to_pay(text):
        return _call_order(turn, PAY) if said.order else _ask_order(turn, PAY)
    if ORDER in turn.tools and wishes.wants_order(said):
        return _order(turn)
    if LEAD in turn.tools and wishes.wants_contact(text):
        return _lead(turn, {"interest": turn.question[:INTEREST_CHARS]}, only_name=False)
    if TICKET in turn.tools and wishes.wants_ticket(text):
        return _ticket(turn)
    return NoPlan()


def _idle(turn: _Turn) -> Plan:
    """A yes, no or ok to nothing; while something was asked for or waits, it is left to those who know of it."""
    if turn.pending is not None or turn.dialogue.tool:
        return NoPlan()
    return idle(turn.said.text, turn.history, turn.language)


def _order(turn: _Turn) -> Plan:
    if signals.hypothetical(turn.said.text) or signals.wants_change(turn.said.text):
        return NoPlan()
    return _call_order(turn, ORDER) if turn.said.order else _ask_order(turn, ORDER)


def _call_order(turn: _Turn, tool: str) -> Plan:
    arguments: dict[str, Any] = {"order_number": turn.said.order}
    if turn.said.email and tool == ORDER:
        arguments["email"] = turn.said.email
    summary = say("confirm_payment", turn.language, order=turn.said.order) if tool == PAY else ""
    return Call(tool, arguments, arguments, summary, _yes_no(turn.language))


def _ask_order(turn: _Turn, tool: str, *, again: bool = False) -> Plan:
    key = "ask_order_again" if again or turn.said.part_order else "ask_order_number"
    slots: dict[str, Any] = {"email": turn.said.email} if turn.said.email else {}
    text = say(key, turn.language, example=turn.vocabulary.example)
    return Ask(tool, text, slots, "order_number", ("order_number",))


def _lead(turn: _Turn, slots: dict[str, Any], *, only_name: bool) -> Plan:
    said, caller = turn.said, turn.caller
    if found := said.email or said.phone or (caller.contact if caller.verified else ""):
        slots["contact"] = found
    if name := read_name(turn.question, only=only_name) or caller.name:
        slots["name"] = name
    if "contact" not in slots:
        return Ask(LEAD, say("ask_lead", turn.language), slots, "contact", ("contact",))
    return Call(
        LEAD, _known(slots), slots, say("confirm_lead", turn.language, contact=slots["contact"]), _yes_no(turn.language)
    )


def _known(slots: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in slots.items() if value}


def _yes_no(language: str) -> tuple[str, ...]:
    return say("yes", language), say("no", language)
