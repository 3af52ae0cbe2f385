"""What a platform would read into our texts: tags closed, nobody pinged, Markdown that means the same again."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels import render
from tests.channels.test_render_cutting import documents, noise

TAGS = {"b", "i", "s", "code", "pre", "a", "blockquote"}


class Strict(HTMLParser):
    """Telegram's reader: known tags only, closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert not attrs or (tag == "a" and [name for name, _ in attrs] == ["href"]) or tag == "code"
        assert tag != "blockquote" or tag not in self.opened
        self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)


@given(documents | noise | st.text(max_size=200), st.sampled_from([200, 4_096]))
@settings(max_examples=100)
@example("<!-- x --> </b> <a href='https://a.example'>", 200)
@example('**a [b](https://a.example "t") _c_ > d**', 200)
@example("> a\n> > b\n> - c\n>   > d", 200)
def test_telegram_can_always_read_it(text: str, limit: int):
    for part in render.parts(text, (), "telegram", limit, render.telegram_units):
        reader = Strict()
        reader.feed(part)
        reader.close()
        assert reader.opened == []
        assert not re.search(r"&(?!(amp|lt|gt|quot);)", part)


MENTIONS = ["@everyone", "@channel", "@HERE", "<!channel>", "<!here|here>", "<@U123>", "<#C1|x>", "@**everyone**",
            "`@here`", "`<!channel>`", "[<!here>](https://a.example)", "&lt;!channel&gt;", "\\<!channel>",
            "<!**channel**>", "[x](https://a.example/|<!channel>)", "```\n<!everyone>\n```",
            "| <!here> | b |\n|---|---|\n| <@U1> | @channel |"]  # fmt: skip


@given(st.lists(st.sampled_from(MENTIONS) | noise, min_size=1, max_size=12), st.sampled_from(["", " ", "\n", "**"]))
@settings(max_examples=100)
def test_nobody_is_pinged(pieces: list[str], between: str):
    text = between.join(pieces)
    for style in ("whatsapp", "mrkdwn", "markdown", "telegram", "plain"):
        for part in render.parts(text, (), style, 200):
            assert not re.search(r"(?<![\w./])@(everyone|channel|here)\b", part, re.IGNORECASE)
            if style in {"mrkdwn", "markdown"}:
                assert not re.search(r"<[@!#]", part)
            if style == "mrkdwn":
                assert not re.search(r"<(?!https?:|mailto:|tel:)", part)


@given(documents)
@settings(max_examples=60)
def test_markdown_for_slack_means_the_same_when_read_again(text: str):
    again = render.slack_markdown(text).replace("\u200b", "")
    assert render.plain(again).split() == render.plain(text).split()


@given(noise)
@settings(max_examples=100)
def test_no_link_appears_that_was_not_written(text: str):
    assert "](" not in re.sub(r"\\\]", "", render.slack_markdown(text)) or "](" in text or "![" in text
