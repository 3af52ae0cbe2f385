from __future__ import annotations

import string
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Outgoing
from channels.message import Attachment, Button, Citation, Outbound
from channels.telegram.payloads import CALLBACK_BYTES, TEXT_UNITS, keyboard_of, opening, payloads_of
from tests.doubles.telegram import Telegram
from tests.doubles.telegram_bench import PRIVATE, ROUTE, opened
from tests.doubles.telegram_html import parse, units

signs = [*string.ascii_letters, *" \n*_`[]()<>&\"'#~-.0\\|", "é", "字", "😀", "👩🏽‍🚀", "ع"]
words = st.lists(st.sampled_from(signs), max_size=60).map("".join)
texts = st.builds(lambda piece, times, tail: (piece + " ") * times + tail, words, st.integers(0, 400), words)


@settings(max_examples=60)
@given(texts)
def test_every_part_fits_and_is_taken_by_telegram(text: str):
    for payload in payloads_of(Outbound(text)):
        assert 0 < units(parse(payload["html"])) <= TEXT_UNITS
        assert units(payload["text"]) <= TEXT_UNITS


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram()
    async with telegram.running():
        yield telegram


async def test_a_long_answer_arrives_whole_and_in_order(double: Telegram):
    """T09, with signs outside the basic plane at the borders."""
    text = "\n\n".join(f"{number} 😀 " + "emoji 😀👩🏽‍🚀 & <b> words " * 40 for number in range(16))
    async with opened(double) as channel:
        for number, payload in enumerate(channel.render(Outbound(text))):
            await channel.send(Outgoing(id=f"p{number}", route=ROUTE, payload=payload))
    shown = double.visible(PRIVATE)
    assert len(shown) >= 4
    assert "".join("".join(shown).split()) == "".join(text.split())
    assert all(units(part) <= TEXT_UNITS for part in shown)


def test_only_the_first_part_is_a_reply_and_only_the_last_has_buttons():
    payloads = payloads_of(Outbound("word " * 2_500, feedback=("u", "d")))
    assert [payload["first"] for payload in payloads] == [True, False, False, False]
    assert ["keyboard" in payload for payload in payloads] == [False, False, False, True]


def test_sources_are_listed():
    (payload,) = payloads_of(Outbound("It is [p1].", (Citation("p1", "Terms & <rules>", "https://shop.example/t"),)))
    assert "https://shop.example/t" in payload["html"]
    assert "Terms & <rules>" in parse(payload["html"])


def test_files_come_after_the_text_and_take_the_buttons_only_without_one():
    file = Attachment("file", "", ref="f1", text="caption")
    text, sent = payloads_of(Outbound("Here", attachments=(file, Attachment("file", "https://x")), feedback=("u", "d")))
    assert ("keyboard" in text, sent) == (True, {"file": "f1", "kind": "file", "text": "caption", "first": False})
    (alone,) = payloads_of(Outbound("", attachments=(file,), feedback=("u", "d")))
    assert alone["keyboard"]


@pytest.mark.parametrize(("size", "kept"), [(0, False), (1, True), (CALLBACK_BYTES, True), (CALLBACK_BYTES + 1, False)])
def test_payloads_that_telegram_would_refuse_are_left_out(size: int, kept: bool):
    assert bool(keyboard_of(Outbound("x", buttons=(Button("Go", "p" * size),)))) is kept


def test_bytes_count_not_characters():
    assert keyboard_of(Outbound("x", buttons=(Button("Go", "é" * 33),))) == []


def test_a_message_without_anything_has_no_parts():
    assert payloads_of(Outbound(" \n ", feedback=("u", "d"))) == []
    assert opening("  ")["html"] == "…"


def test_an_unfinished_opening_says_so_and_keeps_the_limit():
    assert opening("It **is**", unfinished=True)["html"] == "It <b>is</b> …"
    assert opening("It is", unfinished=True)["text"] == "It is …"
    assert units(opening("word " * 2_000, unfinished=True)["text"]) <= TEXT_UNITS
