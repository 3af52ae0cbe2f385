"""What the addresses of analytics take and answer."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from server.analytics.periods import Period, cut
from server.analytics.reading import Filters
from server.api.shapes import MOST_ROWS, PAGE_ROWS, Answer, Body

Short = Annotated[str, StringConstraints(max_length=64)]
DAY_S = 86_400.0
DAYS = 30.0  # of the period where none is named
Which = Literal[
    "all", "contained", "deflected", "handed", "thumbs_up", "thumbs_down", "csat", "nps", "sla_breached",
    "tools_failed", "came_back",
]  # fmt: skip


class PeriodQuery(Body):
    """A time and which cases count in it; ``from`` and ``to`` are epoch seconds, ``zone`` a name such as Europe/Berlin.

    Without a time it is the last 30 days. What has not happened yet is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: Annotated[float | None, Field(alias="from", ge=0, lt=1e11)] = None
    until: Annotated[float | None, Field(alias="to", ge=0, lt=1e11)] = None
    step: Literal["auto", "hour", "day", "week", "month"] = "auto"
    zone: Short = "UTC"
    channel: Short = ""
    language: Short = ""
    release: Short = ""

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (LookupError, ValueError, OSError) as error:
            raise ValueError("must be the name of a time zone such as Europe/Berlin") from error
        return value

    @property
    def place(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.zone)

    @property
    def filters(self) -> Filters:
        """Which cases count."""
        return Filters(self.channel, self.language, self.release)

    def period(self) -> Period:
        """The time in pieces; raises BadPeriod."""
        now = time.time()
        until = min(self.until if self.until is not None else now, now)
        since = self.since if self.since is not None else until - DAYS * DAY_S
        return cut(since, until, self.step, self.place)


class SeriesQuery(PeriodQuery):
    """The same, split by one property."""

    by: Literal["none", "channel", "language", "release"] = "none"


class ExportQuery(SeriesQuery):
    """The same as a file."""

    format: Literal["csv", "parquet"] = "csv"


class DrillQuery(PeriodQuery):
    """Which conversations: those behind one figure; ``reason`` is one of the handoff reasons."""

    which: Which = "all"
    reason: Short = ""
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = PAGE_ROWS
    cursor: Annotated[str, StringConstraints(max_length=500)] = ""


class Figure(Answer):
    """One metric: ``value`` None where nothing can be told, ``of`` is how many cases, answers or calls it is made of.

    ``previous`` is the value of the equally long time right before; ``better`` is 1 where more is better, -1 where
    less is; ``drill`` is the ``which`` of the conversations behind it.
    """

    name: str
    unit: str
    value: float | None
    of: int
    previous: float | None
    better: int
    drill: str


class PeriodShown(Answer):
    """A period as it was understood, epoch seconds."""

    since: float
    until: float
    step: str
    zone: str


class SummaryShown(Answer):
    """A period as a whole. ``as_of`` is the time of the last event that counts, ``number`` its number.

    ``heat`` are cases by weekday (Monday first) and hour; ``choices`` is what there is to filter by.
    """

    period: PeriodShown
    number: int
    as_of: float | None
    currency: str
    priced: bool
    figures: list[Figure]
    reasons: list[tuple[str, int]]
    heat: list[list[int]]
    choices: dict[str, list[str]]


class SeriesShown(Answer):
    """A period piece by piece: ``rows`` have ``start``, ``start_utc``, ``key`` and every metric by name.

    ``marks`` are the releases that went live in it.
    """

    period: PeriodShown
    by: str
    columns: list[str]
    rows: list[dict[str, Any]]
    marks: list[dict[str, Any]]


class CaseLine(Answer):
    """One case behind a figure."""

    case_id: str
    conversation_id: str
    customer: str
    channel: str
    language: str
    release: str | None
    opened_at: float
    closed_at: float | None
    messages: int
    first_response_s: float | None
    handed_reason: str | None
    csat: int | None
    nps: int | None


class CasePage(Answer):
    """Cases, newest first; ``next`` is the cursor of the following page, None at the end."""

    items: list[CaseLine]
    next: str | None


class Definition(Answer):
    """How one metric is made."""

    name: str
    unit: str
    text: str


class Definitions(Answer):
    """All of them, in the order in which they are shown."""

    metrics: list[Definition]


class RebuildStarted(Answer):
    """The facts are folded anew by the next worker that is free."""

    started: bool
