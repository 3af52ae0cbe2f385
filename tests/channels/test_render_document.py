"""Reading CommonMark: what is kept, what is left as it is written, and what hostile texts cost."""

from __future__ import annotations

import time

import pytest

from channels import render
from channels.render.document import MAX_CHARACTERS, Form, Mark, read

FORM = Form(markdown=False, fits=lambda _: True)
N = 10_000
HOSTILE = {
    "brackets": "[" * N,
    "images": "![" * N,
    "emphasis": "*a " * N,
    "two emphases": "**a *b " * N,
    "ticks": "`" * N,
    "growing ticks": "".join("`" * number + "a" for number in range(150)),
    "angles": "<" * N,
    "quotes": ">" * N,
    "quotes of lines": "> a\n" * N,
    "lists": "- " * N,
    "deeper lists": "\n".join("  " * number + "- a" for number in range(200)),
    "entities": "&" * N,
    "backslashes": "\\" * N,
    "half links": "[a](" * N,
    "many links": "[" * 5_000 + "a" + "](https://x.y)" * 5_000,
    "stars around": "*" * N + "a" + "*" * N,
    "a table": "|a" * 500 + "\n" + "|-" * 500 + "\n" + "x\n" * 500,
    "mentions": "@everyone " * N,
    "one word": "a" * 200_000,
    "accents": "a" + "\u0301" * N,
    "spaces": " " * N + "a",
    "blank lines": "a\n\n" * N,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_cost_little_and_are_shown(name: str):
    started = time.process_time()
    parts = render.parts(HOSTILE[name], (), "telegram", 4_096, render.telegram_units)
    assert time.process_time() - started < 2.0
    assert all(render.telegram_units(part) <= 4_096 for part in parts)
    assert sum(len(part) for part in parts) >= len("".join(HOSTILE[name].split())) * 0.3 or "list" in name


def test_what_is_nested_too_deep_or_too_long_is_shown_as_it_is_written():
    deep = "> " * 100 + "**end**"
    assert read(deep, (), FORM).text == deep
    long = "**a** " * MAX_CHARACTERS
    assert read(long, (), FORM).text == long
    assert read(long, (), FORM).marks == [()]


def test_paragraphs_of_a_literal_text_are_known_too():
    text = "a\n\nb\n \nc" + "*" * 3_000
    assert read(text, (), FORM).stops == [1, 4]


def test_stretches_carry_their_marks():
    document = read("a **b [c](https://a.example)**", (), FORM)
    assert list(document.between(0, len(document.text))) == [
        ("a ", ()),
        ("b ", (Mark("bold"),)),
        ("c", (Mark("bold"), Mark("link", "https://a.example"))),
    ]
    assert list(document.between(3, 5)) == [(" ", (Mark("bold"),)), ("c", document.marks[-1])]


def test_a_list_stands_apart_and_its_code_on_lines_of_its_own():
    assert read("a\n- b\n- ```\n  c\n  ```\n\nd", (), FORM).text == "a\n\n• b\n• \nc\n\nd"
    assert read("1) a\n   - b\n\n     c\n2) d", (), FORM).text == "1) a\n   • b\n\n     c\n2) d"
