from __future__ import annotations

import pytest

from server.grounding.marks import find, is_source_line, without


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("[1]", (1,)), ("[ 2, 3 ]", (2, 3)), ("[doc1]", ()), ("【1】", ()), ("[^1]", ()),
     ("(source: Returns)", ()), ("[1-3]", ())],
)  # fmt: skip
def test_marks_and_what_they_name(text: str, numbers: tuple[int, ...]):
    assert [mark.numbers for mark in find(f"Yes {text}.")] == [numbers]


@pytest.mark.parametrize("text", ["(1)", "[your name]", "[", "(see below)", "[12345]", "(+353 20 913 0155)"])
def test_other_brackets_are_text(text: str):
    assert find(f"Yes {text}.") == []


def test_a_text_without_its_marks():
    text = "Thirty days [1], or more [2]."
    assert without(text, find(text)) == "Thirty days, or more."


@pytest.mark.parametrize("line", ["Sources: [1]", "**Quellen:** Rückgabe", "Reference: Returns", "المصادر: 1"])
def test_lines_of_sources(line: str):
    assert is_source_line(line)


def test_a_sentence_about_sources_is_none():
    assert not is_source_line("The sources of our wool are eleven farms.")
