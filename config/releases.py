"""Settings of releases: how a new one is tried beside the live one, and how adapters reach the model servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from config.section import Seconds, Section, http_url


class ReleaseSettings(Section):
    """Canary, comparison, and the adapters that model servers hold."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    cap: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    automatic_promotion: bool = False
    false_alarm: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    minimum_cases: Annotated[int, Field(ge=1, le=100_000)] = 10
    baseline_days: Annotated[float, Field(gt=0, le=365)] = 14.0
    settle_h: Annotated[float, Field(gt=0, le=720)] = 24.0
    load_timeout_s: Seconds = 60.0
    drain_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    replicas: tuple[str, ...] = ()
    adapters: Path | None = None

    @field_validator("replicas")
    @classmethod
    def _absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(http_url(url, "http://10.0.0.5:8000/v1") for url in value)

    @field_validator("adapters")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None
