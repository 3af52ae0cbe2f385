"""One look at a conversation: what was read, the lease it is answered under, and how often the turn looked before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from config.settings import EngineSettings
from models.chat import ChatMessage, ToolSpec, Usage
from server.conversation import Outcome, Reason
from server.engine.context import Context
from server.engine.control import Control
from server.engine.record import Also, Begun, Ending
from server.engine.words import Notice, say
from server.lanes import Lease
from server.snapshot import Asked
from server.tools.contract import Caller


class LookAgain(Exception):
    """Something came first (``Look.control`` says what), or the turn is over for this worker; no error."""


@dataclass(slots=True)
class Clocks:
    """When the stages of a turn happened, seconds of the injected clock; one object for all looks of a turn.

    ``closed`` says that no newer message may join any more: a tool call of the turn is in the journal.
    """

    taken: float
    dispatched: float | None = None
    merges: int = 0
    failures: int = 0
    seen: tuple[int, int] | None = None
    closed: bool = False
    stages_ms: dict[str, float] = field(default_factory=dict)

    def look(self, tail: int, edits: int) -> None:
        """Count a merge when there is more, or something else, to answer than at the last look.

        A wake-up alone is none: it may have been for a message that the lease covered already.
        """
        if self.seen is not None and (tail, edits) != self.seen:
            self.merges += 1
        self.seen = (tail, edits)


@dataclass(slots=True)
class Look:
    """What the makers of an answer share; ``clock`` is the monotonic one, seconds."""

    context: Context
    lease: Lease
    control: Control
    clocks: Clocks
    engine: EngineSettings
    clock: Callable[[], float]

    @property
    def may_merge(self) -> bool:
        """A newer message may abort the answer twice or for 15 s, so that a steady writer is answered too."""
        if self.clocks.closed:
            return False
        started = self.clocks.dispatched if self.clocks.dispatched is not None else self.clock()
        in_window = self.clock() - started < self.engine.merge_window_s
        return self.clocks.merges < self.engine.max_merges and in_window

    @property
    def saw_tail(self) -> int | None:
        """What the ending is fenced by against a newer message; None: it ends anyway."""
        return self.lease.tail if self.may_merge else None

    @property
    def saw_edits(self) -> int | None:
        """The same against a message that was changed."""
        return self.context.edits if self.may_merge else None

    def answered(
        self,
        text: str,
        reason: str | None = None,
        *,
        outcome: Outcome = Outcome.ANSWERED,
        replies: tuple[str, ...] = (),
        ask: Reason | None = None,
        also: tuple[Also, ...] = (),
    ) -> Ending:
        """An ending with a finished text, as the assistant's own; ``replies`` are offered below it."""
        return Ending(
            outcome,
            self.lease.tail,
            reason=reason,
            text=text.strip(),
            extra={"replies": list(replies)} if replies else {},
            ask=ask,
            owner_epoch=self.context.state.owner_epoch,
            saw_tail=self.saw_tail,
            saw_edits=self.saw_edits,
            notices=self.notices,
            release_id=self.context.release.id,
            also=also,
        )

    @property
    def notices(self) -> list[str]:
        """What to tell besides the answer, about files that nobody could read."""
        return [say(note, self.context.language) for note in self.context.notes]

    def told(self, outcome: Outcome, reason: str, *notices: Notice, **extra: str) -> Ending:
        """An ending in the service's own words."""
        text = "\n".join(say(notice, self.context.language) for notice in notices)
        epoch = self.context.state.owner_epoch
        return Ending(outcome, self.lease.tail, reason=reason, text=text, role="notice", extra=extra, owner_epoch=epoch)


@dataclass(slots=True)
class Thread:
    """What the rounds of one look have so far.

    ``steps`` are calls and results as the model reads them, ``evidence`` the results alone; ``round`` is the number of
    the next round. ``forced`` names the tool the model must fill in, ``known`` and ``slots`` what code has for it.
    ``begun`` is a draft that showed nothing yet. ``asked`` are the calls of the model so far, kept with the turn.
    """

    caller: Caller | None = None
    round: int = 0
    steps: tuple[ChatMessage, ...] = ()
    evidence: tuple[str, ...] = ()
    offered: tuple[ToolSpec, ...] = ()
    forced: str = ""
    known: Mapping[str, Any] = field(default_factory=dict)
    slots: Mapping[str, Any] = field(default_factory=dict)
    begun: Begun | None = None
    usage: Usage = field(default_factory=partial(Usage, 0, 0))
    asked: tuple[Asked, ...] = ()
