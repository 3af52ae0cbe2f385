"""Open hours over weeks, holidays, and days on which the clock is changed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.hours import Hours, special_days, weekly_hours

DUBLIN = ZoneInfo("Europe/Dublin")
WEEK = ("mon-fri 09:00-12:30 13:30-18:00", "sat 10:00-14:00")
OFF = ("12-25", "2026-04-03", "12-24 09:00-12:00")
HOURS = Hours.of("Europe/Dublin", WEEK, OFF)
H = 3_600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=DUBLIN).timestamp()


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20 09:00", True),
        ("2026-11-20 08:59", False),
        ("2026-11-20 12:45", False),
        ("2026-11-20 18:00", False),
        ("2026-11-21 13:59", True),
        ("2026-11-22 11:00", False),
        ("2026-12-25 11:00", False),
        ("2026-12-24 11:00", True),
        ("2026-12-24 14:00", False),
        ("2026-04-03 11:00", False),
        ("2027-04-02 11:00", True),
    ],
)
def test_a_moment_is_open_or_not(moment: str, is_open: bool) -> None:
    assert HOURS.is_open(at(moment)) is is_open


def test_the_next_opening_skips_nights_weekends_and_holidays() -> None:
    assert HOURS.opens_at(at("2026-11-20 10:00")) == at("2026-11-20 10:00")
    assert HOURS.opens_at(at("2026-11-20 13:00")) == at("2026-11-20 13:30")
    assert HOURS.opens_at(at("2026-11-21 15:00")) == at("2026-11-23 09:00")
    assert HOURS.opens_at(at("2026-12-24 12:00")) == at("2026-12-26 10:00")


def test_open_time_is_added_and_measured() -> None:
    assert HOURS.add(at("2026-11-20 17:30"), 2 * H) == at("2026-11-21 11:30")
    assert HOURS.add(at("2026-11-21 13:00"), 2 * H) == at("2026-11-23 10:00")
    assert HOURS.between(at("2026-11-20 17:30"), at("2026-11-21 11:30")) == 2 * H
    assert HOURS.between(at("2026-11-22 01:00"), at("2026-11-22 23:00")) == 0.0
    assert HOURS.between(at("2026-11-22 23:00"), at("2026-11-22 01:00")) == 0.0


def test_a_day_on_which_the_clock_is_changed_is_longer_or_shorter() -> None:
    night = Hours.of("Europe/Dublin", ("mon-sun 00:00-24:00",), ())
    assert night.between(at("2026-10-25 00:00"), at("2026-10-26 00:00")) == 25 * H
    assert night.between(at("2026-03-29 00:00"), at("2026-03-30 00:00")) == 23 * H


def test_without_hours_a_desk_is_always_open_but_on_holidays() -> None:
    always = Hours.of("UTC", (), ())
    assert (always.is_open(0.0), always.add(5.0, 7.0), always.between(1.0, 4.0)) == (True, 12.0, 3.0)
    shut = Hours.of("Europe/Dublin", (), ("12-25",))
    assert shut.opens_at(at("2026-12-25 12:00")) == at("2026-12-26 00:00")
    assert shut.is_open(at("2026-12-26 03:00"))


def test_a_desk_that_never_opens_says_so() -> None:
    never = Hours(DUBLIN, {0: ()}, {})
    assert (never.opens_at(0.0), never.add(0.0, 1.0)) == (None, None)


def test_the_coming_days_are_listed() -> None:
    days = HOURS.week_of(at("2026-12-21 08:00"))
    assert days[0] == ("2026-12-21", ((540, 750), (810, 1080)))
    assert days[3:5] == [("2026-12-24", ((540, 720),)), ("2026-12-25", ())]


@pytest.mark.parametrize("line", ["monday 09:00-17:00", "mon 17:00-09:00", "mon 09:00-25:00", "mon 09:60-10:00", "mon"])
def test_wrong_hours_are_refused_with_the_line(line: str) -> None:
    with pytest.raises(ValueError, match="09:00-17:30"):
        weekly_hours([line])


@pytest.mark.parametrize("line", ["25-12-2026", "2026-02-30", "12-25 noon"])
def test_wrong_holidays_are_refused_with_the_line(line: str) -> None:
    with pytest.raises(ValueError, match=line.split(maxsplit=1)[0]):
        special_days([line])


def test_a_week_may_wrap_and_spans_that_touch_join() -> None:
    assert weekly_hours(["sat-mon 09:00-10:00", "sun 10:00-11:00"]) == {
        5: ((540, 600),), 6: ((540, 660),), 0: ((540, 600),)
    }  # fmt: skip
    assert special_days(["02-29"]) == {(None, 2, 29): ()}


@given(st.floats(1.7e9, 1.9e9), st.floats(1.0, 40 * H))
def test_adding_and_measuring_agree(moment: float, open_s: float) -> None:
    due = HOURS.add(moment, open_s)
    assert due is not None
    assert abs(HOURS.between(moment, due) - open_s) < 1e-3
    assert HOURS.is_open(due - 1e-3) or HOURS.between(due - 1e-3, due) == 0.0
