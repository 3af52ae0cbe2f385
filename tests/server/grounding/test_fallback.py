from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.grounding import Grounded, HandOver, fallback
from server.grounding.fallback import ASK_BACK, LEAD, SAY_SO
from server.knowledge.contract import Chunk, Passage, Retrieved

TABLE = (
    "| Part | Covered for |\n|---|---|\n| Rechargeable batteries | 18 months |\n| Stoneware | 2 years |\n\n"
    "Keep the order number."
)


def found(text: str, nearest: str = "") -> Retrieved:
    chunk = Chunk("c", "d", "Warranty", "", text, "", "customer")
    return Retrieved((Passage(chunk, 1.0, nearest=nearest),))


def quoted(retrieved: Retrieved, question: str, language: str = "en") -> str:
    told = fallback("quote", retrieved, language, question)
    assert isinstance(told, Grounded)
    assert told.citations[0].passage is retrieved.passages[0]
    return told.text


def test_the_row_that_fits_is_quoted_with_its_columns():
    assert quoted(found(TABLE), "how long is the warranty of the battery") == (
        f"{LEAD['en']}\n\nPart: Rechargeable batteries; Covered for: 18 months [1]"
    )


def test_a_spanish_question_finds_the_same_row():
    assert "18 months" in quoted(found(TABLE), "¿Cuánto dura la garantía de las baterías?", "es")


def test_what_retrieval_found_nearest_is_preferred():
    assert "Keep the order number." in quoted(found(TABLE, "Keep the order number."), "what should I do")


def test_what_stands_around_the_sentence_comes_along_as_far_as_it_is_short():
    near = "It shrinks at sixty degrees."
    text = f"Wash the blanket by hand. {near} Dry it flat. {'A long story follows here ' * 12}."
    assert quoted(found(text, near), "sixty degrees") == (
        f"{LEAD['en']}\n\nWash the blanket by hand. {near} Dry it flat. [1]"
    )


def test_points_of_a_list_do_not_run_into_each_other():
    said = quoted(found("We take:\n\n- Visa and Mastercard\n- PayPal\n- gift cards.", "PayPal"), "paypal")
    assert said == f"{LEAD['en']}\n\nWe take: Visa and Mastercard; PayPal; gift cards. [1]"


def test_the_next_passage_is_quoted_too_but_nothing_twice():
    first, second = found("Ships in two days.").passages[0], found("Ships on Saturdays too.").passages[0]
    told = fallback("quote", Retrieved((first, first, second)), "en", "when does it ship")
    assert isinstance(told, Grounded)
    assert told.text == f"{LEAD['en']}\n\nShips in two days. [1]"
    told = fallback("quote", Retrieved((first, second)), "en", "when does it ship")
    assert isinstance(told, Grounded)
    assert told.text == f"{LEAD['en']}\n\nShips in two days. [1]\n\nShips on Saturdays too. [2]"
    assert [(each.number, each.passage) for each in told.citations] == [(1, first), (2, second)]


def test_quotes_hold_no_strange_links():
    retrieved = found("Order at [evil](https://evil.example/a?b=c) now, dear friend of lamps.")
    passage = replace(retrieved.passages[0], chunk=replace(retrieved.passages[0].chunk, url="https://shop.example/"))
    assert "https" not in quoted(replace(retrieved, passages=(passage,)), "order")


@pytest.mark.parametrize(("policy", "texts"), [("say_so", SAY_SO), ("ask_back", ASK_BACK)])
@pytest.mark.parametrize("language", ["en", "de", "es", "ar", "de-AT", "fr"])
def test_policies_speak_the_customers_language(policy: Any, texts: dict[str, str], language: str):
    told = fallback(policy, Retrieved(), language)
    assert isinstance(told, Grounded)
    assert told.text == texts.get(language[:2], texts["en"])
    assert told.citations == ()


def test_a_person_takes_over():
    assert fallback("hand_over", found(TABLE), "en") == HandOver()


def test_nothing_to_quote_is_said():
    told = fallback("quote", Retrieved(), "en")
    assert isinstance(told, Grounded)
    assert told.text == SAY_SO["en"]
