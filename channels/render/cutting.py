"""Where a text too long for one message is cut: at paragraphs, lines, sentences, words; never inside one sign."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator

from channels.render.document import Document

Measure = Callable[[int, int], int]  # the size of the piece between two positions, in the platform's unit

_SENTENCE = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s)|[\u3002\uff01\uff1f]")  # also Chinese and Japanese
_JOINER = "\u200d"
_CLUSTER = 64  # characters: longer "letters" are cut all the same
_MODIFIERS = range(0x1F3FB, 0x1F400)
_FLAGS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0000, 0xE0080)


def pieces(document: Document, limit: int, measure: Measure) -> Iterator[tuple[int, int]]:
    """Start and end of each message's piece, in order; white space between them is left out."""
    text, start = document.text, _begin(document, 0)
    while start < len(text):
        fits = _furthest(document, start, limit, measure)
        end = fits if fits == len(text) else _cut(document, start, fits)
        last = len(text[start:end].rstrip()) + start
        if last > start:
            yield start, last
        start = _begin(document, end)


def _begin(document: Document, position: int) -> int:
    """The next position that shows something; code keeps the spaces its line begins with."""
    text = document.text
    while position < len(text) and text[position].isspace():
        if text[position] != "\n" and _in_code(document, position):
            line = text.find("\n", position)
            if text[position : line if line >= 0 else len(text)].strip():
                break
        position += 1
    return position


def _in_code(document: Document, position: int) -> bool:
    marks = document.marks[document.at(position)]
    return bool(marks) and marks[-1].kind == "pre"


def _furthest(document: Document, start: int, limit: int, measure: Measure) -> int:
    """The last position up to which everything fits (nearly: a piece may be some percent smaller)."""
    end = min(len(document.text), start + limit)
    over = end + 1
    while (size := _size(document, start, end, measure)) > limit and end > start + 1:
        over = end
        end = max(start + 1, min(end - 1, start + (end - start) * limit // size))
    if size * 6 < limit * 5:  # a costly stretch made the estimate too small for what stands before it
        further = min(over - 1, start + (end - start) * limit // max(size, 1))
        if further > end and _size(document, start, further, measure) <= limit:
            return further
    return end


def _size(document: Document, start: int, end: int, measure: Measure) -> int:
    last = start + len(document.text[start:end].rstrip())
    return measure(start, last) if last > start else 0


def _cut(document: Document, start: int, end: int) -> int:
    """The best place to end a piece that may reach until ``end``."""
    text = document.text
    stop = document.stops[at - 1] if (at := bisect_right(document.stops, end)) else 0
    if stop > start:
        return stop
    enough = start + (end - start) // 3
    line = text.rfind("\n", start + 1, end + 1)
    if line > start:
        line = _before_code(document, start, line)
    if line > enough or (line > start and _in_code(document, line)):
        return line
    sentence = max((match.end() for match in _SENTENCE.finditer(text, enough, end + 1)), default=0)
    if enough < sentence <= end:
        return sentence
    if line > start:
        return line
    space = max(text.rfind(sign, start + 1, end + 1) for sign in " \t")
    return space if space > start else _whole(text, start, end)


def _before_code(document: Document, start: int, line: int) -> int:
    """Where a block of code begins that a cut would part, if something stands before it."""
    if not _in_code(document, line):
        return line
    begin = document.starts[document.at(line)]
    return begin if begin > start and document.text[start:begin].strip() else line


def _whole(text: str, start: int, end: int) -> int:
    """The nearest position not inside a combined sign (accents, skin tones, flags, joined emoji)."""
    for position in range(end, max(start, end - _CLUSTER), -1):
        if not _combined(text, position):
            return position
    return end


def _combined(text: str, position: int) -> bool:
    """Whether a cut here would part what is shown as one sign."""
    if not 0 < position < len(text):
        return False
    before, after = text[position - 1], text[position]
    code = ord(after)
    if _JOINER in (before, after) or unicodedata.category(after) in {"Mn", "Me", "Mc"}:
        return True
    if code in _MODIFIERS or code in _TAGS:
        return True
    if code in _FLAGS and ord(before) in _FLAGS:
        run = position
        while run and ord(text[run - 1]) in _FLAGS:
            run -= 1
        return (position - run) % 2 == 1
    return False
