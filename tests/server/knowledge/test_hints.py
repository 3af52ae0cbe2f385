"""Tidy text: nothing hidden, nothing endless."""

from __future__ import annotations

import pytest

from server.knowledge.formats.hints import LONG_LINE, Unreadable, table, tidy


def test_hidden_characters_go_and_joiners_that_scripts_need_stay():
    hidden = "pay\u202eno\u2066 here\ufeff\u00ad\U000e0041\x07\x9b"
    assert tidy(hidden, 100) == "payno here"
    assert tidy("\u0645\u06cc\u200c\u062e", 100) == "\u0645\u06cc\u200c\u062e"


def test_blanks_and_line_ends():
    assert tidy("\n\na  \r\nb\r\n\r\n\r\n\r\nc\n", 100) == "a\nb\n\nc"


def test_endless_lines_are_broken_at_blanks_and_nothing_is_lost():
    text = tidy("word " * 4_000 + "x" * 9_000, 100_000)
    assert max(map(len, text.split("\n"))) <= LONG_LINE
    assert text.replace("\n", " ").split()[:4_000] == ["word"] * 4_000
    assert text.count("x") == 9_000


def test_too_much_is_refused():
    with pytest.raises(Unreadable, match="10 characters"):
        tidy("x" * 11, 10)


def test_tables_fill_short_rows_and_escape():
    assert table([["a", "b"], ["1|2"]]) == "| a | b |\n| --- | --- |\n| 1\\|2 |  |"
