"""The parts of a booking, merged one after the other; conversations are in test_planner.py."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from server.tools.booking_plan import plan_booking, resume_booking
from server.tools.plans import Ask, Call, NoPlan
from server.tools.slots import Service, Vocabulary, listen
from tests.server.tools.bench import caller

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WORDS = Vocabulary(services=(Service("visit", (("en", "Visit"),), ("workshop",), ("10:30", "14:30"), 6),))


def resumed(text: str, slots: dict[str, Any], asked: str) -> object:
    said = listen(text, WORDS, date(2026, 11, 2))
    return resume_booking(said, text, slots, asked, (), caller(subject="C-1"), WORDS, NOW)


def test_what_was_said_before_stays() -> None:
    slots: dict[str, Any] = {"service": "visit", "date": "2026-11-11"}
    found = resumed("at half two", slots, "time")
    assert isinstance(found, Call)
    assert found.arguments == {"service": "visit", "date": "2026-11-11", "time": "14:30"}


def test_an_answer_about_nothing_open_is_none() -> None:
    assert resumed("I like green", {"service": "visit"}, "date") == NoPlan()


def test_a_bare_number_answers_how_many() -> None:
    found = resumed("4", {"service": "visit", "date": "2026-11-11", "time": "10:30", "people": 9}, "people")
    assert isinstance(found, Call)
    assert found.arguments["people"] == 4


def test_the_parts_that_are_missing_are_named_in_order() -> None:
    found = plan_booking(listen("book please", WORDS, date(2026, 11, 2)), {}, caller(), WORDS)
    assert isinstance(found, Ask)
    assert found.missing == ("service", "date", "time", "name", "contact")
