"""CSV and JSON by the names of their columns."""

from __future__ import annotations

import pytest

from server.knowledge.formats.hints import Hints, Unreadable
from server.knowledge.formats.tables import load, read, rows


def test_separators_quotes_and_missing_cells():
    load()
    assert rows(b'a,b\n"x, y",1\n\nz\n', Hints()).rows == ({"a": "x, y", "b": "1"}, {"a": "z"})
    assert rows(b"a;b\n1,5;2\n", Hints()).rows == ({"a": "1,5", "b": "2"},)
    assert rows(b'a,b\n"two\nlines",1\n', Hints()).rows == ({"a": "two\nlines", "b": "1"},)
    assert rows(b"a,,b\n1,2,3\n", Hints()).rows == ({"a": "1", "column 2": "2", "b": "3"},)


def test_json():
    body = b'{"products": [{"a": 1, "b": null, "c": true, "d": ["x", "y"], "e": {"f": 2}}]}'
    assert rows(body, Hints()).rows == ({"a": "1", "b": "", "c": "yes", "d": "x|y", "e": "f: 2"},)
    assert rows(b'{"a": "one"}', Hints()).rows == ({"a": "one"},)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a,b\n", "no rows"),
        (b"\na,b\n", "no header"),
        (b'a,b\n"open', "cannot be read"),
        (b"[1, 2]", "list of objects"),
        (b"{broken", "not JSON"),
        (b'[{"a": "' + b"x" * 500 + b'"}]', "characters"),
        (b"[" + b"{" + b",".join(b'"%d": 1' % n for n in range(300)) + b"}]", "200 fields"),
    ],
)
def test_what_is_no_table(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        rows(data, Hints(max_characters=100))


def test_every_value_of_a_document_stands_beside_its_columns_name():
    found = read(b"sku,name,price\n1,Lamp,12\n2,,3\n", Hints())
    assert found.text == "## Lamp\n\n- sku: 1\n- name: Lamp\n- price: 12\n\n- sku: 2\n- price: 3"
