"""What customers see: one table of texts and how each platform shows them."""

from __future__ import annotations

import pytest

from channels import render
from channels.message import Citation

Z = "\u200b"
# what the model wrote; WhatsApp; Slack's mrkdwn; Slack's Markdown; Telegram; plain
TABLE = {
    "plain words": ("Hello, Ada. 5 * 3 * 2!",) * 6,
    "bold and italic": (
        "**a** _b_ ***c***",
        "*a* _b_ _*c*_",
        "*a* _b_ _*c*_",
        "**a** *b* ***c***",
        "<b>a</b> <i>b</i> <i><b>c</b></i>",
        "a b c",
    ),
    "strike and code": (
        "~~old~~ `x = 1`",
        "~old~ ```x = 1```",
        "~old~ `x = 1`",
        "~~old~~ `x = 1`",
        "<s>old</s> <code>x = 1</code>",
        "old x = 1",
    ),
    "inside a word": ("**Sonder**angebot", "Sonderangebot", "Sonderangebot", "**Sonder**angebot",
                      "<b>Sonder</b>angebot", "Sonderangebot"),
    "heading": ("# Hours **now**\nNine to five", "*Hours now*\n\nNine to five", "*Hours now*\n\nNine to five",
                "# Hours **now**\n\nNine to five", "<b>Hours now</b>\n\nNine to five", "Hours now\n\nNine to five"),
    "link": (
        "See [the page](https://a.example/?x=1&y=2).",
        "See the page (https://a.example/?x=1&y=2).",
        "See <https://a.example/?x=1&amp;y=2|the page>.",
        "See [the page](https://a.example/?x=1&y=2).",
        'See <a href="https://a.example/?x=1&amp;y=2">the page</a>.',
        "See the page (https://a.example/?x=1&y=2).",
    ),
    "address": ("<https://a.example/b_c_d>", *["https://a.example/b_c_d"] * 5),
    "mail": ("[mail](mailto:a@b.example)", "mail (a@b.example)", "<mailto:a@b.example|mail>",
             "[mail](mailto:a@b.example)", '<a href="mailto:a@b.example">mail</a>', "mail (a@b.example)"),
    "foreign scheme": ("[x](javascript:alert(1))", "[x](javascript:alert(1))", "[x](javascript:alert(1))",
                       "[x\\](javascript:alert(1))", "[x](javascript:alert(1))", "[x](javascript:alert(1))"),
    "image": ("![a map](https://a.example/m.png)", "a map (https://a.example/m.png)",
              "<https://a.example/m.png|a map>", "[a map](https://a.example/m.png)",
              '<a href="https://a.example/m.png">a map</a>', "a map (https://a.example/m.png)"),
    "bullets": ("- one\n- two\n  - deep\n", "• one\n• two\n  • deep", "• one\n• two\n  • deep",
                "- one\n- two\n  - deep", "• one\n• two\n  • deep", "• one\n• two\n  • deep"),
    "numbers": ("3. c\n4. d\n", *["3. c\n4. d"] * 5),
    "quote": ("> so\n> it is\n\nyes", "> so\n> it is\n\nyes", "> so\n> it is\n\nyes", "> so\n> it is\n\nyes",
              "<blockquote>so\nit is</blockquote>\n\nyes", "> so\n> it is\n\nyes"),
    "code block": (
        "```py\nif a < b:\n    pass\n```",
        "```\nif a < b:\n    pass\n```",
        "```\nif a &lt; b:\n    pass\n```",
        "```py\nif a < b:\n    pass\n```",
        '<pre><code class="language-py">if a &lt; b:\n    pass</code></pre>',
        "if a < b:\n    pass",
    ),
    "table": (
        "| Size | Price |\n|---|---|\n| S | **10** |\n| M | |",
        "Size: S · Price: *10*\nSize: M",
        "Size: S · Price: *10*\nSize: M",
        "| Size | Price |\n| --- | --- |\n| S | **10** |\n| M |  |",
        "Size: S · Price: <b>10</b>\nSize: M",
        "Size: S · Price: 10\nSize: M",
    ),
    "raw HTML": ('<b>x</b> & "y"', '<b>x</b> & "y"', '&lt;b&gt;x&lt;/b&gt; &amp; "y"', '\\<b>x\\</b> & "y"',
                 "&lt;b&gt;x&lt;/b&gt; &amp; &quot;y&quot;", '<b>x</b> & "y"'),
    "mentions": (
        "@everyone @Here <!channel> <@U123> a@here.example",
        f"@{Z}everyone @{Z}Here <!channel> <@U123> a@here.example",
        f"@{Z}everyone @{Z}Here &lt;!channel&gt; &lt;@U123&gt; a@here.example",
        f"@{Z}everyone @{Z}Here <{Z}!channel> <{Z}@U123> a@here.example",
        f"@{Z}everyone @{Z}Here &lt;!channel&gt; &lt;@U123&gt; a@here.example",
        f"@{Z}everyone @{Z}Here <!channel> <@U123> a@here.example",
    ),
    "literal signs": ("\\*no\\* snake_case_x ~5", "*no* snake_case_x ~5", "*no* snake_case_x ~5",
                      "\\*no\\* snake_case_x ~5", "*no* snake_case_x ~5", "*no* snake_case_x ~5"),
    "definitions are text": ("[a]: https://a.example", *["[a]: https://a.example"] * 5),
    "other alphabets": ("**مرحبا** 👩‍👩‍👧 *grüße*", "*مرحبا* 👩‍👩‍👧 _grüße_", "*مرحبا* 👩‍👩‍👧 _grüße_",
                        "**مرحبا** 👩‍👩‍👧 *grüße*", "<b>مرحبا</b> 👩‍👩‍👧 <i>grüße</i>", "مرحبا 👩‍👩‍👧 grüße"),
}  # fmt: skip
STYLES = (render.whatsapp, render.slack, render.slack_markdown, render.telegram, render.plain)


@pytest.mark.parametrize("name", TABLE)
def test_each_platform_shows_it_in_its_own_way(name: str):
    text, *expected = TABLE[name]
    assert [style(text) for style in STYLES] == expected


def test_a_text_of_signs_only_is_shown_as_it_is():
    for text in ("#", "```\n```", ">", "* * *", "-", "[]()"):
        for style in STYLES:
            assert style(text).strip(), (text, style)
    assert render.parts(" \n\t") == []


def test_sources_are_numbered_and_listed_at_the_end():
    citations = (Citation("p-7", "Terms of *sale*", "https://a.example/t"), Citation("p-9", "Price list"))
    text = "Fourteen days [p-9], see [p-7][p-7]. [p-8] is not ours."
    [whatsapp] = render.parts(text, citations, "whatsapp")
    assert whatsapp == (
        "Fourteen days [2], see [1][1]. [p-8] is not ours.\n\n[1] Terms of *sale* (https://a.example/t)\n[2] Price list"
    )
    [telegram] = render.parts(text, citations, "telegram")
    assert telegram.endswith('\n\n[1] <a href="https://a.example/t">Terms of *sale*</a>\n[2] Price list')
    [only] = render.parts("", [Citation("a", "T", "javascript:x")], "mrkdwn")
    assert only == "[1] T (javascript:x)"


def test_every_part_knows_its_plain_words():
    [part] = render.parts("**a** [b](https://a.example) <i>", style="telegram")
    assert (part.text, part.plain) == (
        '<b>a</b> <a href="https://a.example">b</a> &lt;i&gt;', "a b (https://a.example) <i>",
    )  # fmt: skip


def test_units():
    assert render.utf16_units("a😀é") == 4
    assert render.telegram_units('<a href="https://a.example">a&amp;😀</a>') == 4
    assert render.utf8_bytes("aé😀") == 7


def test_a_limit_without_room_for_markup_is_refused():
    with pytest.raises(ValueError, match="at least 200"):
        render.parts("a", limit=199)
