from __future__ import annotations

import pytest

from tests.training.made import made
from training.language import detector, votes, with_languages
from training.rows import Row

LANGUAGES = ("en", "de", "fr")


def conversation(*said: str, language: str = "") -> list[Row]:
    return [
        made(number, messages=[{"role": "user", "content": text}], conversation="one", language=language)
        for number, text in enumerate(said)
    ]


def test_short_words_follow_their_conversation() -> None:
    rows, other = with_languages(conversation("Wo bleibt meine Bestellung, bitte?", "ok", "thx"), LANGUAGES)
    assert {row.language for row in rows} == {"de"}
    assert other == 0


def test_what_was_recorded_stays_when_nothing_clear_was_said() -> None:
    rows, other = with_languages(conversation("ok", "12", language="fr"), LANGUAGES)
    assert {row.language for row in rows} == {"fr"}
    assert other == 0


def test_a_clearly_other_language_wins_and_is_counted() -> None:
    rows, other = with_languages(
        conversation("Je voudrais savoir où est ma commande, s'il vous plaît.", language="en"), LANGUAGES
    )
    assert rows[0].language == "fr"
    assert other == 1


def test_regions_of_a_recorded_language_stay() -> None:
    rows, _ = with_languages(conversation("Where is my order, please?", language="en-GB"), LANGUAGES)
    assert rows[0].language == "en-GB"


def test_one_language_needs_no_vote() -> None:
    rows, other = with_languages(conversation("Hallo"), ("de-AT",))
    assert (rows[0].language, other) == ("de", 0)
    assert with_languages(conversation("Hallo"), ())[0][0].language == ""


def test_an_unknown_language_is_told() -> None:
    with pytest.raises(ValueError, match="xx"):
        detector(("en", "xx"))


def test_numbers_links_and_marks_do_not_vote() -> None:
    found = detector(LANGUAGES)
    assert found is not None
    assert votes(["12345", "https://example.com/bitte-sehr", "<email-1>"], found) == {}
