"""How each platform writes marks: the signs it opens and closes them with, and what must be escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from channels.render.document import RAW, ZERO_WIDTH, Document, Mark, Marks

Name = Literal["whatsapp", "telegram", "mrkdwn", "markdown", "plain"]

_INLINE = ("bold", "italic", "strike", "code")
_FENCE = "```"
_BROKEN_FENCE = f"``{ZERO_WIDTH}`"
_ENTITY = re.compile(r"&(?=#?\w+;)")
_FLANKING = re.compile(r"[*`\\]|(?<![^\W_])_|_(?![^\W_])|~~|\](?=[(\[])|<(?=[A-Za-z/?])")
_LINE_START = re.compile(r"^(\s*)([-+>#=]|~{3}|\d{1,9}(?=[.)]))", re.MULTILINE)
_TABLE_SIGN = re.compile(r"\|")


class Style(NamedTuple):
    """One platform's way of writing.

    ``signs`` open and close inline marks; ``words`` says that such signs count only around whole words and lines, and
    must not stand inside them (Slack's mrkdwn, WhatsApp).
    """

    open: Callable[[Mark], str]
    close: Callable[[Mark], str]
    escape: Callable[[str, Marks, bool], str]  # the text, its marks, whether a line begins with it
    signs: Mapping[str, str]
    words: bool = False
    quote_prefix: str = "> "


def _keep(text: str, _marks: Marks, _begins: bool) -> str:  # noqa: FBT001 - the shape of Style.escape
    return text


def _whatsapp_text(text: str, marks: Marks, _begins: bool) -> str:  # noqa: FBT001 - the shape of Style.escape
    return text.replace(_FENCE, _BROKEN_FENCE) if marks and marks[-1].kind == "pre" else text


def _angles(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _telegram_text(text: str, _marks: Marks, _begins: bool) -> str:  # noqa: FBT001 - the shape of Style.escape
    return _angles(text).replace('"', "&quot;")


def _mrkdwn_text(text: str, marks: Marks, _begins: bool) -> str:  # noqa: FBT001 - the shape of Style.escape
    return _angles(_whatsapp_text(text, marks, _begins))


def _markdown_text(text: str, marks: Marks, begins: bool) -> str:  # noqa: FBT001 - the shape of Style.escape
    last = marks[-1] if marks else None
    if last == RAW or (last and last.kind == "code"):
        return text
    if last and last.kind == "pre":
        return text.replace(_FENCE, _BROKEN_FENCE)
    text = _ENTITY.sub("&amp;", _FLANKING.sub(_escaped, text))
    if any(mark.kind == "table" for mark in marks):
        text = _TABLE_SIGN.sub(r"\\|", text)
    if begins:
        return _LINE_START.sub(_begun, text)
    first, newline, rest = text.partition("\n")
    return first + newline + _LINE_START.sub(_begun, rest)


def _escaped(match: re.Match[str]) -> str:
    """A sign with a backslash, unless it stands alone between spaces, where it means nothing."""
    sign, text = match.group(), match.string
    if sign == "*" and not (text[match.start() - 1 : match.start()].strip() or text[match.end() :][:1].strip()):
        return sign
    return "".join(f"\\{letter}" for letter in sign)


def _begun(match: re.Match[str]) -> str:
    indent, sign = match.groups()
    return f"{indent}{sign}\\" if sign.isdigit() else f"{indent}\\{sign}"


def _shown(url: str) -> str:
    return url.removeprefix("mailto:").removeprefix("tel:")


def _attribute(url: str) -> str:
    return _angles(url).replace('"', "&quot;")


def _slack_url(url: str) -> str:
    return _angles(url.replace("|", "%7C"))


def _markdown_url(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")


def _telegram_open(mark: Mark) -> str:
    if mark.kind == "pre":
        return f'<pre><code class="language-{mark.value}">' if mark.value else "<pre>"
    if mark.kind == "link":
        return f'<a href="{_attribute(mark.value)}">'
    return {"quote": "<blockquote>"}.get(mark.kind, "")


def _telegram_close(mark: Mark) -> str:
    if mark.kind == "pre":
        return "</code></pre>" if mark.value else "</pre>"
    return {"link": "</a>", "quote": "</blockquote>"}.get(mark.kind, "")


def _lines_open(mark: Mark) -> str:
    """Blocks of styles without tags: fences and prefixes of lines."""
    return {"pre": f"{_FENCE}\n", "quote": "> "}.get(mark.kind, "")


def _words_close(mark: Mark) -> str:
    """Fences, and addresses behind the words that link there."""
    return {"pre": f"\n{_FENCE}", "link": f" ({_shown(mark.value)})"}.get(mark.kind, "")


def _mrkdwn_open(mark: Mark) -> str:
    return f"<{_slack_url(mark.value)}|" if mark.kind == "link" else _lines_open(mark)


def _mrkdwn_close(mark: Mark) -> str:
    return {"pre": f"\n{_FENCE}", "link": ">"}.get(mark.kind, "")


def _markdown_open(mark: Mark) -> str:
    blocks = {"pre": f"{_FENCE}{mark.value}\n", "quote": "> ", "table": f"{mark.value}\n", "link": "["}
    return "#" * int(mark.value) + " " if mark.kind == "heading" else blocks.get(mark.kind, "")


def _markdown_close(mark: Mark) -> str:
    return {"pre": f"\n{_FENCE}", "link": f"]({_markdown_url(mark.value)})"}.get(mark.kind, "")


def _plain_open(mark: Mark) -> str:
    return "> " if mark.kind == "quote" else ""


def _plain_close(mark: Mark) -> str:
    return f" ({_shown(mark.value)})" if mark.kind == "link" else ""


_TAGS = {"bold": "b", "italic": "i", "strike": "s", "code": "code"}
STYLES: Final[Mapping[Name, Style]] = {
    "whatsapp": Style(
        _lines_open,
        _words_close,
        _whatsapp_text,
        {"bold": "*", "italic": "_", "strike": "~", "code": _FENCE},
        words=True,
    ),
    "mrkdwn": Style(
        _mrkdwn_open, _mrkdwn_close, _mrkdwn_text, {"bold": "*", "italic": "_", "strike": "~", "code": "`"}, words=True
    ),
    "markdown": Style(
        _markdown_open, _markdown_close, _markdown_text, {"bold": "**", "italic": "*", "strike": "~~", "code": "`"}
    ),
    "telegram": Style(_telegram_open, _telegram_close, _telegram_text, {}, quote_prefix=""),
    "plain": Style(_plain_open, _plain_close, _keep, {}),
}


def write(document: Document, start: int, end: int, name: Name) -> str:
    """One piece of a document in a style, every mark of it opened and closed."""
    style, out, opened = STYLES[name], [], list[Mark]()
    quoted = False
    begins = True

    def put(text: str) -> None:
        nonlocal begins
        if text:
            out.append(text.replace("\n", f"\n{style.quote_prefix}") if quoted else text)
            begins = text.endswith("\n")

    for text, marks in document.between(start, end):
        same = 0
        for mark, wanted in zip(opened, marks, strict=False):
            if mark != wanted:
                break
            same += 1
        while len(opened) > same:
            mark = opened.pop()
            put(_closing(style, name, mark, shown=out[-1]))
            quoted = quoted and mark.kind != "quote"
        for mark in marks[same:]:
            put(_opening(style, name, mark))
            quoted = quoted or mark.kind == "quote"
            begins = begins or mark.kind in {"quote", "heading"}
            opened.append(mark)
        bullet = marks[-1:] == (RAW,) and begins  # what follows a bullet begins a line too
        put(style.escape(text, marks, begins))
        begins = begins or bullet
    while opened:
        put(_closing(style, name, opened.pop(), shown=out[-1]))
    return "".join(out)


def _opening(style: Style, name: Name, mark: Mark) -> str:
    if name == "telegram" and mark.kind in _TAGS:
        return f"<{_TAGS[mark.kind]}>"
    return style.signs.get(mark.kind, "") or style.open(mark)


def _closing(style: Style, name: Name, mark: Mark, *, shown: str) -> str:
    if name == "telegram" and mark.kind in _TAGS:
        return f"</{_TAGS[mark.kind]}>"
    if mark.kind == "link" and name in {"whatsapp", "plain"} and shown in {mark.value, _shown(mark.value)}:
        return ""  # the text is the address
    return style.signs.get(mark.kind, "") or style.close(mark)


def tidy(document: Document, name: Name) -> Document:
    """Take away the inline marks that this style could not show, so that no sign of them stands in the text."""
    style = STYLES[name]
    if not style.signs:
        return document
    marks = list(document.marks)
    if name == "mrkdwn":
        marks = [_outside_links(each) for each in marks]
    kinds = _INLINE if style.words else ("code",)
    for kind in kinds:
        for first, last in _spans(marks, kind):
            start = document.starts[first]
            end = document.starts[last] if last < len(document.starts) else len(document.text)
            if not _showable(document.text, start, end, style.signs[kind][0], words=style.words):
                for number in range(first, last):
                    marks[number] = tuple(mark for mark in marks[number] if mark.kind != kind)
    return document._replace(marks=marks)


def _outside_links(marks: Marks) -> Marks:
    """The marks without those inside a link: Slack shows their signs there."""
    links = [at for at, mark in enumerate(marks) if mark.kind == "link"]
    return marks[: links[0] + 1] if links else marks


def _spans(marks: list[Marks], kind: str) -> list[tuple[int, int]]:
    """Where a kind of mark lasts, as ranges of stretches."""
    spans: list[tuple[int, int]] = []
    for number, each in enumerate(marks):
        if any(mark.kind == kind for mark in each):
            if spans and spans[-1][1] == number:
                spans[-1] = (spans[-1][0], number + 1)
            else:
                spans.append((number, number + 1))
    return spans


def _showable(text: str, start: int, end: int, sign: str, *, words: bool) -> bool:
    inside = text[start:end]
    if sign in inside or not inside.strip():
        return False
    if not words:
        return True
    around = text[max(0, start - 1) : start] + text[end : end + 1]
    return not inside[0].isspace() and not inside[-1].isspace() and not any(letter.isalnum() for letter in around)
