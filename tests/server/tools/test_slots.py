"""Figures, addresses, services and names in messages."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tools.slots import Service, Vocabulary, listen, offers, position, read_name

TODAY = date(2026, 11, 2)
WORDS = Vocabulary(
    "MP",
    5,
    (
        Service("visit", (("en", "Visit"),), ("workshop", "tour"), ("10:30",), 6),
        Service("talk", (("en", "Talk"),), ("showroom", "light plan"), ("11:00",), 4),
    ),
    "UTC",
)


def test_each_figure_counts_once() -> None:
    said = listen("MP-20349, workshop on 11 Nov at 10:30 for 4 people, bo@mail.example, +353 20 915 0111", WORDS, TODAY)
    assert (said.order, said.email, said.phone, said.people) == ("MP-20349", "bo@mail.example", "+353 20 915 0111", 4)
    assert said.day is not None
    assert said.time is not None
    assert (said.day.day, said.time.readings[0], said.services, said.code) == (
        date(2026, 11, 11),
        "10:30",
        ("visit",),
        "",
    )


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("two of us", 2),
        ("for 4", 4),
        ("six people", 6),
        ("wir sind zu viert", 4),
        ("para dos personas", 2),
        ("somos tres", 3),
        ("me and my wife", 2),
        ("just me", 1),
        ("a party of 5", 5),
        ("for 11 November", 0),
        ("at 4", 0),
        ("two adults please", 2),
    ],
)
def test_people(text: str, people: int) -> None:
    assert listen(text, WORDS, TODAY).people == people


def test_a_piece_of_an_order_number_is_told_apart() -> None:
    assert listen("MP-2034", WORDS, TODAY).part_order
    assert listen("MP-203491", WORDS, TODAY).part_order
    assert not listen("MP-20349", WORDS, TODAY).part_order


def test_services_by_their_words() -> None:
    assert listen("a tour of the workshop", WORDS, TODAY).services == ("visit",)
    assert set(listen("workshop or showroom?", WORDS, TODAY).services) == {"visit", "talk"}
    assert listen("a detour", WORDS, TODAY).services == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Ana de la Cruz", "Ana de la Cruz"),
        ("Bo Li", "Bo Li"),
        ("ich heiße Petra Vogt, +49 30 123456789", "Petra Vogt"),
        ("me llamo Lucía Ferrer y mi correo es l@c.example", "Lucía Ferrer"),
        ("Niamh O'Neill, n@m.example", "Niamh O'Neill"),
        ("yes please", ""),
        ("what does it cost", ""),
        ("hm", ""),
        ("n@m.example", ""),
    ],
)
def test_names(text: str, name: str) -> None:
    assert read_name(text, only=True) == name


def test_offers_and_positions_are_read_back() -> None:
    history = [
        "hello",
        "Free:\n1. Wednesday 4 November, 14:30\n2. Mittwoch, 11. November, 10:30\n3. viernes 13 de noviembre, 14:30",
    ]
    assert offers(history, TODAY) == [("2026-11-04", "14:30"), ("2026-11-11", "10:30"), ("2026-11-13", "14:30")]
    assert offers(["hello"], TODAY) == []
    assert [position(text) for text in ("the first", "2", "die dritte", "la segunda", "hm")] == [0, 1, 2, 1, None]


@given(st.text(max_size=300))
def test_nothing_breaks_the_listener(text: str) -> None:
    listen(text, WORDS, TODAY)
    read_name(text, only=True)
