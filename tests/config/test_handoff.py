"""Settings of the handoff refuse what no clock can follow."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.handoff import HandoffSettings


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"time_zone": "Mars/Olympus"}, "no time zone such as Europe/Dublin"),
        ({"hours": ("whenever",)}, "is not like 'mon-fri 09:00-17:30'"),
        ({"holidays": ("02-30",)}, "names no day of the calendar"),
        ({"return_to": "nobody"}, "queue"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        HandoffSettings.model_validate(values)


def test_the_calendar_is_made_of_the_settings() -> None:
    settings = HandoffSettings(time_zone="Europe/Dublin", hours=("mon 09:00-10:00",))
    assert settings.calendar is settings.calendar
    assert not settings.calendar.always
    assert HandoffSettings().calendar.always
