"""What the addresses of the review queue and of a dataset's rows take and answer."""

from __future__ import annotations

from typing import Any, Literal

from server.api.examples_shapes import Filter
from server.api.shapes import Answer, Page


class QueueQuery(Page):
    """A page of what waits for the caller; an empty filter means all."""

    behaviour: Filter = ""
    origin: Filter = ""


class QueueLine(Answer):
    """What waits, near-equal examples once: ``alike`` counts them, ``approvals`` the yeses it has from others."""

    id: str
    kind: str
    origin: str
    behaviour: str
    question: str
    language: str
    channel: str
    cluster: str
    alike: int
    approvals: int
    created_at: float


class QueuePage(Answer):
    """The queue of the caller, oldest first, with its figures; ``judged`` is theirs of the last 24 hours.

    ``barred`` examples wait too, but their channel account must not train; ``may_decide`` says whether the caller's
    role is enough (training.reviewers).
    """

    queue: list[QueueLine]
    may_decide: bool
    waiting: int
    clusters: int
    barred: int
    judged: int
    next: str | None


class Cluster(Answer):
    """Ids of near-equal examples that wait for the caller, oldest first."""

    ids: list[str]


class RowQuery(Page):
    """A page of a dataset; an empty filter means all."""

    split: Literal["", "train", "heldout", "dropped", "open"] = ""
    behaviour: Filter = ""
    origin: Filter = ""


class RowLine(Answer):
    """An example as a row of a dataset; ``usable`` false: it was withdrawn since."""

    id: str
    split: str
    usable: bool
    origin: str
    behaviour: str
    kind: str
    language: str
    channel: str
    question: str
    target: dict[str, Any]
    conversation_id: str | None
    status: str
    created_at: float


class RowPage(Answer):
    """Rows of a dataset, the newest example first."""

    rows: list[RowLine]
    next: str | None
