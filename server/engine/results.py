"""What the results of a round mean for its turn: an ending, or more for the model to read.

In this order: a person must take over, a write whose outcome nobody knows, a customer who must prove who they are,
finished words, a failure that code must explain; anything else is the model's to phrase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.chat import ChatMessage, ToolCall
from server.conversation import Outcome, Reason
from server.engine import dialogue
from server.engine.look import Look, Thread
from server.engine.record import Ending
from server.engine.words import Notice, say
from server.store.text import dump
from server.tools import journal
from server.tools.contract import Result, ToolError, ToolRefused, ToolTimeout
from server.tools.journal import Step
from server.tools.plans import Dialogue
from server.tools.replies import say as phrase
from server.tools.runner import VERIFY

IDENTIFIED_BY = "order_status"  # the tool that begins to find out who a customer is
LONGEST_VALUE = 200  # characters of an argument in a question for a yes

Slots = Mapping[str, Any]


def ending_of(look: Look, steps: Sequence[Step], slots: Slots, *, writes: frozenset[str]) -> Ending | None:
    """The ending of a turn whose round has run, None when the model goes on; ``writes`` names tools with effects."""
    ends = [(step, journal.ended_with(step)) for step in steps]
    return (
        _handed_over(look, ends)
        or _unknown(look, ends, writes)
        or _unverified(look, ends)
        or _said(look, ends, slots)
        or _failed(look, ends)
    )


def read_by_model(thread: Thread, steps: Sequence[Step]) -> None:
    """Let the model read a round's calls and results, in order."""
    calls = tuple(ToolCall(_call_id(step), step.tool, dump(dict(step.arguments))) for step in steps)
    texts = [journal.for_model(step) for step in steps]
    results = (ChatMessage("tool", text, tool_call_id=_call_id(step)) for step, text in zip(steps, texts, strict=True))
    thread.steps += (ChatMessage("assistant", "", tool_calls=calls), *results)
    thread.evidence += tuple(texts)
    thread.round = 1 + max(step.round for step in steps)


def by_model(step: Step) -> bool:
    """Whether the model made the call; code gives its own no id."""
    return bool(step.call_id)


def after(ended: Sequence[Step], text: str) -> str:
    """A text behind what the calls that ran have to say."""
    ends = [journal.ended_with(step) for step in ended]
    return "\n\n".join((*(end.say for end in ends if isinstance(end, Result) and end.say), text))


def summary_of(description: str, arguments: Slots, language: str) -> str:
    """A question for a yes where code has none: what would be done, with what, and whether it shall."""
    lines = [f"- {name}: {_short(value)}" for name, value in arguments.items()]
    return "\n".join((description, *lines, say(Notice.CONFIRM, language)))


def _handed_over(look: Look, ends: Sequence[tuple[Step, Result | ToolError]]) -> Ending | None:
    for step, end in ends:
        if isinstance(end, Result) and end.handoff:
            reason = Reason(end.handoff) if end.handoff in set(Reason) else Reason.TOOL
            text = end.say or say(Notice.PERSON_LOOKS, look.context.language)
            also = (dialogue.after(look.lease, step.tool, {}, {}),)
            return look.answered(text, reason.value, outcome=Outcome.HANDED_OVER, ask=reason, also=also)
    return None


def _unknown(look: Look, ends: Sequence[tuple[Step, Result | ToolError]], writes: frozenset[str]) -> Ending | None:
    if not any(step.tool in writes and _in_doubt(step, end) for step, end in ends):
        return None
    text = say(Notice.TOOL_UNKNOWN, look.context.language)
    also = (dialogue.clear(look.lease),)
    return look.answered(text, "tool_unknown", outcome=Outcome.GRACEFUL, ask=Reason.TOOL, also=also)


def _in_doubt(step: Step, end: Result | ToolError) -> bool:
    """Whether an effect may have happened: no answer came, or an earlier try ended with its worker."""
    return isinstance(end, ToolTimeout) or (isinstance(end, ToolError) and step.attempts > 1)


def _unverified(look: Look, ends: Sequence[tuple[Step, Result | ToolError]]) -> Ending | None:
    if not any(isinstance(end, ToolRefused) and str(end) == VERIFY for _, end in ends):
        return None
    also = (dialogue.keep(look.lease, Dialogue(IDENTIFIED_BY, {}, "order_number")),)
    return look.answered(phrase("verify_first", look.context.language), "unverified", also=also)


def _said(look: Look, ends: Sequence[tuple[Step, Result | ToolError]], slots: Slots) -> Ending | None:
    if not all(isinstance(end, Result) and end.say for _, end in ends):
        return None
    results = [(step, end) for step, end in ends if isinstance(end, Result)]
    text = "\n\n".join(dict.fromkeys(end.say for _, end in results))
    replies = tuple(dict.fromkeys(reply for _, end in results for reply in end.replies))
    step, last = results[-1]
    also = (dialogue.after(look.lease, step.tool, slots or step.arguments, last.data),)
    return look.answered(text, "tool", replies=replies, also=also)


def _failed(look: Look, ends: Sequence[tuple[Step, Result | ToolError]]) -> Ending | None:
    """Code explains the failure of a call that code made; the model is told of its own."""
    if not any(isinstance(end, ToolError) and not by_model(step) for step, end in ends):
        return None
    return look.answered(say(Notice.TOOL_FAILED, look.context.language), "tool_failed", outcome=Outcome.GRACEFUL)


def _call_id(step: Step) -> str:
    return step.call_id or f"call-{step.number}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else dump({"": value})[4:-1]
    return " ".join(text.split())[:LONGEST_VALUE]
