from __future__ import annotations

import pytest

from server.grounding.support import Sources
from server.knowledge.contract import Chunk, Passage


def sources(*texts: str, question: str = "") -> Sources:
    return Sources(
        [Passage(Chunk(str(n), "d", "t", "", text, "", "customer"), 1.0) for n, text in enumerate(texts)], question
    )


def test_the_passage_that_says_most_is_the_source():
    held = sources("Wool is washed cold.", "Lamps have a warranty of five years.")
    assert held.best(held.shares("The warranty of your lamp lasts 5 years.")) == 2
    assert held.best(held.shares("Bananas grow in tropical gardens.")) == 0


def test_words_of_the_question_prove_nothing():
    held = sources("Lamps are sold in Galway.", question="Do you sell lamps in Dublin?")
    assert held.best(held.shares("We sell lamps in Dublin near the castle.")) == 0


def test_numbers_of_the_model_need_the_passage_to_agree():
    held = sources("Wool is washed cold.", "Lamps last long.")
    assert held.confirmed([2, 1, 1, 9, 0], held.shares("Wash the wool cold.")) == [1]


@pytest.mark.parametrize(("sentence", "claims"), [("You're welcome!", False), ("Can I help with anything else?", False),
                                                  ("Wool shrinks in hot water.", True), ("Kind regards, Ines", False),
                                                  ("Viele Grüße, Ines", False), ("Good morning!", False)])  # fmt: skip
def test_courtesies_claim_nothing(sentence: str, claims: bool):
    assert sources("x").claims(sentence) is claims
