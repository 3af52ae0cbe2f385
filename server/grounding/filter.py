"""Lets an answer's words through sentence by sentence, with the citations the server stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from server.grounding import marks
from server.grounding.answer import Cited, Grounded
from server.grounding.links import Allowed
from server.grounding.support import Sources
from server.grounding.units import end_of_unit
from server.knowledge.contract import Passage
from server.knowledge.figures import unknown

SUPPORTED = 0.5  # share of what is said, from which on an answer counts as supported by its passages


class Filter:
    """One answer on its way to the customer.

    A sentence is held back until it is whole, because a figure at its end can forbid all of it, and as long as too
    little of what was said so far stands in the passages: an answer that will not be supported is never shown to grow.
    The text that ``feed`` gave is always the beginning of ``finish``'s, and both depend on the answer's words only,
    never on how they were cut into deltas.
    """

    def __init__(self, passages: Sequence[Passage], allowed_hosts: Iterable[str], question: str) -> None:
        self._sources = Sources(passages, question)
        self._allowed = Allowed.of(passages, allowed_hosts)
        self._held = ""
        self._gap = ""  # blanks after what was shown: they belong to what follows
        self._shown: list[str] = []
        self._waiting = ""  # sentences that are whole but not carried yet
        self._numbers: dict[int, int] = {}  # number in the prompt -> number in the answer
        self._removed = 0
        self._withheld = 0
        self._said = 0.0  # weight of what claims something
        self._backed = 0.0  # as much of it as passages say
        self._done: Grounded | None = None

    def feed(self, text: str) -> str:
        """Take in more of the model's words; what may be shown now, often nothing."""
        self._held += text
        return self._release(final=False)

    def finish(self) -> Grounded:
        """The whole answer; what ``feed`` gave so far is its beginning."""
        if self._done is None:
            self._release(final=True)
            support = self._backed / self._said if self._said else 0.0
            cited = tuple(Cited(shown, self._sources.passage(number)) for number, shown in self._numbers.items())
            self._done = Grounded(
                text="".join(self._shown),
                citations=cited,
                removed=self._removed,
                support=round(support, 4),
                supported=support >= SUPPORTED and bool(cited),
                withheld=self._withheld,
                links=self._allowed.made_plain,
            )
        return self._done

    def _release(self, *, final: bool) -> str:
        given = ""
        while end := end_of_unit(self._held, final=final):
            unit, self._held = self._held[:end], self._held[end:]
            self._waiting += self._unit(unit)
            if self._carried():
                given, self._waiting = given + self._waiting, ""
        if final:
            given, self._waiting = given + self._waiting, ""
        return given

    def _carried(self) -> bool:
        """Whether what was said so far claims nothing, or the passages say enough of it."""
        return not self._said or self._backed / self._said >= SUPPORTED

    def _unit(self, unit: str) -> str:
        body = unit.strip()
        before, after = unit[: len(unit) - len(unit.lstrip())], unit[len(unit.rstrip()) :]
        if not body:
            self._gap += unit
            return ""
        shown = self._sentence(body)
        if not shown:
            self._gap += "\n" if "\n" in after else ""
            return ""
        given = (self._gap + before if self._shown else "") + shown
        self._gap = after
        self._shown.append(given)
        return given

    def _sentence(self, body: str) -> str:
        if marks.is_source_line(body):
            self._removed += 1
            return ""
        text = self._allowed.inert(_unlinked_marks(body))
        found = marks.find(text)
        text = marks.without(text, found).strip()
        wrong = sum(not mark.numbers for mark in found)
        named = [number for mark in found for number in mark.numbers]
        if not text.strip(" .!?*_-"):
            self._removed += wrong + len(named)
            return ""
        if unknown(text, self._sources.figures):
            self._withheld += 1
            self._removed += wrong + len(named)
            return ""
        return text + self._footnotes(text, named, wrong)

    def _footnotes(self, text: str, named: Sequence[int], wrong: int) -> str:
        shares = self._sources.shares(text)
        kept = self._sources.confirmed(named, shares)
        self._removed += wrong + sum(number not in kept for number in named)
        if self._sources.claims(text):
            worth = len(text.split())
            self._said += worth
            self._backed += worth * min(1.0, max(shares, default=0.0))
            if not kept and (best := self._sources.best(shares)):
                kept = [best]
        shown = [self._numbers.setdefault(number, len(self._numbers) + 1) for number in kept]
        return " " + "".join(f"[{number}]" for number in sorted(shown)) if shown else ""


def _unlinked_marks(text: str) -> str:
    """``[1](https://…)`` is a citation with an address behind it: the address goes, the mark stays to be checked."""
    return marks.LINKED.sub(r"\1", text)
