"""What the addresses of examples and datasets take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.api.feedback_shapes import MOST_CALLS, TEXT_CHARACTERS, CallBody, Id
from server.api.shapes import Answer, Body, Page
from server.candidates import Behaviour
from server.examples import MOST_AT_ONCE

Status = Literal["", "pending", "approved", "rejected", "withdrawn"]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
Codes = Annotated[list[Code], Field(max_length=8)]
Filter = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{0,32}$")]


class ExampleQuery(Page):
    """A page of examples; an empty filter means all."""

    status: Status = ""
    cluster: Filter = ""
    behaviour: Filter = ""
    origin: Filter = ""


class ExampleLine(Answer):
    """An example in a list; ``target`` and ``rejected`` are {content, tool_calls}, ``alike`` counts its cluster."""

    id: str
    kind: str
    origin: str
    behaviour: str
    status: str
    exact: bool
    question: str
    target: dict[str, Any]
    rejected: dict[str, Any] | None
    language: str
    channel: str
    conversation_id: str | None
    customer_id: str | None
    message_id: str | None
    release_id: str | None
    person: str
    basis: str
    cluster: str
    alike: int
    weight: float
    edited: bool
    reasons: list[str]
    decided_by: str | None
    second_by: str | None
    decided_at: float | None
    created_at: float


class ExamplePage(Answer):
    """Examples, newest first; ``next`` is the cursor of the following page, None at the end."""

    examples: list[ExampleLine]
    next: str | None


class ReviewLine(Answer):
    """One reviewer's word."""

    reviewer: str
    verdict: str
    reasons: list[str]
    created_at: float


class ExampleWhole(Answer):
    """An example with the prompt as it was sent; ``exact`` says that it is byte for byte what the model read."""

    example: ExampleLine
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    reviews: list[ReviewLine]


class Reasons(Body):
    """Why, in codes."""

    reasons: Codes = Field(default_factory=list)


class EditBody(Body):
    """The target in a reviewer's words."""

    content: Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS)] = ""
    calls: Annotated[list[CallBody], Field(max_length=MOST_CALLS)] = Field(default_factory=list)
    behaviour: Behaviour | None = None


class DecideBody(Body):
    """The same decision on many examples."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_AT_ONCE)]
    verdict: Literal["approve", "reject", "skip"]
    reasons: Codes = Field(default_factory=list)


class Decided(Answer):
    """What became of an example; ``needed`` reviewers are still to approve, ``adapters`` were trained on it."""

    id: str
    status: str
    needed: int
    adapters: list[str]


class Undecided(Answer):
    """An example that the decision was not possible for."""

    id: str
    detail: str


class DecidedAll(Answer):
    """What became of each."""

    decided: list[Decided]
    refused: list[Undecided]


class CountLine(Answer):
    """How many examples there are of a state, origin and behaviour."""

    status: str
    origin: str
    behaviour: str
    n: int


class ExampleSummary(Answer):
    """The queue in figures; ``agreement`` is the share of doubly judged examples with one opinion, None without any."""

    counts: list[CountLine]
    judged_twice: int
    agreement: float | None
    minimum: int
    reviewers: int


class DatasetLine(Answer):
    """What a run was trained on; ``digest`` is empty until it is prepared."""

    id: str
    run_id: str
    digest: str
    rows: int
    created_at: float


class DatasetPage(Answer):
    """Datasets, newest first."""

    datasets: list[DatasetLine]
    next: str | None


class SideLine(Answer):
    """How many rows of a dataset went to a side, by origin and behaviour."""

    split: str
    origin: str
    behaviour: str
    n: int


class DatasetWhole(Answer):
    """A dataset with its manifest as prepared."""

    dataset: DatasetLine
    sides: list[SideLine]
    manifest: dict[str, Any]
