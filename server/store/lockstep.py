"""Units side by side in one transaction: what they ask in the same step travels in one round trip.

Only units that declared themselves independent get here, so it makes no difference that none of them ran first. Units
of equal order form a chain and still run one after the other.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from server.store.contract import Row, StoreError, Value
from server.store.statements import CHANGED


class Pipeline(Protocol):
    """A connection that runs one statement for many sets of values at once."""

    async def many(self, query: str, values: Sequence[dict[str, Value]]) -> list[list[Row]]:
        """Rows per set of values, in their order."""


@dataclass(slots=True)
class Call:
    """A statement some unit waits for."""

    query: str
    values: dict[str, Value]

    def __await__(self) -> Generator[Call, list[Row], list[Row]]:
        return (yield self)


class Steps:
    """The statements of a unit as calls to be collected."""

    async def fetch(self, query: str, values: dict[str, Value]) -> list[Row]:
        """Rows of a named query, once everybody's step has run."""
        return await Call(query, values)

    async def run(self, query: str, values: dict[str, Value]) -> int:
        """Rows changed by a named statement, once everybody's step has run."""
        rows = await Call(query, values)
        return int(rows[0][CHANGED]) if rows and CHANGED in rows[0] else len(rows)


async def walk(pipeline: Pipeline, chains: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run every chain to its end; the first error stops all of them."""
    waiting: list[tuple[Coroutine[Any, Any, None], Call]] = []
    chains = list(chains)
    try:
        for chain in chains:
            _advance(chain, None, waiting)
        while waiting:
            step, waiting = waiting, []
            answers = await _ask(pipeline, [call for _, call in step])
            for (chain, _), rows in zip(step, answers, strict=True):
                _advance(chain, rows, waiting)
    finally:
        for chain in chains:
            chain.close()


def _advance(
    chain: Coroutine[Any, Any, None],
    rows: list[Row] | None,
    waiting: list[tuple[Coroutine[Any, Any, None], Call]],
) -> None:
    try:
        asked = chain.send(rows)
        while not isinstance(asked, Call):
            asked = chain.throw(StoreError("a unit may await only its tx: read before the write, act after it"))
    except StopIteration:
        return
    waiting.append((chain, asked))


async def _ask(pipeline: Pipeline, calls: Sequence[Call]) -> list[list[Row]]:
    """Send equal queries together; the order within a query is the units' order."""
    batches: dict[str, list[int]] = {}
    for place, call in enumerate(calls):
        batches.setdefault(call.query, []).append(place)
    answers: list[list[Row]] = [[] for _ in calls]
    for query, places in batches.items():
        found = await pipeline.many(query, [calls[place].values for place in places])
        for place, rows in zip(places, found, strict=True):
            answers[place] = rows
    return answers
