from __future__ import annotations

import pytest

from training import detect
from training.contact import Contact
from training.rows import Known


def found(text: str, **known: tuple[str, ...]) -> list[str]:
    shadow = detect.shadow(detect.visible(text))
    return [text[one.start : one.end] for one in Contact.of(Known(**known), ("DE", "US")).find(shadow)]


@pytest.mark.parametrize(
    "text",
    [
        "I am Ana María Müller", "ANA MARIA MULLER", "ana  maria\nmueller", "Müller, Ana María", "Mrs. Muller here",
        "it's maría's lamp", "Muller-Ana", "ana maria says",
    ],
)  # fmt: skip
def test_a_name_is_found_in_every_spelling(text: str) -> None:
    assert found(text, names=("Ana María Müller",))


def test_a_name_inside_a_word_is_none() -> None:
    assert found("banana mullering", names=("Ana Muller",)) == []


def test_names_that_are_words_need_a_capital() -> None:
    assert found("will it be a rose lamp?", names=("Will Rose",)) == []
    assert found("Thanks, Will", names=("Will Rose",)) == ["Will"]
    assert found("thanks, will rose", names=("Will Rose",)) == ["will rose"]


def test_scripts_without_gaps_are_searched_inside_words() -> None:
    assert found("王小明です", names=("王小明",)) == ["王小明"]
    assert "محمد" in "".join(found("ومحمد علي", names=("محمد علي",)))


@pytest.mark.parametrize("text", ["0151 2345-6789", "+49 (0)151 23456789", "004915123456789", "+49.151.234.567.89"])
def test_a_known_number_is_found_with_any_separators(text: str) -> None:
    assert found(f"call {text}!", phones=("+4915123456789",))


def test_a_local_number_is_found_as_it_is() -> None:
    assert found("ext 55 1234", phones=("551234",)) == ["55 1234"]
    assert found("it costs 123", phones=("123",)) == []


def test_an_address_is_found_by_its_lines() -> None:
    home = ("Lindenstraße 12, 10969 Berlin",)
    assert found("I live at lindenstrasse 12", addresses=home)
    assert found("Lindenstraße 12\n10969 Berlin", addresses=home)
    assert found("12 lamps", addresses=home) == []


def test_an_address_of_mail_is_found_in_any_case() -> None:
    assert found("ANA@HOME", emails=("ana@home",)) == ["ANA@HOME"]


def test_nothing_known_finds_nothing() -> None:
    assert found("anything", names=("",), phones=("",), addresses=("",)) == []
