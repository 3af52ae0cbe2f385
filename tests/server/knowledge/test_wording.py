from __future__ import annotations

from server.knowledge.wording import content, stem


def test_forms_of_a_word_are_one():
    assert content("returned returns returning") == [stem("return")] * 3
    assert content("battery") == content("batteries")


def test_small_words_carry_nothing():
    assert content("What is the way to do it? ¿Qué es? Was ist das?") == []
