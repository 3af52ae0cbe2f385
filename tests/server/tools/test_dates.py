"""Days and times as people write them; today is Monday 2 November 2026."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tools.dates import fold, mend, read_day, read_time

TODAY = date(2026, 11, 2)


def read(text: str) -> tuple[str, str]:
    day, rest = read_day(mend(fold(text)), TODAY)
    time, _ = read_time(rest)
    return day.day.isoformat()[5:] if day else "", (time.readings[0] if time.readings else time.half) if time else ""


@pytest.mark.parametrize(
    ("text", "day", "time"),
    [
        ("next Wednesday at 3", "11-11", "15:00"),
        ("this Wednesday", "11-04", ""),
        ("am 4.11. um 15 Uhr", "11-04", "15:00"),
        ("pasado mañana", "11-04", ""),
        ("tomorrow half past ten", "11-03", "10:30"),
        ("the 6th", "11-06", ""),
        ("Wednesday 11 November at half ten", "11-11", "10:30"),
        ("thursday 12 nov 1pm", "11-12", "13:00"),
        ("25/11 at 10.30", "11-25", "10:30"),
        ("Tuesday the 24th at 1 in the afternoon", "11-24", "13:00"),
        ("Friday 27 November, 2.30 pm, six people", "11-27", "14:30"),
        ("Freitag, den 13.11., 14 Uhr 30", "11-13", "14:30"),
        ("nächsten Mittwoch um halb elf", "11-11", "10:30"),
        ("Mittwoch morgen um viertel nach zehn", "11-04", "10:15"),
        ("übermorgen um 11", "11-04", "11:00"),
        ("morgen früh", "11-03", "am"),
        ("mañana por la mañana", "11-03", "am"),
        ("mañana a las diez y media", "11-03", "10:30"),
        ("el viernes 13 de noviembre a las 14:30", "11-13", "14:30"),
        ("el próximo miércoles por la tarde", "11-04", "pm"),
        ("el 6 a las 11", "11-06", "11:00"),
        ("wendesday 11am", "11-04", "11:00"),
        ("on 2026-11-12 at 16:00", "11-12", "16:00"),
        ("in two weeks", "11-16", ""),
        ("in 3 days at noon", "11-05", "12:00"),
        ("Thursday next week at one", "11-12", "13:00"),
        ("November 6th, quarter to eleven", "11-06", "10:45"),
        ("on a Monday", "", ""),
        ("on Fridays", "", ""),
        ("los jueves", "", ""),
        ("that costs 10.30 euro", "", ""),
        ("guten Morgen", "", ""),
        ("I come next Friday at 2:30pm", "11-13", "14:30"),
        ("el sábado 21 a las 11", "11-21", "11:00"),
        ("Thursday 4", "11-05", ""),
        ("in two weeks, Tuesday at 11", "11-17", "11:00"),
    ],
)
def test_days_and_times(text: str, day: str, time: str) -> None:
    assert read(text) == (day, time)


def test_a_day_that_is_over_is_one_of_next_year() -> None:
    day, _ = read_day("1 november", TODAY)
    assert day is not None
    assert day.day == date(2027, 11, 1)


def test_the_31st_waits_for_a_month_that_has_one() -> None:
    day, _ = read_day("on the 31st", TODAY)
    assert day is not None
    assert day.day == date(2026, 12, 31)


def test_a_clash_is_told() -> None:
    day, _ = read_day("wednesday 12 november", TODAY)
    assert day is not None
    assert (day.day, day.clash) == (date(2026, 11, 12), True)


def test_a_time_is_picked_from_what_is_offered() -> None:
    time, _ = read_time("at four")
    assert time is not None
    assert (time.pick(["04:00"]), time.pick(["16:00"]), time.pick([])) == ("04:00", "16:00", "16:00")
    half, _ = read_time("in the afternoon")
    assert half is not None
    assert (half.pick(["10:30", "14:30"]), half.pick(["13:00", "16:00"])) == ("14:30", "")
    assert half.fitting(["10:30", "13:00", "16:00"]) == ["13:00", "16:00"]


@given(st.dates(date(2026, 1, 1), date(2030, 12, 31)), st.integers(0, 400))
def test_every_day_is_read_back(today: date, ahead: int) -> None:
    day = today + timedelta(days=ahead)
    found, _ = read_day(f"on {day.isoformat()} at 10:30", today)
    assert found is not None
    assert found.day == day


@given(st.text(max_size=200))
def test_nothing_breaks_the_readers(text: str) -> None:
    folded = mend(fold(text))
    _, rest = read_day(folded, TODAY)
    read_time(rest)
