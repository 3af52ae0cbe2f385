"""Train and held-out: whole near-duplicate clusters with every conversation that touches them go to one side.

The side follows from the sha256 of the smallest conversation id in such a component (with a salt: canaries and samples
are drawn by such hashes too), so it stays as data grows. What
an earlier dataset held out never trains; what an earlier one trained on stays there unless it has come to touch
something held out: then it is on neither side, because a model that saw it would be measured on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from training.clusters import Groups
from training.rows import Row, share


class Side(StrEnum):
    """Where a row goes."""

    TRAIN = "train"
    HELDOUT = "heldout"
    NEITHER = "neither"  # trained on earlier, and near something held out


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier datasets decided, by conversation; ``customers`` and ``trained_customers`` by customer."""

    heldout: frozenset[str] = frozenset()
    trained: frozenset[str] = frozenset()
    heldout_customers: frozenset[str] = frozenset()
    trained_customers: frozenset[str] = frozenset()


def components(rows: Sequence[Row], clusters: Sequence[str], *, by_customer: bool) -> list[str]:
    """Each row's component: rows that share a conversation or a cluster, directly or through others.

    The name is made of the smallest conversation id; ``by_customer`` also ties all of a customer's conversations.
    """
    groups = Groups()
    for row, cluster in zip(rows, clusters, strict=True):
        groups.join(f"conversation {row.conversation}", f"row {cluster}")
        if by_customer and row.customer:
            groups.join(f"conversation {row.conversation}", f"customer {row.customer}")
    names: dict[str, str] = {}
    for row in rows:
        root = groups.find(f"conversation {row.conversation}")
        names[root] = min(names.get(root, row.conversation), row.conversation)
    return [names[groups.find(f"conversation {row.conversation}")] for row in rows]


def sides(
    rows: Sequence[Row], names: Sequence[str], heldout_share: float, earlier: Earlier, *, by_customer: bool = False
) -> list[Side]:
    """Each row's side; ``names`` are the components.

    A component that is larger than the held-out share would swallow it: it trains unless it was held out before.
    """
    members: dict[str, list[Row]] = {}
    for row, name in zip(rows, names, strict=True):
        members.setdefault(name, []).append(row)
    held = {
        name: _held(name, found, len(rows) * heldout_share, heldout_share, earlier, by_customer=by_customer)
        for name, found in members.items()
    }
    return [_side(row, earlier, held=held[name]) for row, name in zip(rows, names, strict=True)]


def _held(
    name: str, members: Collection[Row], most: float, wanted: float, earlier: Earlier, *, by_customer: bool
) -> bool:
    conversations = {row.conversation for row in members}
    customers = {row.customer for row in members if row.customer} if by_customer else set[str]()
    if conversations & earlier.heldout or customers & earlier.heldout_customers:
        return True
    if conversations & earlier.trained or customers & earlier.trained_customers:
        return False
    if all(row.origin == "replay" for row in members):
        return False  # general ability is measured by its own suites
    return share(f"split/{name}") < wanted and (len(members) <= most)


def _side(row: Row, earlier: Earlier, *, held: bool) -> Side:
    if not held:
        return Side.TRAIN
    if row.conversation in earlier.trained and row.conversation not in earlier.heldout:
        return Side.NEITHER
    return Side.HELDOUT


def parted(rows: Sequence[Row], found: Sequence[Side]) -> Mapping[Side, list[Row]]:
    """The rows of each side in their order."""
    return {side: [row for row, where in zip(rows, found, strict=True) if where is side] for side in Side}
