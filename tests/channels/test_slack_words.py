"""Slack's markup on the way in, and what must not ring anybody on the way out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.slack.words import JOINER, inert, mentions, readable, storable, without_mention


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("<https://shop.example/a?b=1&amp;c=2|our shop>", "our shop (https://shop.example/a?b=1&c=2)"),
        ("<https://shop.example>", "https://shop.example"),
        ("<https://shop.example/|shop.example>", "https://shop.example/"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<tel:+49123|call us>", "call us (+49123)"),
        ("ask <@U123>", "ask @U123"),
        ("ask <@U123|anna>", "ask @anna"),
        ("in <#C1|general> or <#C2>", "in #general or #C2"),
        ("<!here> and <!subteam^S1|@crew> and <!channel|channel>", "@here and @crew and channel"),
        ("<!date^1392734382^{date}|18 Feb 2014>", "18 Feb 2014"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),  # decoded once
        ("&lt;!channel&gt;", "<!channel>"),  # typed by a person, not a broadcast
        ("*bold* _text_", "*bold* _text_"),
    ],
)
def test_readable(raw: str, shown: str) -> None:
    assert readable(raw) == shown


def test_the_own_mention_goes_and_others_stay() -> None:
    assert without_mention("<@UDESK>, hi <@UDESK>", "UDESK") == "hi <@UDESK>"
    assert without_mention("<@UDESK|desk>: hi", "UDESK") == "hi"
    assert without_mention("<@UANNA> hi", "UDESK") == "<@UANNA> hi"
    assert without_mention("<@UANNA> hi", "") == "hi"


def test_mentions() -> None:
    assert mentions("hi <@U1>", "U1")
    assert mentions("hi <@U1|x>", "U1")
    assert not mentions("hi <@U12>", "U1")
    assert not mentions("hi", "")


def test_nothing_rings_anybody() -> None:
    assert inert("<!channel> <@U1> <#C1> @everyone") == (
        f"<{JOINER}!channel> <{JOINER}@{JOINER}U1> <{JOINER}#C1> @{JOINER}everyone"
    )
    assert inert("mail a@b.example, 1 < 2, https://x.example/@me").count(JOINER) <= 1
    assert inert("a@b.example") == "a@b.example"


@given(st.text(alphabet="<@!#ab c", max_size=20), st.integers(0, 20))
def test_a_longer_text_begins_with_the_shorter_except_inside_a_mention(text: str, cut: int) -> None:
    head = text[:cut]
    if not head.endswith(("<", "@")):
        assert inert(text).startswith(inert(head))


def test_storable() -> None:
    assert storable("a\x00\ud800b") == "a?b"
