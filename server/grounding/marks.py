"""Citation marks in an answer: which there are, which count, and where one may still be forming."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_CHARS = 120  # of a mark; a longer bracket is text
MOST_DIGITS = 3
_NOUN = (
    r"(?:doc(?:ument)?s?|sources?|src|passages?|refs?|references?|citations?|cite|quellen?|beleg|fuentes?|citas?|"
    r"المصدر)"
)
_SOURCE = re.compile(rf"\s*(?:{_NOUN}|see|cf\.?|siehe|véase)\s*[:\uff1a][^\n]*", re.IGNORECASE)
_NUMBERED = re.compile(
    rf"\s*\^?\s*(?:{_NOUN}\s*[#:_-]?\s*)?\d{{1,{MOST_DIGITS}}}(?:\s*[,;\u2013-]\s*(?:{_NOUN}\s*)?\d{{1,{MOST_DIGITS}}})*"
    r"(?:\s*†[^\n]*)?\s*",
    re.IGNORECASE,
)
_NEEDED = re.compile(r"\s*(?:citation needed|source|sources|quelle|fuente)\s*", re.IGNORECASE)
_PLAIN = re.compile(rf"\s*\d{{1,{MOST_DIGITS}}}(?:\s*,\s*\d{{1,{MOST_DIGITS}}})*\s*")
_SOURCE_LINE = re.compile(
    r"\s*[*_]*(?:sources?|references?|citations?|quellen?|fuentes?|المصدر|المصادر)[*_]*\s*[:\uff1a].*", re.IGNORECASE
)
LINKED = re.compile(r"(\[\s*\^?\d{1,3}\s*\])\([^()\n]*\)")
CLOSERS = {"[": "]", "【": "】", "(": ")", "〔": "〕"}  # noqa: RUF001 - brackets that models write


@dataclass(frozen=True, slots=True)
class Mark:
    """A citation as the model wrote it; ``numbers`` are empty when it cannot name a passage at all."""

    start: int
    end: int
    numbers: tuple[int, ...]


def bracket(text: str, start: int) -> tuple[int, bool]:
    """Where the bracket that opens at ``start`` ends (exclusive) and whether that is certain.

    (-1, True): it never closes within a mark's length or line; (-1, False): more text may close it.
    """
    closer = CLOSERS[text[start]]
    for place in range(start + 1, min(len(text), start + MOST_CHARS)):
        if text[place] == closer:
            return place + 1, True
        if text[place] == "\n" or text[place] in CLOSERS:
            return -1, True
    return -1, len(text) - start >= MOST_CHARS


def numbers_of(inside: str, opener: str) -> tuple[int, ...] | None:
    """The passages a bracket's inside names; empty for a mark that names none, None when it is no mark."""
    if opener == "(":
        return () if _SOURCE.fullmatch(inside) else None
    if opener == "[" and _PLAIN.fullmatch(inside):
        return tuple(int(number) for number in re.findall(r"\d+", inside))
    if _NUMBERED.fullmatch(inside) or _SOURCE.fullmatch(inside) or _NEEDED.fullmatch(inside):
        return ()
    return None


def find(text: str) -> list[Mark]:
    """Every mark, in order."""
    found: list[Mark] = []
    place = 0
    while place < len(text):
        if text[place] in CLOSERS:
            end, _ = bracket(text, place)
            numbers = numbers_of(text[place + 1 : end - 1], text[place]) if end > 0 else None
            if numbers is not None:
                found.append(Mark(place, end, numbers))
                place = end
                continue
        place += 1
    return found


def without(text: str, marks: list[Mark]) -> str:
    """The text without its marks and without the blanks before them."""
    kept, place = [], 0
    for mark in marks:
        kept.append(text[place : mark.start].rstrip(" \t"))
        place = mark.end
    return "".join([*kept, text[place:]])


def is_source_line(text: str) -> bool:
    """Whether a line is the model's own list of sources: the surface shows the real ones."""
    return bool(_SOURCE_LINE.fullmatch(text.strip()))
