"""Where a sentence of a growing answer ends: said only once nothing that may still come can change it."""

from __future__ import annotations

import re

from server.grounding.marks import CLOSERS, bracket, numbers_of
from server.knowledge.sentences import ABBREVIATED

ENDS = frozenset(".!?…؟。")
AFTER_END = frozenset("\"'”»)*_]")
LIST_MARK = re.compile(r"\s*(?:[-*+•]\s*)?\d{1,2}[.)]?")
LOOK_BACK = 12  # characters in which an abbreviation is recognized


def end_of_unit(text: str, *, final: bool) -> int:
    """The length of the first whole sentence, its marks included; 0 when it is not certain yet.

    A line ends a sentence. With ``final`` nothing more comes, so what is left is one too.
    """
    place = 0
    while place < len(text):
        letter = text[place]
        if letter == "\n":
            return place + 1
        if letter in ENDS:
            end, certain = _after(text, place, final=final)
            if not certain:
                return 0
            if end:
                return end
        place += 1
    return len(text) if final else 0


def _after(text: str, place: int, *, final: bool) -> tuple[int, bool]:
    """(end of the sentence that stops at ``place`` or 0 for none, whether that is certain)."""
    end = place + 1
    while end < len(text) and (text[end] in AFTER_END or text[end] in ENDS):
        end += 1
    if end == len(text):
        return (end, True) if final else (0, False)
    if not text[end].isspace() and text[end] not in CLOSERS:
        return 0, True
    if text[place] == "." and not _stops(text[: place + 1]):
        return 0, True
    return _with_marks(text, end, final=final)


def _with_marks(text: str, end: int, *, final: bool) -> tuple[int, bool]:
    """The end moved behind every mark that follows on the same line."""
    while True:
        place = end
        while place < len(text) and text[place] in " \t":
            place += 1
        if place == len(text):
            return (end, True) if final else (0, False)
        if text[place] not in CLOSERS:
            return end, True
        close, certain = bracket(text, place)
        if close < 0:
            return (end, True) if certain or final else (0, False)
        if numbers_of(text[place + 1 : close - 1], text[place]) is None:
            return end, True
        end = close
        while end < len(text) and text[end] in ENDS:  # "days [1]." and "days. [1]."
            end += 1
        if end == len(text) and not final:
            return 0, False


def _stops(text: str) -> bool:
    """Whether the full stop at the end of ``text`` ends a sentence, and not an abbreviation or a list's number."""
    line = text[text.rfind("\n") + 1 :]
    return not ABBREVIATED.search(line[-LOOK_BACK:]) and not LIST_MARK.fullmatch(line)
