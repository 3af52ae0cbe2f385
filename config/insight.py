"""Settings of what is measured: analytics, and the questions customers are asked when a case is over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.section import Section

Platform = Literal["web", "whatsapp", "slack", "telegram"]


class Analytics(Section):
    """How figures are made from events, and what tokens cost."""

    cron: str = "* * * * *"
    return_days: Annotated[float, Field(gt=0, le=90)] = 7.0
    prompt_price: Annotated[float, Field(ge=0)] = 0.0
    completion_price: Annotated[float, Field(ge=0)] = 0.0
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"


class Surveys(Section):
    """Which question is asked after a case, where and when."""

    csat: bool = False
    nps_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    channels: tuple[Platform, ...] = ("web", "whatsapp", "slack", "telegram")
    idle_minutes: Annotated[float, Field(ge=0, le=1_440)] = 0.0
    reason_minutes: Annotated[float, Field(ge=0, le=1_440)] = 30.0
    answer_h: Annotated[float, Field(gt=0, le=720)] = 24.0
