"""Text and Markdown: decoding, front matter, titles. Standard library only."""

from __future__ import annotations

import codecs
import re

from server.knowledge.formats.hints import Hints, Read, Unreadable, tidy

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FRONT = re.compile(r"\A---\n(?P<body>.*?)\n(?:---|\.\.\.)\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:\s*(?P<title>.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"^#{1,2}\s+(?P<title>.+?)\s*#*$", re.MULTILINE)
_UNDERLINED = re.compile(r"\A(?P<title>[^\n]{1,200})\n(?:=+|-{3,})\s*\n")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CONTROLS = frozenset("".join(map(chr, range(32)))) - frozenset("\t\n\r\f\x0b\x1b")
_PROBE = 65_536  # characters looked at to tell text from data
_MOST_CONTROLS = 0.001  # of a text that is one
TITLE_CHARACTERS = 300


def load() -> None:
    """Nothing to load."""


def decode(data: bytes) -> str:
    """Text in UTF-8, UTF-16 with its mark, or a western one-byte encoding; raises Unreadable for data."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if b"\0" in data and encoding != "utf-16":
        raise Unreadable("the file holds NUL bytes, so it is not text; save it as UTF-8 text")
    text = _decoded(data, encoding)
    probe = text[:_PROBE]
    if sum(character in _CONTROLS for character in probe) > _MOST_CONTROLS * len(probe):
        raise Unreadable("the file holds control characters, so it is not text; save it as UTF-8 text")
    return text


def _decoded(data: bytes, encoding: str) -> str:
    if encoding:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            raise Unreadable("the file's text is damaged; save it as UTF-8 text") from None
    for guess in ("utf-8", "cp1252"):
        try:
            return data.decode(guess)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def read(data: bytes, hints: Hints) -> Read:
    """A text file as it is; its first short line is no title, so it has none."""
    text = tidy(decode(data), hints.max_characters)
    if not text.strip():
        raise Unreadable("the file holds no text")
    return Read("", text)


def read_markdown(data: bytes, hints: Hints) -> Read:
    """Markdown without front matter and comments; the title is the front matter's or the first heading."""
    text = decode(data).replace("\r\n", "\n")
    title = ""
    if front := _FRONT.match(text):
        found = _FRONT_TITLE.search(front["body"])
        title = found["title"].strip("\"'") if found else ""
        text = text[front.end() :]
    text = tidy(_COMMENT.sub("", text), hints.max_characters)
    if not text.strip():
        raise Unreadable("the file holds no text")
    return Read((title or heading(text))[:TITLE_CHARACTERS], text)


def heading(markdown: str) -> str:
    """The first heading of a Markdown text, empty when it has none."""
    found = _UNDERLINED.match(markdown) or _HEADING.search(markdown)
    return found["title"].replace("**", "").replace("`", "").strip() if found else ""
