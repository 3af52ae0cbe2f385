"""Cursors, clean text and strict bodies."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from server.api.shapes import NEWEST, Body, Email, Label, Page, decode_cursor, encode_cursor, load
from server.problems import Problem


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=40))
def test_a_cursor_comes_back_whole(at: float, row_id: str) -> None:
    cursor = encode_cursor(at, row_id)
    assert decode_cursor(cursor) == (at, row_id)
    assert cursor.isascii()


@pytest.mark.parametrize(
    "cursor", ["x", "!!!!", "bnVsbA", "W10", "WyJhIiwxXQ", "W25hbiwgImEiXQ", encode_cursor(math.inf, "a")]
)
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(cursor)
    assert caught.value.status == 422
    assert "cursor" in caught.value.detail


def test_the_first_page_starts_at_the_newest() -> None:
    assert Page().position == NEWEST
    with pytest.raises(ValidationError):
        Page(limit=201)
    with pytest.raises(ValidationError):
        Page(limit=0)


@pytest.mark.parametrize(("text", "clean"), [(" Ana@Example.COM ", "ana@example.com"), ("a+b@c.d", "a+b@c.d")])
def test_email_addresses_are_lower_case(text: str, clean: str) -> None:
    assert TypeAdapter(Email).validate_python(text) == clean


@pytest.mark.parametrize("text", ["ana", "@x.y", "a@", "a b@c.d", "a@b@c", "a\x00@c.d", "x" * 260 + "@c.d"])
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Email).validate_python(text)


@pytest.mark.parametrize("text", ["", "   ", "a\nb", "a\x1b[31m", "x" * 101])
def test_labels_are_short_and_printable(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Label).validate_python(text)
    assert TypeAdapter(Label).validate_python(" Ana ") == "Ana"


def test_bodies_refuse_what_they_do_not_know() -> None:
    class Thing(Body):
        name: str

    with pytest.raises(ValidationError):
        Thing.model_validate({"name": "x", "nmae": "y"})


@pytest.mark.parametrize(("text", "found"), [(None, {}), ("", {}), ("[1]", {}), ('{"a": 1}', {"a": 1})])
def test_only_objects_are_loaded(text: str | None, found: dict[str, int]) -> None:
    assert load(text) == found
