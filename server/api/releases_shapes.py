"""What the releases' addresses take and answer; times are epoch seconds, shares and rates 0 to 1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.api.shapes import Answer, Body, Page

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
ReleaseId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]
State = Literal["", "candidate", "canary", "live", "retired", "withdrawn"]
Share = Annotated[float, Field(gt=0, le=1)]
Cap = Annotated[int, Field(ge=1, le=1_000_000)]


class ReleaseQuery(Page):
    """A page of releases, optionally of one state."""

    state: State = ""


class ReleaseRow(Answer):
    """One release; ``adapters`` are by language, '' is the default. ``verdict`` is the gate's, None without one."""

    id: str
    state: str
    verdict: str | None
    model: str
    adapters: dict[str, str]
    run_id: str | None
    dataset_id: str | None
    parent_id: str | None
    created_at: float
    created_by: str
    changed_at: float


class ReleasePage(Answer):
    """Releases, newest first; ``live`` and ``canary`` are ids, ``next`` the cursor of the following page."""

    live: str
    canary: str | None
    releases: list[ReleaseRow]
    next: str | None


class ReleaseDetail(Answer):
    """One release with its whole bundle and the gate's report."""

    release: ReleaseRow
    body: dict[str, Any]
    report: dict[str, Any]


class ChangeQuery(Page):
    """A page of the timeline, optionally of one release."""

    release: Annotated[str, StringConstraints(max_length=64)] = ""


class ChangeRow(Answer):
    """One line of the timeline."""

    id: str
    at: float
    action: str
    release_id: str
    previous_id: str | None
    actor_kind: str
    actor_id: str
    reason: str | None
    detail: dict[str, Any]


class Timeline(Answer):
    """What happened to releases, newest first."""

    changes: list[ChangeRow]
    next: str | None


class CandidateBody(Body):
    """An adapter of the registry, as the default one or for some languages."""

    adapter: Annotated[str, StringConstraints(max_length=120)]
    languages: Annotated[list[Language], Field(max_length=50)] = Field(default_factory=list)


class Made(Answer):
    """The id of what was made."""

    id: str


class CanaryBody(Body):
    """How much a canary gets; what is left out is as set. ``reason`` overrides the gate and is audited."""

    share: Share | None = None
    cap: Cap | None = None
    reason: Reason | None = None


class ShareBody(Body):
    """Another share (and cap) for the running canary."""

    share: Share
    cap: Cap | None = None
    reason: Reason | None = None


class PromoteBody(Body):
    """``reason`` is needed where the gate did not say promote."""

    reason: Reason | None = None


class RollBackBody(Body):
    """Why, and what: the canary, the live release, or (empty) the canary if one runs."""

    reason: Annotated[Reason, Field(min_length=1)]
    side: Literal["", "canary", "live"] = ""


class LiveNow(Answer):
    """What is live after a change."""

    live: str
    canary: str | None


class ReplicaRow(Answer):
    """A model server: adapters it serves, and why others are missing."""

    name: str
    served: list[str]
    failed: dict[str, str]
    seen_at: float


class TrialRow(Answer):
    """One canary; ``figures`` are of its end."""

    id: str
    release_id: str
    live_id: str
    share: float
    cap: int
    cases: int
    state: str
    reason: str | None
    figures: dict[str, Any]
    started_at: float
    ended_at: float | None


class CanaryNow(Answer):
    """The running canary with its comparison as of now (None without one), earlier ones, and the model servers."""

    figures: dict[str, Any] | None
    trials: list[TrialRow]
    replicas: list[ReplicaRow]


class LineageAnswer(Answer):
    """Where an answer came from; ``sources`` are rows of the dataset with their messages."""

    message_id: str
    conversation_id: str
    release_id: str | None
    state: str | None
    adapter: str | None
    dataset_id: str | None
    dataset_digest: str | None
    run_id: str | None
    sources: list[dict[str, Any]]
