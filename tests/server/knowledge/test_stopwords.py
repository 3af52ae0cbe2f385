from __future__ import annotations

import unicodedata

from server.knowledge.stopwords import STOPWORDS


def test_they_are_in_the_form_in_which_questions_are_compared():
    assert all(word == word.lower() and word.isalpha() for word in STOPWORDS)
    assert not any(
        unicodedata.combining(letter) for word in STOPWORDS for letter in unicodedata.normalize("NFKD", word)
    )


def test_words_that_say_what_is_sought_are_not_among_them():
    sought = "order price return lamp wool delivery open repair bestellung preis lampe pedido precio manta"
    assert STOPWORDS.isdisjoint(sought.split())
