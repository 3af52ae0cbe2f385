"""Settings of the loop: what becomes an example, who approves it, and when and how a retrain runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from config.cron import is_cron
from config.section import Section


class Training(Section):
    """Collecting, review and retraining; ``cron`` texts are UTC."""

    enabled: bool = True
    reviewers: Literal["staff", "admin"] = "admin"
    second_reviewer: bool = False
    customer_examples: Annotated[int, Field(ge=1, le=10_000)] = 5
    minimum_examples: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    collect_cron: str = "*/2 * * * *"
    cron: str = ""
    after_examples: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    on_decline: bool = False
    advise: bool = True
    threads: Annotated[int, Field(ge=0, le=1_024)] = 0
    nice: Annotated[int, Field(ge=0, le=19)] = 10
    tries: Annotated[int, Field(ge=1, le=20)] = 3
    stage_h: Annotated[float, Field(gt=0, le=1_000)] = 12.0
    progress_s: Annotated[float, Field(ge=0.05, le=5)] = 2.0
    parallel: Annotated[int, Field(ge=1, le=256)] = 4
    recipe: Path | None = None
    suites: tuple[Path, ...] = ()
    targets: tuple[str, ...] = ()
    rule: Path | None = None
    folder: Path | None = None
    python: str = ""

    @field_validator("collect_cron", "cron")
    @classmethod
    def _cron(cls, value: str, info: object) -> str:
        if not value and getattr(info, "field_name", "") == "cron":
            return value
        if not is_cron(value):
            message = f"{value!r} is no cron text such as '30 2 * * *' (half past two every night, UTC)"
            raise ValueError(message)
        return value

    @field_validator("folder", "recipe", "rule")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None
