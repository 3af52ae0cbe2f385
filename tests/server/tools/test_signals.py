"""What messages are after; whole conversations are in test_planner.py, the frozen questions in tests/demo."""

from __future__ import annotations

import time

import pytest

from server.tools import signals, wishes
from server.tools.dates import fold


@pytest.mark.parametrize(
    "text",
    [
        "how long does it take?",
        "what if it is late?",
        "can I bring a dog, is it allowed?",
        "wie lange dauert das?",
        "muss ich buchen?",
        "¿cuánto cuesta?",
        "¿se puede ir sin cita?",
        "do you ship to Spain",
    ],
)
def test_questions_about_rules(text: str) -> None:
    assert signals.asks_about_rules(fold(text))


@pytest.mark.parametrize(
    "text", ["where is my parcel", "book me in for tomorrow", "wo bleibt mein Paket", "quiero una cita mañana"]
)
def test_requests_are_none(text: str) -> None:
    assert not signals.asks_about_rules(fold(text))


def test_a_yes_is_plain_and_short() -> None:
    for text in ("yes", "ja gerne", "sí, por favor", "نعم"):
        assert signals.says_yes(fold(text))
    for text in ("yes?", "yes but not now", "yes I have been to your shop many times", "yesterday", "no"):
        assert not signals.says_yes(fold(text))


def test_a_person_is_asked_for_in_four_languages() -> None:
    for text in (
        "let me talk to a real person",
        "bitte mit einem Mitarbeiter sprechen",
        "quiero hablar con alguien",
        "أريد التحدث إلى شخص",
    ):
        assert wishes.wants_person(fold(text))
    for text in (
        "until what time can I talk to a person?",
        "a person needs light",
        "the staff discount",
        "Personal von Herzen",
    ):
        assert not wishes.wants_person(fold(text))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        "my order " * 3_000,
        "can i " * 3_000,
        "1 " * 5_000,
        "book " * 4_000 + "at",
        "i would like " * 2_000,
    ],
)
def test_long_messages_are_read_quickly(text: str) -> None:
    began = time.perf_counter()
    folded = fold(text)
    (
        signals.asks_about_rules(folded),
        wishes.wants_person(folded),
        signals.wants_change(folded),
        signals.says_yes(folded),
    )
    signals.calls_off(folded), wishes.wants_contact(folded), wishes.wants_ticket(folded), wishes.wants_to_pay(folded)
    signals.misses_code(folded), signals.misses_number(folded), signals.hypothetical(folded)
    assert time.perf_counter() - began < 2.0
