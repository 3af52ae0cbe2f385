"""What the addresses of feedback and corrections take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.api.shapes import Answer, Body, Page
from server.candidates import Behaviour
from server.corrections import NOTE_CHARACTERS, Reason
from server.feedback import COMMENT_CHARACTERS, Said

Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.:-]{1,64}$")]
MOST_CALLS = 16
TEXT_CHARACTERS = 20_000


class CallBody(Body):
    """A tool the answer should have called."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    arguments: dict[str, Any] = Field(default_factory=dict)


class RatingBody(Body):
    """A staff member's thumb; None withdraws it."""

    message_id: Id
    value: Literal["up", "down"] | None
    reason: Said | None = None
    comment: Annotated[str, StringConstraints(max_length=COMMENT_CHARACTERS)] = ""


class FeedbackQuery(Page):
    """A page of feedback, optionally of one kind, value or release."""

    kind: Literal["", "rating", "correction", "csat"] = ""
    value: Literal["", "up", "down"] = ""
    release: Annotated[str, StringConstraints(max_length=64)] = ""


class FeedbackRow(Answer):
    """One person's word on one message, joined to turn and release; times are epoch seconds."""

    id: str
    conversation_id: str
    message_id: str
    turn_id: str | None
    release_id: str | None
    customer_id: str
    channel: str
    account: str
    giver_kind: str
    giver_id: str
    kind: str
    value: str | None
    reason: str | None
    comment: str | None
    created_at: float
    updated_at: float


class FeedbackPage(Answer):
    """Feedback, newest first; ``next`` is the cursor of the following page, None at the end."""

    feedback: list[FeedbackRow]
    next: str | None


class CorrectionBody(Body):
    """What the assistant should have answered instead; ``calls`` are the tools it should have called."""

    message_id: Id
    text: Annotated[str, StringConstraints(max_length=TEXT_CHARACTERS)] = ""
    reason: Reason = "wrong"
    note: Annotated[str, StringConstraints(max_length=NOTE_CHARACTERS)] = ""
    calls: Annotated[list[CallBody], Field(max_length=MOST_CALLS)] = Field(default_factory=list)
    behaviour: Behaviour | None = None


class CorrectionMade(Answer):
    """The stored correction; ``example`` is None where the channel's messages must not train.

    ``suggested`` is where the router would send it (fact, behaviour), ``why`` are its reasons (docs/training.md).
    """

    id: str
    example: str | None
    suggested: str
    why: list[str]


class CorrectionRow(Answer):
    """A correction beside the original, and what became of it."""

    id: str
    conversation_id: str
    message_id: str
    turn_id: str | None
    release_id: str | None
    original: str
    text: str
    calls: list[dict[str, Any]]
    reason: str
    note: str
    route: str | None
    route_reason: str | None
    suggested: str | None
    decided_by: str | None
    decided_at: float | None
    document_id: str | None
    corrected_by: str
    example_id: str | None
    status: str | None
    created_at: float
    updated_at: float


class CorrectionPage(Answer):
    """Corrections, newest first."""

    corrections: list[CorrectionRow]
    next: str | None
