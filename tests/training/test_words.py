from hypothesis import given
from hypothesis import strategies as st

from training.words import best_f1, citations, contains, folded, token_f1, tokens


def test_texts_are_compared_without_case_accents_articles_and_marks() -> None:
    assert tokens("Die Größe ist 5,90 € [1].") == ["grosse", "ist", "5,90"]
    assert folded("It\u2019s ÉTÉ") == "it's ete"
    assert token_f1("The parcel costs €5.90 [1].", "parcel costs 5.90") == 1


def test_f1_is_the_mean_of_both_shares() -> None:
    assert token_f1("red blue", "red green") == 0.5
    assert token_f1("", "red") == 0
    assert token_f1("", "") == 1
    assert best_f1("red", ["green", "red"]) == 1
    assert best_f1("red", []) == 0


def test_a_reference_is_contained_as_whole_words_in_order() -> None:
    assert contains("It is made in New York, they say", "New York")
    assert not contains("a newer Yorkshire", "new york")
    assert not contains("anything", "")


def test_citations_keep_their_order_and_stand_once() -> None:
    assert citations("Yes [2][1], and [2]. [123] is none.") == [2, 1]


@given(st.text(), st.text())
def test_f1_is_symmetric_and_a_share(one: str, other: str) -> None:
    assert token_f1(one, other) == token_f1(other, one)
    assert 0 <= token_f1(one, other) <= 1


@given(st.text())
def test_a_text_agrees_with_itself(text: str) -> None:
    assert token_f1(text, text) == 1
