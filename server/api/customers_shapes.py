"""What the customers' addresses take and answer; times are epoch seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from server.api.shapes import Answer, Body, Label, Page
from server.customers.records import MOST_ATTRIBUTES

AttributeName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
AttributeText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


class CustomerQuery(Page):
    """A page of the list; ``q`` is part of a name, an address, or what a platform says of somebody."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


class CustomerRow(Answer):
    """One line of the list."""

    id: str
    name: str
    said_at: float
    created_at: float
    banned_at: float | None
    conversations: int
    open_ones: int
    channels: list[str]


class CustomerPage(Answer):
    """Customers, who wrote last first; ``next`` is the cursor of the following page, None at the end."""

    customers: list[CustomerRow]
    next: str | None


class ContactRow(Answer):
    """One piece of contact data, masked; ``field`` is what reveals it, '' where nothing is hidden."""

    name: str
    text: str
    field: str


class IdentityRow(Answer):
    """One address; ``proof``: site (its owner signed who it is), platform (the platform says so), none."""

    id: str
    channel: str
    account: str
    proof: Literal["site", "platform", "none"]
    created_at: float
    values: list[ContactRow]


class TalkRow(Answer):
    """One conversation of the customer."""

    id: str
    channel: str
    account: str
    status: str
    created_at: float
    updated_at: float
    said_at: float
    preview: str
    messages: int


class EpisodeRow(Answer):
    """One episode of a conversation."""

    id: str
    conversation_id: str
    channel: str
    opened_at: float
    closed_at: float | None
    closed_by: str | None
    csat: int | None
    handed_at: float | None
    handed_reason: str | None


class CustomerTicket(Answer):
    """What was to be done for the customer."""

    id: str
    conversation_id: str
    category: str
    priority: str
    summary: str
    state: str
    created_at: float


class MergeRow(Answer):
    """Somebody who turned out to be this customer; ``basis``: proven, contact, or a person's word."""

    id: str
    merged_id: str
    name: str
    basis: str
    merged_at: float
    by_name: str


class AlikeRow(Answer):
    """Somebody who may be this customer too."""

    id: str
    name: str
    basis: str


class CustomerDetail(Answer):
    """Everything staff see of a customer; contact data is masked."""

    id: str
    name: str
    created_at: float
    banned_at: float | None
    attributes: dict[str, str]
    identities: list[IdentityRow]
    contacts: list[ContactRow]
    conversations: list[TalkRow]
    cases: list[EpisodeRow]
    tickets: list[CustomerTicket]
    merges: list[MergeRow]
    alike: list[AlikeRow]


class CustomerBody(Body):
    """What staff call a customer and note about them; all attributes at once."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_one_line)]
    attributes: Annotated[dict[AttributeName, AttributeText], Field(max_length=MOST_ATTRIBUTES)]


class RevealBody(Body):
    """Which contact data to show; ``field`` as the customer's page gave it."""

    field: Annotated[str, StringConstraints(min_length=1, max_length=140)]


class MergeBody(Body):
    """Who is the same person; the other one's addresses move here."""

    other: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.:-]{1,64}$")]


class UnmergeBody(Body):
    """Which merge was wrong."""

    merge: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_.:-]{1,64}$")]


class EraseBody(Body):
    """``confirm`` repeats the customer's name, or the id where there is none: nothing brings the data back."""

    confirm: Label


class ErasureRow(Answer):
    """How far an erasure is, and what it removed; ``adapters`` in the report learned from the customer."""

    id: str
    customer_id: str
    state: Literal["queued", "running", "done", "failed"]
    step: str
    cause: str
    asked_by: str
    report: dict[str, Any]
    error: str | None
    created_at: float
    updated_at: float
    ended_at: float | None


class ErasurePage(Answer):
    """Erasures, the newest first."""

    erasures: list[ErasureRow]
    next: str | None
