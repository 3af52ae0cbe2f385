"""How people are brought in: when the desk is open, how soon they answer, and what customers are told meanwhile."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from config.hours import Hours, special_days, weekly_hours
from config.section import Seconds, Section

Minutes = Annotated[float, Field(ge=0, le=527_040)]


class Targets(Section):
    """How soon staff answer and finish, in open minutes; 0 = no promise."""

    first_m: Minutes = 60.0
    next_m: Minutes = 120.0
    resolution_m: Minutes = 1_440.0


class ServiceLevels(Section):
    """Targets by priority."""

    urgent: Targets = Targets(first_m=15.0, next_m=15.0, resolution_m=240.0)
    high: Targets = Targets(first_m=30.0, next_m=30.0, resolution_m=480.0)
    normal: Targets = Targets()
    low: Targets = Targets(first_m=240.0, next_m=480.0, resolution_m=2_880.0)


class HandoffSettings(Section):
    """Between bot and people."""

    time_zone: str = "UTC"
    hours: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()
    tell_customers: bool = True
    return_after_m: Minutes = 30.0
    return_to: Literal["queue", "bot"] = "queue"
    presence_s: Seconds = 45.0
    sla: ServiceLevels = ServiceLevels()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = f"{value!r} is no time zone such as Europe/Dublin"
            raise ValueError(message) from None
        return value

    @field_validator("hours")
    @classmethod
    def _weekly(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        weekly_hours(value)
        return value

    @field_validator("holidays")
    @classmethod
    def _special(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        special_days(value)
        return value

    @model_validator(mode="after")
    def _opens(self) -> Self:
        if self.hours and not any(weekly_hours(self.hours).values()):
            message = "handoff.hours never opens the desk; give times such as 'mon-fri 09:00-17:30', or none"
            raise ValueError(message)
        return self

    @cached_property
    def calendar(self) -> Hours:
        """The hours as a calendar."""
        return Hours.of(self.time_zone, self.hours, self.holidays)
