"""What the customer said stands in marked arguments, and nothing else does."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chat import ToolSpec
from server.tools.customer_words import MARK, fill, marked, shortened, tells, without, words

SPEC = ToolSpec(
    "note",
    "Notes something.",
    {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["a", "b"]},
            "note": {"type": "string", "maxLength": 30, MARK: True},
        },
        "required": ["kind", "note"],
    },
)


def test_the_model_does_not_see_what_code_fills_in() -> None:
    assert marked(SPEC.parameters) == ("note",)
    seen = without(SPEC).parameters
    assert (list(cast("dict[str, Any]", seen["properties"])), seen["required"]) == (["kind"], ["kind"])
    plain = ToolSpec("x", "", {})
    assert without(plain) is plain


def test_a_wish_that_says_what_it_is_about_stands_as_it_is() -> None:
    asked = "Open a ticket about MP-20384"
    assert fill(SPEC, asked, ("do you ship to Spain?",)) == {"note": asked}


def test_a_bare_wish_is_about_what_was_said_before() -> None:
    said = ("Hello!", "do you ship to Spain?", "My bowl came broken.", "yes", "It was the blue one.")
    assert words("please open a ticket", said) == "My bowl came broken.\nIt was the blue one."
    assert words("please open a ticket", ("Hello!",)) == ""
    assert fill(SPEC, "please open a ticket", ()) == {"note": "please open a ticket"}
    assert fill(SPEC, "  ", ()) == {}


@pytest.mark.parametrize(
    "text",
    [
        "open a ticket",
        "Can you please open a new ticket for me?",
        "I want to complain",
        "I have a problem",
        "Bitte eröffnen Sie ein Ticket",
        "Ich möchte mich beschweren",
        "Quiero poner una queja",
        "¿puede abrir una incidencia, por favor?",
        "ok",
        "...",
    ],
)
def test_asking_alone_tells_nothing(text: str) -> None:
    assert not tells(text)
    assert tells(f"{text} MP-20384")


def test_long_words_are_cut() -> None:
    assert fill(SPEC, "lamp " * 20, ()) == {"note": "lamp lamp lamp lamp lamp lamp…"}


@given(st.text(max_size=60), st.integers(1, 40))
def test_nothing_is_longer_than_it_may_be(text: str, most: int) -> None:
    assert len(shortened(text, most)) <= most
