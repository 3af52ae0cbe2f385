import pytest

from server.engine import words
from server.engine.words import Notice, say


@pytest.mark.parametrize("language", sorted(words._TEXTS))
def test_every_language_has_every_notice_of_its_own(language: str):
    assert set(words._TEXTS[language]) == set(Notice)
    texts = [say(notice, language) for notice in Notice]
    assert len(set(texts)) == len(texts)
    assert all(text == text.strip() and text for text in texts)
    if language != words.FALLBACK:
        assert not set(texts) & set(words._TEXTS[words.FALLBACK].values())


@pytest.mark.parametrize("notice", Notice)
def test_regions_and_case_do_not_matter_and_unknown_languages_get_english(notice: Notice):
    assert say(notice, "de-AT") == say(notice, "DE") == say(notice, "de")
    assert say(notice, "de") != say(notice, "en")
    for unknown in ("tlh", "", "-", "zz-de"):
        assert say(notice, unknown) == say(notice, "en")


@pytest.mark.parametrize(
    "text", ["Talk to a person", "• talk to a person.", " TALK TO A PERSON!\n", "Mit einem Menschen sprechen"]
)
def test_typing_what_the_button_says_asks_for_a_person(text: str):
    assert words.asks_for_person(text)


@pytest.mark.parametrize("text", ["", "Can I talk to a person about shoes?", "talk", "Talk to a person" * 50])
def test_other_words_are_for_the_assistant(text: str):
    assert not words.asks_for_person(text)
