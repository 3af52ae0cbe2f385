from __future__ import annotations

import pytest

from server.grounding.units import end_of_unit


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("One. Two", "One."),
        ("One [1]. Two", "One [1]."),
        ("One. [1][2] Two", "One. [1][2]"),
        ("One. (source: x) Two", "One. (source: x)"),
        ("One. (really) Two", "One."),
        ("About 3.5 kg. Two", "About 3.5 kg."),
        ("Use e.g. soap. Two", "Use e.g. soap."),
        ("1. First. Two", "1. First."),
        ("line\nnext", "line\n"),
        ('"Yes!" he said', '"Yes!"'),
        ("الجواب نعم؟ لا", "الجواب نعم؟"),
    ],
)
def test_where_a_sentence_ends(text: str, unit: str):
    assert text[: end_of_unit(text, final=False)] == unit


@pytest.mark.parametrize("text", ["One", "One.", "One. ", "One. [", "One. [1]", "One. [1] ", "One. (source: x"])
def test_what_may_still_change_is_not_cut(text: str):
    assert end_of_unit(text, final=False) == 0
    assert end_of_unit(text, final=True) > 0


def test_a_bracket_that_never_closes_ends_the_wait():
    assert end_of_unit("One. (" + "x" * 200, final=False) == len("One.")
