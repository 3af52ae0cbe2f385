"""What the staff's addresses around conversations take and answer; times are epoch seconds, sizes bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from server.api.shapes import Answer, Body, Label, Page
from server.api.template_shapes import TemplateBody, TemplateRow

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8_000)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_.:-]+$")]
Language = Annotated[str, StringConstraints(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$", max_length=20)]
Priority = Literal["low", "normal", "high", "urgent"]
View = Literal["", "mine", "unassigned", "all", "mentions", "bot", "waiting", "snoozed", "closed"]
Sort = Literal["newest", "waiting", "priority"]
IDS = 50  # lines that can be asked for by id at once
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")


def _ids(text: str) -> str:
    found = [one for one in text.split(",") if one]
    if len(found) > IDS or not all(_ID.fullmatch(one) for one in found):
        raise ValueError(f"must be up to {IDS} ids with commas between them")
    return text


class InboxQuery(Page):
    """Filters of the list; empty ones do not limit it. ``owner`` is a person's id, ``label`` a label's."""

    view: View = ""
    q: Annotated[str, StringConstraints(max_length=200)] = ""
    channel: Annotated[str, StringConstraints(max_length=40)] = ""
    account: Annotated[str, StringConstraints(max_length=64)] = ""
    owner: Annotated[str, StringConstraints(max_length=80)] = ""
    label: Annotated[str, StringConstraints(max_length=64)] = ""
    priority: Literal["", "low", "normal", "high", "urgent"] = ""
    team: Annotated[str, StringConstraints(max_length=64)] = ""
    sort: Sort = "newest"
    ids: Annotated[str, StringConstraints(max_length=4_000), AfterValidator(_ids)] = ""


class InboxLine(Answer):
    """One line of the list; ``labels`` are ids, ``unread``: the customer wrote since the caller last looked."""

    id: str
    channel: str
    account: str
    status: str
    reason: str | None
    waiting_since: float | None
    owner: str | None
    owner_name: str | None
    customer_id: str
    customer_name: str
    language: str | None
    created_at: float
    updated_at: float
    said_at: float
    opted_out_at: float | None
    blocked_at: float | None
    priority: str
    snoozed: bool
    snoozed_until: float | None
    labels: list[str]
    preview: str
    preview_role: str
    preview_at: float | None
    unread: bool
    sla_due_at: float | None = None
    team_id: str | None = None


class InboxPage(Answer):
    """Lines in the order asked for; ``next`` is the cursor of the following page, None at the end."""

    conversations: list[InboxLine]
    next: str | None


class FoundMessage(Answer):
    """A message that a search found, with where it stands."""

    id: str
    conversation_id: str
    seq: int
    role: str
    text: str
    created_at: float
    channel: str
    status: str
    customer_name: str


class FoundPage(Answer):
    """Messages, the newest first."""

    messages: list[FoundMessage]
    next: str | None


class SearchQuery(Page):
    """Words that a message must have, or begin with."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ChannelCount(Answer):
    """Open conversations of one channel account."""

    channel: str
    account: str
    open: int


class SavedView(Answer):
    """Filters under a name; ``mine`` False: somebody shares it."""

    id: str
    name: str
    query: dict[str, Any]
    shared: bool
    mine: bool


class ViewList(Answer):
    """Counts of each view; ``oldest`` is since when the longest waits. ``labels`` are open ones per label id."""

    views: dict[str, int]
    oldest: float | None
    channels: list[ChannelCount]
    labels: dict[str, int]
    saved: list[SavedView]


class ViewBody(Body):
    """Filters to keep."""

    name: Label
    query: dict[
        Literal["view", "q", "channel", "account", "owner", "label", "priority", "sort", "team"],
        Annotated[str, StringConstraints(max_length=200)],
    ]
    shared: bool = False


class Made(Answer):
    """The id of something new."""

    id: str


class NoteBody(Body):
    """A note; ``mentions`` are ids of people who are asked to look."""

    text: Text
    mentions: Annotated[tuple[Id, ...], Field(max_length=20)] = ()


class NoteRow(Answer):
    """One note; ``seq`` is its place among the messages. A deleted one has no text."""

    id: str
    conversation_id: str
    seq: int
    author: str
    author_name: str | None
    text: str
    mentions: list[str]
    created_at: float
    edited_at: float | None
    deleted_at: float | None


class Colleague(Answer):
    """Somebody who can be mentioned."""

    id: str
    name: str
    role: str


class ColleagueList(Answer):
    """Active people by name."""

    people: list[Colleague]


class LabelBody(Body):
    """A label."""

    name: Label
    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")] = "#6b7280"


class LabelRow(Answer):
    """A label with how many open conversations carry it."""

    id: str
    name: str
    colour: str
    open: int


class LabelList(Answer):
    """Labels by name."""

    labels: list[LabelRow]


class CarryBody(Body):
    """The ids of all labels that a conversation is to carry."""

    labels: Annotated[list[Id], Field(max_length=50)]


class PriorityBody(Body):
    """How urgent a conversation is."""

    priority: Priority


class SnoozeBody(Body):
    """Until when; without it for the usual four hours."""

    until: Annotated[float, Field(gt=0, le=1e11)] | None = None


class SeenBody(Body):
    """The last event of the conversation that was shown."""

    seq: Annotated[int, Field(ge=0, le=2**62)]


class CannedBody(Body):
    """A ready reply; ``language`` empty = for any."""

    short: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    text: Text
    language: Language = ""


class CannedQuery(Body):
    """The beginning of a short name, and the conversation for which variables are filled in."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,40}$")] = ""
    conversation: Annotated[str, StringConstraints(max_length=64)] = ""


class CannedRow(Answer):
    """A ready reply; ``filled`` is what would be sent, ``missing`` the variables that have no value there."""

    id: str
    short: str
    text: str
    language: str
    filled: str
    missing: list[str]
    updated_at: float


class CannedList(Answer):
    """Ready replies by short name; ``variables`` are the names that can be used."""

    replies: list[CannedRow]
    variables: list[str]


class DraftBody(Body):
    """What somebody has begun to write; an empty text forgets it."""

    kind: Literal["reply", "note"] = "reply"
    text: Annotated[str, StringConstraints(max_length=8_000)]


class DraftRow(Answer):
    """One draft."""

    conversation_id: str
    kind: str
    text: str
    updated_at: float


class DraftList(Answer):
    """One's own drafts, the newest first."""

    drafts: list[DraftRow]


class SendBody(Body):
    """What staff send, CommonMark; ``uploads`` are ids of files, ``undo`` False sends at once.

    ``suggested`` is the model's draft that the text began as: where it was changed, both are kept. ``template`` is
    sent instead of text and files.
    """

    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000)] = ""
    uploads: Annotated[tuple[Id, ...], Field(max_length=10)] = ()
    undo: bool = True
    suggested: Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000)] = ""
    template: TemplateBody | None = None


class SendMade(Answer):
    """The message's id; it goes out at ``due_at`` unless it is taken back (``state`` waiting, sent, taken_back …)."""

    id: str
    state: str
    due_at: float


class TakenBack(Answer):
    """What was taken back, for the composer; of a template no text."""

    id: str
    text: str
    attachments: list[dict[str, Any]]


class UploadMade(Answer):
    """A file that can go with a message."""

    id: str
    name: str
    mime: str
    kind: str
    size_bytes: int


class UploadQuery(Body):
    """What the file is called."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class WaitingSend(Answer):
    """A message that can still be taken back."""

    id: str
    author: str
    author_name: str | None
    text: str
    due_at: float
    attachments: list[dict[str, Any]]


class RoomRow(Answer):
    """What the channel carries; ``unit`` is bytes, characters or utf16, 0 bytes = no files.

    ``closes_at``: free text is accepted until then (None: always); ``open`` False: only a template, if there is one.
    """

    running: bool
    text_units: int
    unit: str
    file_bytes: int
    image_bytes: int
    closes_at: float | None
    open: bool
    template: bool
    templates: list[TemplateRow]


class DeskDetail(Answer):
    """What staff have around one conversation, for the caller."""

    room: RoomRow
    priority: str
    snoozed_until: float | None
    labels: list[str]
    notes: list[NoteRow]
    scheduled: list[WaitingSend]
    drafts: dict[str, str]
    present: list[dict[str, Any]]


class SuggestionBody(Body):
    """What draft is wanted; with ``text`` that text is rewritten instead."""

    style: Literal["", "shorter", "friendlier", "formal"] = ""
    language: Language = ""
    text: Annotated[str, StringConstraints(max_length=8_000)] = ""
