"""What the addresses of decisions about corrections take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from server.api.feedback_shapes import TEXT_CHARACTERS, Id
from server.api.shapes import Answer, Body
from server.router import TITLE_CHARACTERS

Text = Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS)]
Title = Annotated[str, StringConstraints(max_length=TITLE_CHARACTERS)]


class ChangeBody(Body):
    """What the knowledge should say: ``after`` in the place of ``before``, or a new entry of a question and answer."""

    kind: Literal["edit", "create"]
    title: Title = ""
    after: Text = ""
    before: Text = ""
    document_id: Id | Literal[""] = ""


class DecideBody(Body):
    """Where a correction goes; ``change`` None with ``fact`` takes the suggested one."""

    route: Literal["fact", "behaviour"]
    change: ChangeBody | None = None


class ProposalRow(Answer):
    """A change of the knowledge; ``before`` is how the passage says it now."""

    kind: str
    title: str
    before: str
    after: str
    passage_id: str
    document_id: str


class SuggestionRow(Answer):
    """Where the router would send a correction, and why (codes, docs/training.md); a person decides."""

    route: str
    why: list[str]
    proposal: ProposalRow | None
    question: str


class Decided(Answer):
    """What was decided; ``document_id`` is what a fact changed."""

    route: str
    document_id: str | None


class ResultRow(Answer):
    """How a fact's document stands: ``live`` as soon as answers can rest on it; ``indexed_at`` is epoch seconds."""

    document_id: str
    title: str
    version: int
    state: str
    indexed_at: float | None
    decided_at: float
    live: bool


class ResultAnswer(Answer):
    """The result of a fact, None for behaviour and what nobody decided."""

    result: ResultRow | None


class TryAnswer(Answer):
    """What the assistant answers to the customer's question now; ``rests_on_it``: the changed document is cited."""

    question: str
    text: str
    citations: list[dict[str, Any]]
    rests_on_it: bool
