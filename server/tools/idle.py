"""A plain yes, no or ok while nothing waits for one: code answers, since a model would make something up. Pure.

Where our last message asked something, the answer is the model's to understand, unless the question was one of code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from server.tools.phrases import TEXTS
from server.tools.plans import NoPlan, Plan, Say
from server.tools.replies import say
from server.tools.signals import bare_answer

_CLOSINGS = frozenset(texts[key] for texts in TEXTS.values() for key in ("nothing_waiting", "dropped", "declined"))
_CONFIRMS = [
    re.compile(".*".join(re.escape(part) for part in re.split(r"\{\w+\}", texts[key])) + r"\s*\Z", re.DOTALL)
    for texts in TEXTS.values()
    for key in ("confirm_booking", "confirm_payment", "confirm_lead", "confirm_ticket")
]
_FOOTNOTE = re.compile(r"\[\d+\][\s.*_]*\Z")
_MARKS = ("?", "\u061f")  # also the Arabic one


def idle(text: str, history: Sequence[str], language: str) -> Plan:
    """What to say to a folded message that is nothing but an answer; ``history`` as in ``planner.plan``."""
    kind = bare_answer(text)
    if not kind:
        return NoPlan()
    last = history[-1].strip() if history else ""
    if last in _CLOSINGS:
        return Say(say("go_on" if kind == "yes" else "noted", language))
    if any(pattern.search(last) for pattern in _CONFIRMS):  # it stands open no longer
        return Say(say("declined" if kind.startswith("no") else "too_late", language))
    if asks(last):
        return NoPlan()
    return Say(say("nothing_waiting" if kind in {"yes", "no"} else "noted", language))


def asks(message: str) -> bool:
    """Whether a message of ours ends with asking; a quoted passage with its footnote does not ask."""
    paragraph = message.strip().rpartition("\n\n")[2]
    return any(mark in paragraph for mark in _MARKS) and not _FOOTNOTE.search(paragraph)
