"""Long texts: never over the limit, nothing lost, cut where it hurts least."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import render

MEASURES = {"whatsapp": len, "mrkdwn": len, "markdown": render.utf8_bytes, "telegram": render.telegram_units,
            "plain": render.utf16_units}  # fmt: skip

words = st.integers(0, 99).map(lambda number: f"w{number:02}")
spans = st.tuples(st.sampled_from(["{}", "**{}**", "_{}_", "~~{}~~", "`{}`", "[{}](https://a.example/?b=1&c=2)", "{}😀",
                                   "{}.", "<{}>", "& {}", "{}\n", "**{} _{}_**", "**{}\n{}**"]),
                  words, words)  # fmt: skip
lines = st.lists(spans.map(lambda span: span[0].format(*span[1:])), min_size=1, max_size=30).map(" ".join)
blocks = st.tuples(st.sampled_from(["{}", "# {}", "- {}\n- {}", "1. {}\n\n   {}\n2. {}", "> {}", "```py\n{}\n{}\n```",
                                    "| {} | b |\n|---|---|\n| {} | {} |", "- {}\n\n  ```\n  {}\n  ```"]),
                   lines, lines, lines)  # fmt: skip
documents = st.lists(blocks.map(lambda block: block[0].format(*block[1:])), min_size=1, max_size=8).map("\n\n".join)
noise = st.text(alphabet=st.sampled_from(list("ab*_~`[]()<>!@#-+|&;:.\\/\n 1\t\"'😀é\u0301\u200d")), max_size=600)


def bare(text: str) -> str:
    """Without white space and the signs of quotes, which each part repeats."""
    return "".join(text.replace(">", "").split())


@given(documents | noise, st.sampled_from(sorted(MEASURES)), st.sampled_from([200, 333, 1_600]))
@settings(max_examples=100)
def test_no_part_is_over_the_limit_and_together_they_are_the_whole(text: str, style: Any, limit: int):
    measure = MEASURES[style]
    parts = render.parts(text, (), style, limit, measure)
    assert all(part.strip() and measure(part) <= limit for part in parts)
    if style == "plain" and "](" not in text:  # a link that is cut repeats its address
        assert bare("".join(parts)) == bare(render.plain(text))
    assert parts == render.parts(text, (), style, limit, measure), "the same every time"


@given(documents, st.sampled_from(sorted(MEASURES)), st.sampled_from([200, 500]))
@settings(max_examples=60)
def test_every_word_is_there_in_order(text: str, style: Any, limit: int):
    if "|---|" in text and style != "markdown":
        return  # a head is repeated with each row, so words come more often than they were written
    said = re.findall(r"w\d\d", text)
    shown = re.findall(r"w\d\d", " ".join(render.parts(text, (), style, limit, MEASURES[style])))
    missing = [word for word in said if word not in shown]
    assert not missing
    if "|---|" not in text:
        assert shown == said


def test_paragraphs_stay_whole_where_they_can():
    text = "\n\n".join(f"{number} " + "word " * 30 for number in range(10))
    parts = render.parts(text, (), "whatsapp", 400)
    assert [part[0] for part in parts] == list("02468")
    assert "\n\n".join(parts) == "\n\n".join(line.strip() for line in text.split("\n\n"))


def test_a_block_of_code_goes_whole_into_the_next_message():
    text = "word " * 20 + "\n\n```\n" + "line\n" * 40 + "```\n\nend"
    parts = render.parts(text, (), "telegram", 250, render.telegram_units)
    assert [part.count("<pre>") for part in parts] == [0, 1]


@pytest.mark.parametrize(("style", "fence"), [("whatsapp", "```"), ("mrkdwn", "```"), ("markdown", "```py")])
def test_a_long_block_of_code_is_cut_at_lines_and_opened_again(style: Any, fence: str):
    code = "\n".join(f"    line {number} = {number * 7919}" for number in range(60))
    parts = render.parts(f"```py\n{code}\n```", (), style, 400)
    assert len(parts) > 3
    assert all(part.startswith(f"{fence}\n") and part.endswith("\n```") for part in parts)
    assert "\n".join(part.removeprefix(f"{fence}\n").removesuffix("\n```") for part in parts) == code


def test_a_long_paragraph_is_cut_at_sentences_then_words_then_anywhere():
    sentences = "This is one sentence of many words. " * 30
    assert all(part.endswith("words.") for part in render.parts(sentences, (), "plain", 200))
    assert all(part.split()[-1] == "word" for part in render.parts("word " * 300, (), "plain", 201))
    assert "".join(render.parts("x" * 1_000, (), "plain", 300)) == "x" * 1_000


@pytest.mark.parametrize("sign", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "e\u0301", "❤️", "1️⃣"])
def test_a_sign_made_of_several_is_never_cut(sign: str):
    for lead in range(12):
        parts = render.parts("x" * lead + sign * 200, (), "plain", 201, render.utf16_units)
        assert all(not part.replace("x", "").replace(sign, "") for part in parts)


def test_no_tag_and_no_entity_is_ever_cut():
    text = '<&">' * 900
    for part in render.parts(f"**{text}**", (), "telegram", 300, len):
        assert re.fullmatch(r"(<b>)?(&lt;|&amp;|&quot;|&gt;)+(</b>)?", part)


def test_a_message_between_two_limits_is_sent_at_once():
    text = "a" * 4_096
    assert len(render.parts(text, (), "telegram", 4_096, render.telegram_units)) == 1
    assert len(render.parts(f"**{text}**", (), "telegram", 4_096, render.telegram_units)) == 1
    assert len(render.parts("😀" * 2_049, (), "telegram", 4_096, render.telegram_units)) == 2


def test_addresses_that_fill_a_message_are_written_as_words():
    url = "https://a.example/" + "x" * 300
    parts = render.parts(f"[here]({url}) and ![map]({url})", (), "mrkdwn", 400)
    assert all(len(part) <= 400 for part in parts)
    assert "".join(parts).count("x" * 100) >= 2
