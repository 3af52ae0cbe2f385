"""What the tools' addresses take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from server.api.shapes import Answer, Body, Page

RequestState = Literal["", "waiting", "granted", "refused", "expired", "done", "failed"]
DeliveryState = Literal["", "queued", "sent", "failed"]
TicketState = Literal["", "open", "closed"]


class ToolRow(Answer):
    """One tool: where it comes from, how far it may go, and how its calls of the last 30 days ended (by state)."""

    name: str
    description: str
    origin: str
    effect: str
    audience: str
    personal: bool
    confirm: bool
    approve: bool
    timeout_s: float
    per_hour: int | None
    parameters: dict[str, Any]
    outcomes: dict[str, int]
    last_at: float | None


class OriginRow(Answer):
    """Another system that brings tools; ``reason`` says why it brings none, empty when it is reached."""

    name: str
    kind: str
    reason: str
    tools: int


class ToolList(Answer):
    """Every tool of this installation, and the systems some of them come from."""

    tools: list[ToolRow]
    sources: list[OriginRow]


class RequestQuery(Page):
    """A page of requests: of one kind (confirm: the customer says yes, approve: staff do), in one state."""

    kind: Literal["", "confirm", "approve"] = ""
    state: RequestState = ""


class RequestRow(Answer):
    """A call that waits for a yes; times are epoch seconds."""

    id: str
    conversation_id: str
    first_seq: int
    number: int
    tool: str
    arguments: dict[str, Any]
    kind: str
    state: str
    summary: str
    result: dict[str, Any]
    expires_at: float
    decided_by: str | None
    decided_at: float | None
    created_at: float


class RequestPage(Answer):
    """Requests, newest first; ``next`` is the cursor of the following page, None at the end."""

    requests: list[RequestRow]
    next: str | None


class LeadRow(Answer):
    """Somebody who wants to hear from the shop."""

    id: str
    conversation_id: str
    name: str
    contact: str
    interest: str
    created_at: float


class LeadPage(Answer):
    """Leads, newest first."""

    leads: list[LeadRow]
    next: str | None


class TicketQuery(Page):
    """A page of tickets, optionally of one state."""

    state: TicketState = ""


class TicketRow(Answer):
    """Something for staff to do."""

    id: str
    conversation_id: str
    category: str
    priority: str
    summary: str
    suggested_action: str
    state: str
    created_at: float
    updated_at: float


class TicketPage(Answer):
    """Tickets, newest first."""

    tickets: list[TicketRow]
    next: str | None


class DeliveryQuery(Page):
    """A page of webhook deliveries, optionally of one state."""

    state: DeliveryState = ""


class DeliveryLine(Answer):
    """An event told to the shop's own system; ``code`` is the last HTTP status it answered with."""

    id: str
    url: str
    kind: str
    state: str
    attempts: int
    code: int | None
    next_at: float
    created_at: float


class DeliveryPage(Answer):
    """Webhook deliveries, newest first."""

    deliveries: list[DeliveryLine]
    next: str | None


class TrialBody(Body):
    """Arguments of a trial call."""

    arguments: Annotated[dict[str, Any], Field(max_length=50)] = Field(default_factory=dict)


class TrialResult(Answer):
    """What a trial call gave back, and how long it took."""

    ok: bool
    say: str
    data: dict[str, Any]
    took_ms: float
