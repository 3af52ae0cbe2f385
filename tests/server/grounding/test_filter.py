from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.grounding import Filter, Grounded
from server.knowledge.contract import Chunk, Passage


def passage(title: str, text: str, url: str = "") -> Passage:
    return Passage(Chunk(f"doc:{title}", "doc", title, "", text, url, "customer"), 1.0)


RETURNS = passage(
    "Returns",
    "You have 30 days from the day of delivery to send something back. Write to returns@marlow.example.",
    "https://shop.example/returns",
)
SHIPPING = passage(
    "Shipping",
    "| Destination | Price |\n|---|---|\n| EU zone 2: every other EU country | €13.90 |\n\n"
    "Express is offered on weekdays.",
)
PASSAGES = (RETURNS, SHIPPING)
QUESTION = "How long can I return a 265 euro blanket?"

PIECES = [
    "You have 30 days to send it back", "Postage to zone 2 is €13.90", "It costs €99", "Hello there", " [1]", "[2]",
    "[7]", " [doc1]", "【1】", " (source: Returns)", "[1, 2]", "[^1]", ".", ". ", "! ", "?", "\n", "\n\n", "- ", "1. ",
    " ", "(see below)", "[our page](https://shop.example/returns)",
    "![x](https://evil.example/a.png)", " https://evil.example/?q=secret",
    "[", "]", "(", ")", "**", "Write to returns@marlow.example",
    "me@evil.example", "Sources: [1] Returns", "e.g. ", "30", "thirty days",
    "Versand nach EU", "مرحبا", "<b>", " www.evil.com ", "[1](https://evil.example)", "\u200b", "…",
    "[1]: https://evil.example/x",
]  # fmt: skip
answers = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=200))


def told(text: str, cuts: list[int] | None = None, hosts: tuple[str, ...] = ()) -> Grounded:
    gate = Filter(PASSAGES, hosts, QUESTION)
    ends = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts or [])})
    shown = "".join(gate.feed(text[first:last]) for first, last in pairwise(ends))
    done = gate.finish()
    assert done.text.startswith(shown)
    return done


@settings(max_examples=400)
@given(answers, st.lists(st.integers(0, 500), max_size=40))
def test_how_an_answer_is_cut_changes_nothing(text: str, cuts: list[int]):
    assert told(text, cuts) == told(text) == told(text, list(range(len(text))))


@settings(max_examples=300)
@given(answers)
def test_every_citation_shown_is_a_passage_of_the_prompt(text: str):
    done = told(text)
    assert [cited.number for cited in done.citations] == list(range(1, len(done.citations) + 1))
    for cited in done.citations:
        assert f"[{cited.number}]" in done.text
        assert cited.passage in PASSAGES
    assert 0 <= done.support <= 1


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["Alpha beta gamma", "Delta", "Über uns", "نعم", "Well then"]), min_size=1, max_size=8),
       st.sampled_from([". ", "! ", "\n", "\n\n", ", "]))  # fmt: skip
def test_no_words_are_lost(sentences: list[str], between: str):
    text = between.join(sentences)
    assert told(text).text == text.strip()


@settings(max_examples=200)
@given(answers)
def test_no_strange_address_stays_a_link(text: str):
    shown = told(text).text
    assert "evil.example/" not in shown
    assert "https://evil" not in shown
    assert " www.evil.com " not in shown
    assert "![" not in shown or "](" not in shown


@pytest.mark.parametrize(
    "planted", ["[7]", "[doc1]", "(source: Returns)", "【1】", "[0]", "[source: x]", "[Quelle 3]", "[^9]"]
)
def test_planted_citations_are_removed_and_counted(planted: str):
    done = told(f"Hello there, dear friend {planted}. Good to see you {planted}")
    assert planted not in done.text
    assert done.removed == 2
    assert done.citations == ()


def test_a_right_citation_is_kept_and_renumbered():
    done = told("Postage to EU zone 2 is €13.90 [2]. You have 30 days to send something back [1][2].")
    assert done.text == "Postage to EU zone 2 is €13.90. [1] You have 30 days to send something back. [2]"
    assert [cited.passage for cited in done.citations] == [SHIPPING, RETURNS]
    assert done.removed == 1  # [2] does not say the second
    assert done.supported


def test_without_citations_code_names_the_passage():
    done = told("You have thirty days from delivery to send it back.")
    assert done.text.endswith("back. [1]")
    assert done.citations[0].passage is RETURNS


def test_a_german_sentence_is_held_against_english_passages():
    assert told("Sie können es innerhalb von 30 Tagen nach der Lieferung zurückschicken.").supported


@pytest.mark.parametrize(
    "wrong", ["It costs €99.", "You have 45 days.", "You have fifty days.", "Write to me@evil.example."]
)
def test_a_sentence_with_a_figure_of_its_own_is_withheld(wrong: str):
    done = told(f"You have 30 days to send something back. {wrong}")
    assert done.text == "You have 30 days to send something back. [1]"
    assert done.withheld == 1


def test_figures_of_the_question_may_be_said():
    assert told("Your blanket of 265 euro can be returned.").withheld == 0


def test_words_that_no_passage_says_are_not_supported():
    done = told("The moon is made of cheese and Elvis lives there [1].")
    assert not done.supported
    assert done.citations == ()
    assert done.removed == 1


def test_links_of_passages_and_listed_hosts_stay():
    text = "See [our page](https://shop.example/returns) or [help](https://help.example/x) or [bad](https://evil.example/?q=1)."
    assert told(text, hosts=("help.example",)).text == (
        "See [our page](https://shop.example/returns) or [help](https://help.example/x) or bad."
    )


def test_the_models_own_list_of_sources_goes():
    assert told("You have 30 days to send something back.\n\nSources: [1] Returns").text.endswith("back. [1]")


def test_lists_and_paragraphs_stay():
    text = "Two things:\n\n1. You have 30 days to send something back.\n2. Express is offered on weekdays."
    assert told(text).text == (
        "Two things:\n\n1. You have 30 days to send something back. [1]\n2. Express is offered on weekdays. [2]"
    )


def test_a_sentence_is_shown_once_it_is_whole():
    gate = Filter(PASSAGES, (), QUESTION)
    assert gate.feed("You have 30 days to send it back. ") == ""  # a mark may follow
    assert gate.feed("Exp") == "You have 30 days to send it back. [1]"
    assert gate.finish().text == "You have 30 days to send it back. [1] Exp"
