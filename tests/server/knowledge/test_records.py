"""Rows compared with what is stored."""

from __future__ import annotations

from server.knowledge.fetched import Failed, Gone, Known, Unchanged
from server.knowledge.kinds import Text
from server.knowledge.records import address, compared, text_digest

A, B = Text("a", "", "A", "first"), Text("b", "", "B", "second")


def test_new_changed_unchanged_double_and_gone_rows():
    known = {"a": Known("", "", text_digest(A)), "b": Known("", "", "other"), "c": Known()}
    assert list(compared([A, B, A, Failed("row 4", "no key")], known)) == [
        Unchanged("a"),
        B,
        Failed("row 3", "a is there twice; the first one counts"),
        Failed("row 4", "no key"),
        Gone("c", "no longer in the source"),
    ]


def test_a_failed_row_that_is_known_is_not_gone():
    assert list(compared([Failed("row 1", "no key")], {"row 1": Known()})) == [Failed("row 1", "no key")]


def test_addresses_take_columns_and_quote_them():
    row = {"sku": "A/1 ä", "empty": ""}
    assert address("https://shop.example/p/{sku}?x=1", row) == "https://shop.example/p/A%2F1%20%C3%A4?x=1"
    assert address("https://shop.example/p/{empty}", row) == ""
    assert address("https://shop.example/p/{none}", row) == ""
    assert address("", row) == ""
