"""What the addresses of presence, hours, transfers and tickets take and answer; times are epoch seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.api.desk_shapes import Id, Priority
from server.api.shapes import Answer, Body, Page
from server.tools.builtin.tickets import ACTIONS, CATEGORIES, CHARACTERS

Status = Literal["online", "busy", "away"]
Summary = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=CHARACTERS)]
Category = Annotated[str, StringConstraints(pattern=f"^({'|'.join(CATEGORIES)})$")]
PersonId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Action = Annotated[str, StringConstraints(pattern=f"^({'|'.join(ACTIONS)})$")]


class PresenceBody(Body):
    """What one says of oneself."""

    status: Status


class OwnPresence(Answer):
    """What the others see of the caller."""

    status: Status


class PersonPresence(Answer):
    """One of the staff; ``open`` counts the conversations they hold, ``heard_at`` is None for who never came."""

    person: str
    name: str
    role: str
    status: Status
    open: int
    heard_at: float | None


class PresenceList(Answer):
    """Everybody who answers customers, by name."""

    people: list[PersonPresence]


class OpenDay(Answer):
    """One day; ``spans`` are local times such as 09:00-17:30."""

    date: str
    spans: list[str]


class HoursAnswer(Answer):
    """Whether the desk is open, and the next seven days; ``opens_at`` is None while it never opens."""

    time_zone: str
    always: bool
    open: bool
    opens_at: float | None
    days: list[OpenDay]


class TransferBody(Body):
    """To whom: a person, a team (it waits in their queue), or neither (it waits for anybody)."""

    person: PersonId | None = None
    team: Id | None = None


class TeamBody(Body):
    """Whose team a conversation is for; None = anybody's."""

    team: Id | None


class Moved(Answer):
    """Who holds a conversation now; ``in_flight`` are sends that were marked before and may still arrive."""

    status: str
    reason: str | None
    owner: str | None
    owner_epoch: int
    position: int | None
    in_flight: list[dict[str, Any]]


class ClockRow(Answer):
    """A promise: ``outcome`` is met, missed or dropped once it ended; ``missed_at`` is set from its moment on."""

    id: str
    kind: Literal["first", "next", "resolution"]
    priority: Priority
    started_at: float
    due_at: float
    missed_at: float | None
    ended_at: float | None
    outcome: str | None


class ClockList(Answer):
    """The promises of a conversation, the newest first, and what is known of who waits."""

    clocks: list[ClockRow]
    team: str | None
    team_name: str | None
    email: str | None


class TicketQuery(Page):
    """A page of tickets; empty filters do not limit it."""

    state: Literal["", "open", "closed"] = ""
    priority: Literal["", "low", "normal", "high", "urgent"] = ""
    category: Annotated[str, StringConstraints(max_length=40)] = ""
    assignee: Annotated[str, StringConstraints(max_length=100)] = ""
    conversation: Annotated[str, StringConstraints(max_length=64)] = ""


class Ticket(Answer):
    """Something for staff to do."""

    id: str
    conversation_id: str
    customer_name: str
    channel: str
    category: str
    priority: str
    summary: str
    suggested_action: str
    state: str
    assignee: str | None
    assignee_name: str | None
    created_at: float
    updated_at: float
    closed_at: float | None


class TicketList(Answer):
    """Tickets, the newest first; ``next`` is the cursor of the following page, None at the end."""

    items: list[Ticket]
    next: str | None


class TicketBody(Body):
    """A new ticket of a conversation."""

    conversation_id: Id
    category: Category
    priority: Priority = "normal"
    summary: Summary
    suggested_action: Action = "answer"
    assignee: PersonId | None = None


class TicketChange(Body):
    """Other values; what is left out stays."""

    category: Category | None = None
    priority: Priority | None = None
    summary: Summary | None = None
    suggested_action: Action | None = None
    assignee: Annotated[str, Field(max_length=100)] | None = None
