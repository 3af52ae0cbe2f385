"""What the addresses of retrains take and answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from server.api.shapes import Answer, Body


class StartBody(Body):
    """A retrain to start; ``recipe`` overrides single settings of the recipe, ``force`` trains on few examples."""

    note: Annotated[str, StringConstraints(max_length=500)] = ""
    recipe: dict[str, Any] = Field(default_factory=dict)
    force: bool = False


class RetrainLine(Answer):
    """One retrain; ``verdict`` is the gate's, ``candidate`` the release it made, times are epoch seconds."""

    id: str
    state: str
    stage: str
    cause: str
    note: str
    verdict: str | None
    error: str | None
    stop_by: str | None
    dataset_id: str | None
    adapter: str | None
    candidate: str | None
    live_release: str | None
    started_by: str
    progress: dict[str, Any]
    created_at: float
    started_at: float | None
    updated_at: float
    ended_at: float | None


class RetrainPage(Answer):
    """Retrains, newest first; ``next`` is the cursor of the following page, None at the end."""

    retrains: list[RetrainLine]
    next: str | None


class RetrainWhole(Answer):
    """A retrain with its recipe, its loss curve, "should we tune?", and the gate's report."""

    retrain: RetrainLine
    stages: list[str]
    recipe: dict[str, Any]
    curve: list[dict[str, Any]]
    advice: dict[str, Any]
    report: dict[str, Any]


class RetrainStarted(Answer):
    """The id of what was started."""

    id: str


class RetrainStopped(Answer):
    """``stopped``, or ``running`` until its child process has put its state on disk."""

    id: str
    state: str
