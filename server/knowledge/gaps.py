"""Gaps: what customers asked and the knowledge did not answer, the same question in other words counted as one.

Signs of a gap are read from what the engine and the customers left (missed questions, hand-overs, thumbs down), in the
order they came. Each joins the oldest gap whose first question means the same words, or begins a gap of its own, so the
same history always gives the same gaps. One that was solved and is missed again opens by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from server.ids import new_id
from server.knowledge.contract import KnowledgeError
from server.knowledge.kinds import NotThere
from server.knowledge.wording import content, words
from server.sight import ALL, Sight
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

State = Literal["open", "solved", "dismissed"]

ALIKE: Final = 0.6  # of two questions' words must be the same to make them one gap
STEM: Final = 3  # letters two forms of a word share at least
BATCH: Final = 500  # signs of one commit
SETTLES_S: Final = 60.0  # an answer needs that long to reach every process: a miss before does not reopen its gap
JOB: Final = "gather-gaps"
CRON: Final = "*/5 * * * *"
DAY_S: Final = 86_400.0


class Decided(KnowledgeError):
    """Somebody else decided about the gap meanwhile; load it again."""


def meaning(question: str) -> frozenset[str]:
    """What a question is compared by: its words that carry meaning, or all of them where none does. PURE."""
    return frozenset(content(question)) or frozenset(words(question)) or frozenset([question.strip()])


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """How much of two questions is the same, 0 to 1; forms of one word count as the same. PURE."""
    if not one or not other:
        return 0.0
    shared = sum(any(_same(word, each) for each in other) for word in one)
    back = sum(any(_same(word, each) for each in one) for word in other)
    return (shared + back) / (len(one) + len(other))


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= STEM and not short.isdigit() and long.startswith(short))


@dataclass(slots=True)
class _Known:
    """A gap by its first question."""

    id: str
    state: str
    decided_at: float | None
    meaning: frozenset[str]


class Groups:
    """Gaps by the words of their first questions: finds the one that a question belongs to. PURE."""

    def __init__(self) -> None:
        self._by_start: dict[str, list[_Known]] = defaultdict(list)
        self._order: dict[str, int] = {}

    def add(self, gap: _Known) -> None:
        """Take in a gap; of equally like ones the first that was added wins."""
        self._order[gap.id] = len(self._order)
        for start in {word[:STEM] for word in gap.meaning}:
            self._by_start[start].append(gap)

    def nearest(self, asked: frozenset[str]) -> _Known | None:
        """The gap most like a question, None when none is like it."""
        found = {gap.id: gap for word in asked for gap in self._by_start.get(word[:STEM], ())}
        ranked = sorted(found.values(), key=lambda gap: (-likeness(asked, gap.meaning), self._order[gap.id]))
        return ranked[0] if ranked and likeness(asked, ranked[0].meaning) >= ALIKE else None


class Gaps:
    """The gaps of one tenant; times are epoch seconds."""

    def __init__(self, store: Store, tenant: str, *, keep_days: int = 0) -> None:
        self._store = store
        self._tenant = tenant
        self._keep_days = keep_days

    async def gather(self) -> int:
        """Sort new signs into gaps; returns how many there were."""
        total = count = await self._store.write(self._batch, order="~gaps")
        while count == BATCH:
            count = await self._store.write(self._batch, order="~gaps")
            total += count
        return total

    async def run(self, _body: Mapping[str, Any]) -> None:
        """The job: sort new signs, and forget questions as old as the messages that are forgotten."""
        gathered = await self.gather()
        if self._keep_days:
            await self._store.write(self._forget, order="~gaps")
        await self._store.write(lambda tx: tx.run("gaps.sweep", tenant=self._tenant), order="~gaps")
        if gathered:
            log.info("gaps_gathered", signs=gathered)

    async def _forget(self, tx: Tx) -> None:
        before = tx.now_s - self._keep_days * DAY_S
        while await tx.run("gaps.forget", tenant=self._tenant, before=before, limit=BATCH) == BATCH:
            continue

    async def _batch(self, tx: Tx) -> int:
        signs = await tx.rows("gaps.signs", tenant=self._tenant, count=BATCH)
        if not signs:
            return 0
        groups = Groups()
        for row in await tx.rows("gaps.known", tenant=self._tenant):
            groups.add(_Known(row["id"], row["state"], row["decided_at"], meaning(row["question"])))
        for sign in signs:
            await self._place(tx, groups, sign)
        return len(signs)

    async def _place(self, tx: Tx, groups: Groups, sign: Row) -> None:
        """Put one sign where it belongs."""
        asked = meaning(sign["question"])
        gap = groups.nearest(asked)
        if gap is None:
            gap = _Known(new_id(), "open", None, asked)
            await tx.run("gaps.add", id=gap.id, tenant=self._tenant, at=sign["at"])
            groups.add(gap)
        await tx.run(
            "gaps.add_question", id=f"{sign['kind']}:{sign['about']}", tenant=self._tenant, gap_id=gap.id,
            kind=sign["kind"], question=sign["question"], conversation_id=sign["conversation_id"],
            turn_id=sign["turn_id"], at=sign["at"],
        )  # fmt: skip
        if gap.state == "solved" and gap.decided_at is not None and sign["at"] > gap.decided_at + SETTLES_S:
            await tx.run("gaps.reopen_missed", id=gap.id)
            gap.state = "open"

    async def list(self, state: State, after: tuple[float, str], limit: int, sight: Sight = ALL) -> Sequence[Row]:
        """Gaps in one state with figures, the most asked first; ``after`` is (asked, id) of the last one seen.

        Gaps of which somebody sees no question are left out. Figures count everybody's questions, the words are of the
        oldest one that is seen.
        """
        return await self._store.rows(
            "gaps.listed", tenant=self._tenant, state=state, asked=after[0], id=after[1], count=limit, **sight.values()
        )

    async def counts(self, sight: Sight = ALL) -> dict[str, int]:
        """Gaps by state."""
        rows = await self._store.rows("gaps.counts", tenant=self._tenant, **sight.values())
        return {row["state"]: row["gaps"] for row in rows}

    async def questions(self, gap_id: str, limit: int, sight: Sight = ALL) -> Sequence[Row]:
        """What customers said, the newest first; raises NotThere."""
        if await self._store.row("gaps.gap", tenant=self._tenant, id=gap_id) is None:
            raise _none()
        return await self._store.rows(
            "gaps.questions", tenant=self._tenant, gap_id=gap_id, count=limit, **sight.values()
        )

    async def check(self, gap_id: str) -> Row:
        """A gap as it is stored; raises NotThere."""
        row = await self._store.row("gaps.gap", tenant=self._tenant, id=gap_id)
        if row is None:
            raise _none()
        return row

    async def check_open(self, gap_id: str) -> None:
        """Raise NotThere for a gap that does not exist, Decided for one that is not open."""
        row = await self.check(gap_id)
        if row["state"] != "open":
            raise Decided(f"somebody {row['state']} it meanwhile; load the list again")

    async def decide(self, tx: Tx, gap_id: str, state: State, by: str, document_id: str | None = None) -> str:
        """Set what became of a gap, inside the caller's unit; returns what it was before. Raises NotThere."""
        row = await tx.row("gaps.lock", tenant=self._tenant, id=gap_id)
        if row is None:
            raise _none()
        await tx.run(
            "gaps.decide", tenant=self._tenant, id=gap_id, state=state, document_id=document_id, decided_by=by,
            decided_at=tx.now_s,
        )  # fmt: skip
        return str(row["state"])


def _none() -> NotThere:
    return NotThere("there is no such gap; its conversations may have been deleted")
