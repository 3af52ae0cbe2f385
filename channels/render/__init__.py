"""CommonMark to each platform's way of writing, cut into messages of the platform's size.

A text is parsed once into a flat document with marks (``document``), written in a style (``styles``) and cut where it
hurts least (``cutting``). What the model writes can neither ping anybody nor smuggle in markup of the platform.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Self

from channels.message import Citation
from channels.render.cutting import pieces
from channels.render.document import Form, read
from channels.render.styles import Name, tidy, write

MIN_LIMIT = 200  # units: below this the signs around a text would not fit
WHOLE = 1 << 40  # a limit that nothing reaches
_ADDRESS_SHARE = 4  # an address (or a table's head) longer than this part of a message is written as words
_TAG = re.compile(r"<[^<>]*>")

Measure = Callable[[str], int]


class Part(str):
    """One message as the platform wants it written."""

    __slots__ = ("_plain",)
    _plain: Callable[[], str]

    def __new__(cls, text: str, plain: Callable[[], str]) -> Self:
        """A rendered text, and how to make its plain form."""
        part = super().__new__(cls, text)
        part._plain = plain
        return part

    @property
    def text(self) -> str:
        """The rendered text."""
        return str(self)

    @property
    def plain(self) -> str:
        """The same in plain words, should the platform refuse the markup; within the same limit."""
        return self._plain()


def parts(
    text: str, citations: Sequence[Citation] = (), style: Name = "plain", limit: int = WHOLE, measure: Measure = len
) -> list[Part]:
    """A text as messages of at most ``limit`` by ``measure``, complete and in order; none for a blank text.

    Passages named in the text by ``[passage_id]`` become ``[1]``, ``[2]`` ... with the list of sources at the end.
    Raises ValueError for limits below MIN_LIMIT.
    """
    if limit < MIN_LIMIT:
        raise ValueError(f"a message of {limit} units is too short to be marked up; allow at least {MIN_LIMIT}")
    numbered = _numbered(text, citations)
    sources = [(citation.title, citation.url) for citation in citations]
    form = Form(style == "markdown", lambda value: measure(value) * _ADDRESS_SHARE <= limit)
    document = tidy(read(numbered.replace("\r\n", "\n").replace("\r", "\n"), sources, form), style)

    @lru_cache(maxsize=4)
    def written(start: int, end: int) -> str:
        return write(document, start, end, style)

    def in_words(start: int, end: int) -> str:
        words = write(document, start, end, "plain")
        return words if measure(words) <= limit else document.text[start:end]

    cuts = pieces(document, limit, lambda start, end: measure(written(start, end)))
    return [Part(written(start, end), partial(in_words, start, end)) for start, end in cuts]


def whatsapp(text: str) -> str:
    """A text with WhatsApp's signs: *bold*, _italic_, ~strike~, ```code```, addresses in brackets."""
    return "".join(parts(text, style="whatsapp"))


def slack(text: str) -> str:
    """A text in Slack's mrkdwn, for ``text`` and section blocks."""
    return "".join(parts(text, style="mrkdwn"))


def slack_markdown(text: str) -> str:
    """A text in standard Markdown that pings nobody, for ``markdown_text`` and markdown blocks."""
    return "".join(parts(text, style="markdown"))


def telegram(text: str) -> str:
    """A text in the HTML that Telegram reads, every tag closed."""
    return "".join(parts(text, style="telegram"))


def plain(text: str) -> str:
    """A text without any markup; addresses stand behind the words that link there."""
    return "".join(parts(text, style="plain"))


def utf16_units(text: str) -> int:
    """UTF-16 code units, which most platforms count."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def telegram_units(text: str) -> int:
    """UTF-16 code units of Telegram's HTML after its tags became entities, which is what Telegram counts."""
    return utf16_units(html.unescape(_TAG.sub("", text)))


def utf8_bytes(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def _numbered(text: str, citations: Sequence[Citation]) -> str:
    """The text with each named passage's number."""
    numbers = {citation.passage_id: number for number, citation in enumerate(citations, 1)}
    if not numbers:
        return text
    names = "|".join(re.escape(name) for name in sorted(numbers, key=len, reverse=True))
    return re.sub(rf"\[({names})\]", lambda match: f"[{numbers[match[1]]}]", text)
