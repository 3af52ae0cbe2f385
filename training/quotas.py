"""How much of what: no hand fills a dataset, and behaviours keep the shares at which a small model learns them all.

Everything that is left out is counted under the reason.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from training.curation import Cap, Quotas
from training.rows import Row, share

PREFERRED = ("correction", "staff_reply", "handoff", "refusal", "tool_call", "confirmed", "import", "replay")
FAIR = 1.5  # times an equal part: with few hands the cap on a share gives way this far


@dataclass(slots=True)
class Kept:
    """Rows that stay, how many were left out by reason, and what a reader should know."""

    rows: list[Row]
    left_out: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    def keep(self, chosen: Sequence[Row], reason: str) -> None:
        """Go on with these rows in their old order; the others are counted."""
        names = {row.id for row in chosen}
        stay = [row for row in self.rows if row.id in names]
        if len(stay) < len(self.rows):
            self.left_out[reason] += len(self.rows) - len(stay)
        self.rows = stay


def preference(row: Row, seed: int) -> tuple[float, int, float]:
    """Which rows stay first when some must go: heavier ones, people's own words, then by hash."""
    return (-row.weight, PREFERRED.index(row.origin), share(f"{seed}/{row.id}"))


def best(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """The rows that stay when only ``count`` may."""
    return sorted(rows, key=lambda row: preference(row, seed))[: max(0, count)]


def limit(sizes: Sequence[int], cap: Cap) -> int:
    """The most rows one hand may give: its share of what then remains, never below the floor.

    With few hands a share of 5 % cannot be met by anybody; there each gets up to 1.5 times an equal part.
    """
    if not sizes:
        return cap.floor
    part = max(cap.share, FAIR / len(sizes))
    fits = [rows for rows in range(cap.floor, max(sizes) + 1) if rows <= part * sum(min(size, rows) for size in sizes)]
    return max(fits, default=cap.floor)


def capped(kept: Kept, hand: Callable[[Row], str | None], cap: Cap, reason: str, seed: int) -> None:
    """Hold every hand to the cap; rows of nobody (None) are free."""
    hands: dict[str, list[Row]] = defaultdict(list)
    free: list[Row] = []
    for row in kept.rows:
        name = hand(row)
        (free if name is None else hands[name]).append(row)
    most = limit([len(rows) for rows in hands.values()], cap)
    kept.keep([*free, *(row for rows in hands.values() for row in best(rows, most, seed))], reason)


def customer_of(row: Row) -> str | None:
    """Whose conversations a cap counts together; replay has no customer."""
    return None if row.origin == "replay" else row.customer or row.conversation


def person_of(row: Row) -> str | None:
    """Who approved a row; files that an operator imports and replay have nobody."""
    return None if row.origin in {"replay", "import"} else row.person


def agreed(rows: Sequence[Row], clusters: Sequence[str], least: int) -> list[bool]:
    """Whether somebody besides the customer stands behind each row.

    A thumb that only the customer gave counts once ``least`` different customers gave it to the same answer.
    """
    thumbs: dict[str, set[str]] = defaultdict(set)
    for row, cluster in zip(rows, clusters, strict=True):
        if own_thumb(row):
            thumbs[cluster].add(row.customer)
    return [not own_thumb(row) or len(thumbs[name]) >= least for row, name in zip(rows, clusters, strict=True)]


def own_thumb(row: Row) -> bool:
    """A good rating that nobody of the staff has looked at."""
    return row.origin == "confirmed" and row.person in {"", row.customer}


def balanced(kept: Kept, quotas: Quotas, seed: int) -> None:
    """Bring the behaviours of training rows to their shares by leaving out what is too much."""
    refusals(kept, quotas, seed)
    calls(kept, quotas, seed)
    work = [row for row in kept.rows if row.origin != "replay"]
    handoffs = [row for row in work if row.behaviour == "handoff"]
    most = math.floor(_beside(len(work) - len(handoffs), quotas.handoff_most))
    if len(handoffs) > max(most, 1):
        kept.keep(_instead(kept.rows, handoffs, best(handoffs, max(most, 1), seed)), "too many handoffs")
    replay(kept, quotas, seed)


def refusals(kept: Kept, quotas: Quotas, seed: int) -> None:
    """Hold refusals to their share of grounded rows; too few of them can only be told."""
    grounded = [row for row in kept.rows if row.behaviour == "grounded"]
    refused = [row for row in kept.rows if row.behaviour == "refusal"]
    most = math.floor(_beside(len(grounded), quotas.refusal_most))
    if grounded and len(refused) > most:
        kept.keep(_instead(kept.rows, refused, best(refused, most, seed)), "too many refusals")
        refused = refused[:most]
    if grounded and len(refused) < math.floor(_beside(len(grounded), quotas.refusal_least)):
        of_all = len(refused) / (len(refused) + len(grounded))
        kept.warnings.append(
            f"{of_all:.0%} of the grounded rows refuse, less than {quotas.refusal_least:.0%}: the model may never "
            "refuse; approve more answers that say so when no passage answers"
        )


def calls(kept: Kept, quotas: Quotas, seed: int) -> None:
    """Hold tool calls to their share of the turns that call or ask."""
    called = [row for row in kept.rows if row.behaviour == "tool_call"]
    asking = [row for row in kept.rows if row.behaviour == "tool_ask"]
    most = max(quotas.call_floor, math.floor(_beside(len(asking), quotas.call_most)))
    if len(called) > most:
        kept.keep(_instead(kept.rows, called, best(called, most, seed)), "too many tool calls")
    if min(len(called), most) > _beside(len(asking), quotas.call_most):
        kept.warnings.append(
            f"{len(asking)} turns ask before a tool call against {min(len(called), most)} that call: the model may "
            "call too early; approve more questions that the desk asks back"
        )


def replay(kept: Kept, quotas: Quotas, seed: int) -> None:
    """Hold replay to the middle of its range."""
    work = [row for row in kept.rows if row.origin != "replay"]
    general = [row for row in kept.rows if row.origin == "replay"]
    middle = (quotas.replay_least + quotas.replay_most) / 2
    most = math.floor(_beside(len(work), middle))
    if len(general) > most:
        kept.keep([*work, *best(general, most, seed)], "more replay than needed")
    if min(len(general), most) < math.floor(_beside(len(work), quotas.replay_least)):
        kept.warnings.append(
            f"{min(len(general), most)} replay rows are less than {quotas.replay_least:.0%}: general ability may fade; "
            "name a file of replay rows in the recipe"
        )


def _beside(others: int, part: float) -> float:
    """How many rows are ``part`` of the whole beside ``others``."""
    return others * part / (1 - part)


def _instead(rows: Sequence[Row], group: Sequence[Row], chosen: Sequence[Row]) -> list[Row]:
    """All rows, of a group only the chosen ones."""
    out = {row.id for row in group} - {row.id for row in chosen}
    return [row for row in rows if row.id not in out]
