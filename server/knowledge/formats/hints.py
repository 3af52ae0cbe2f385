"""What a reader of a format is told, what it gives back, and how it says no. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass


class Unreadable(Exception):
    """The file is refused; the message is shown to staff and says what to do."""


@dataclass(frozen=True, slots=True)
class Hints:
    """The file's name and public address (may be empty) and the limits of reading."""

    name: str = ""
    url: str = ""
    max_pages: int = 2_000
    max_ratio: int = 100
    max_characters: int = 4_000_000


@dataclass(frozen=True, slots=True)
class Read:
    """A title (empty when the file has none) and Markdown, or the rows of a table."""

    title: str
    text: str
    rows: tuple[dict[str, str], ...] = ()


LONG_LINE = 4_000  # characters; longer lines are broken so that they can be cut into passages
_WORD_BREAK = 200  # looked back for a space
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BLANKS = re.compile(r"\n{3,}")
_TRAILING = re.compile(r"[ \t\u00a0]+$", re.MULTILINE)


def tidy(text: str, limit: int) -> str:
    """Text without hidden characters, trailing blanks and endless lines; raises Unreadable when it is too long."""
    if len(text) > limit:
        raise Unreadable(f"the file has more than {limit:,} characters of text; split it into several files")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _TRAILING.sub("", _HIDDEN.sub("", text))
    if len(text) > LONG_LINE:
        text = "\n".join(part for line in text.split("\n") for part in _broken(line))
    return _BLANKS.sub("\n\n", text).strip("\n")


def _broken(line: str) -> list[str]:
    parts = []
    while len(line) > LONG_LINE:
        cut = line.rfind(" ", LONG_LINE - _WORD_BREAK, LONG_LINE)
        cut = cut if cut > 0 else LONG_LINE
        parts.append(line[:cut].rstrip())
        line = line[cut:].lstrip()
    return [*parts, line]


def table(rows: list[list[str]]) -> str:
    """A Markdown table whose first row is the header; short rows are filled up."""
    width = max(len(row) for row in rows)
    cells = [[_cell(cell) for cell in row] + [""] * (width - len(row)) for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
