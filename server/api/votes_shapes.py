"""What the addresses of comparisons and votes take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from server.api.shapes import Answer, Body
from server.votes import Choice, Said

PAGE_CASES = 20
MOST_CASES = 100


class CaseQuery(Body):
    """Cases of a comparison; ``offset`` is where the page before ended."""

    kind: Literal["broken", "fixed", "all"] = "broken"
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=MOST_CASES)] = PAGE_CASES


class CaseLine(Answer):
    """One prompt with both answers; ``example`` is its id in the review queue, empty for rows of a suite."""

    key: str
    suite: str
    behaviour: str
    question: str
    wanted: str
    live: str
    candidate: str
    example: str


class CasePage(Answer):
    """Cases in the order of the evaluation; ``next`` is the offset of the following page, None at the end."""

    cases: list[CaseLine]
    total: int
    next: int | None


class BallotLine(Answer):
    """Two answers in an order that says nothing of whose they are."""

    id: str
    suite: str
    behaviour: str
    question: str
    wanted: str
    first: str
    second: str


class NextBallot(Answer):
    """What to vote on now (None when all is voted on), and how far the caller is."""

    ballot: BallotLine | None
    pairs: int
    voted: int


class VoteBody(Body):
    """Which answer is better."""

    choice: Said


class VoteCounted(Answer):
    """What the vote was for, told only now; ``candidate_first`` says whose answer stood first."""

    choice: Choice
    candidate_first: bool


class TallyAnswer(Answer):
    """What people preferred; ``share`` is the candidate's part of the votes that preferred one, None without any."""

    candidate: int
    live: int
    tie: int
    people: int
    rows: int
    share: float | None
    low: float
    high: float
