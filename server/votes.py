"""Blind votes: a person sees two answers to one prompt in an order only the store knows, and says which is better."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from server.conversation import NotFound, Refused
from server.ids import new_id
from server.retrain.answers import Pair
from server.store.contract import Row, Store, Tx

CERTAIN = 1.96  # standard errors of a 95 % interval

Said = Literal["first", "second", "tie"]
Choice = Literal["live", "candidate", "tie"]


@dataclass(frozen=True, slots=True)
class Ballot:
    """A pair before somebody: ``first`` and ``second`` are texts, whose they are stays with the store."""

    id: str
    pair: Pair
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How many pairs there are for somebody, how many they voted on, and the one they should look at now."""

    pairs: int
    voted: int
    ballot: Ballot | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What people preferred; ``share`` is the candidate's part of the votes that preferred one, with its interval."""

    candidate: int
    live: int
    tie: int
    people: int
    rows: int

    @property
    def share(self) -> float | None:
        """None while nobody preferred either."""
        decided = self.candidate + self.live
        return self.candidate / decided if decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share; all of it while there is none."""
        return wilson(self.candidate, self.candidate + self.live)


class Votes:
    """The votes of one bot."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def next(self, run_id: str, person: str, found: Mapping[str, Pair]) -> Progress:
        """What this person should look at; a pair that was shown and not voted on comes again in the same order.

        Each person gets the pairs in an order of their own, so that the last rows are not judged by tired eyes only.
        """
        different = {key: pair for key, pair in found.items() if pair.differs}
        key = {"tenant": self._tenant, "run_id": run_id, "person": person}
        shown = await self._store.rows("votes.of_person", **key)
        voted = {row["row_key"] for row in shown if row["choice"] is not None}
        progress = len(different), len(voted & different.keys())
        for row in shown:
            if row["choice"] is None and row["row_key"] in different:
                return Progress(*progress, _ballot(row, different[row["row_key"]]))
        fresh = _first(different.keys() - voted, f"{run_id}|{person}")
        if fresh is None:
            return Progress(*progress, None)
        return Progress(*progress, _ballot(await self._show(key, fresh), different[fresh]))

    async def _show(self, key: Mapping[str, str], row_key: str) -> Row:
        async def unit(tx: Tx) -> Row:
            order = secrets.randbelow(2)
            await tx.run("votes.show", **key, id=new_id(), row_key=row_key, candidate_first=order, now=tx.now_s)
            rows = await tx.rows("votes.of_person", **key)
            return next(row for row in rows if row["row_key"] == row_key)

        return await self._store.write(unit)

    async def vote(self, tx: Tx, ballot_id: str, person: str, said: Said) -> tuple[Row, Choice]:
        """Count a vote; returns the ballot and what it was for. Raises NotFound, Refused for a second word."""
        row = await tx.row("votes.ballot", tenant=self._tenant, id=ballot_id)
        if row is None or row["person"] != person:
            raise NotFound("there is no such pair before you; reload the page")
        choice = _choice(said, candidate_first=bool(row["candidate_first"]))
        if not await tx.run("votes.choose", tenant=self._tenant, id=ballot_id, choice=choice, now=tx.now_s):
            raise Refused("you have voted on this pair already, and saw whose answers they were")
        return row, choice

    async def tally(self, run_id: str) -> Tally:
        """What everybody preferred."""
        key = {"tenant": self._tenant, "run_id": run_id}
        rows = await self._store.rows("votes.tally", **key)
        row = await self._store.row("votes.rows_of", **key)
        counted = dict.fromkeys(get_args(Choice), 0)
        for each in rows:
            counted[each["choice"]] += each["n"]
        people = len({each["person"] for each in rows})
        return Tally(**counted, people=people, rows=int(row["n"]) if row else 0)


def wilson(wins: int, votes: int) -> tuple[float, float]:
    """The 95 % interval of a share; (0, 1) without votes."""
    if not votes:
        return 0.0, 1.0
    share, spread = wins / votes, CERTAIN**2 / votes
    middle = (share + spread / 2) / (1 + spread)
    half = CERTAIN * math.sqrt(share * (1 - share) / votes + spread / votes / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _first(keys: Iterable[str], salt: str) -> str | None:
    ordered: Sequence[str] = sorted(keys, key=lambda key: hashlib.sha256(f"{salt}|{key}".encode()).digest())
    return ordered[0] if ordered else None


def _ballot(row: Row, pair: Pair) -> Ballot:
    both = (pair.candidate, pair.live) if row["candidate_first"] else (pair.live, pair.candidate)
    return Ballot(row["id"], pair, *both)


def _choice(said: Said, *, candidate_first: bool) -> Choice:
    if said == "tie":
        return "tie"
    return "candidate" if (said == "first") == candidate_first else "live"
