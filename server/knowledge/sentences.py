"""Cuts a passage into what can be quoted alone: sentences, points of lists, table rows with their columns' names.

PURE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MOST_CHARS = 400  # of one piece: a longer sentence is cut at a space
END = re.compile(r"(?<=[.!?…؟。])[\"'”»)*_]*\s+(?=[\"'“«(*_¿¡]*[\w€£$])")
ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|z\.\s?B|d\.\s?h|approx|no|nr|art|st|mr|mrs|ms|dr|bzw|ca|ggf|inkl|p\.\s?ej|aprox|sr|sra|vs|[A-Za-z])\.$",
    re.IGNORECASE,
)
RULE_ROW = re.compile(r"(?=.*--)\|?[\s:|-]+\|[\s:|-]*")
POINT = re.compile(r"\A(?:\s*(?:[-*+•]|\d{1,2}[.)])\s+|\s*#+\s+|\s*>\s+)")  # "**Soon** is" holds "* " too
HEADING = re.compile(r"\*\*[^*]+[^*.!?:]\*\*")
MARKS = re.compile(r"(?:\*\*|__)(?=\S)|(?<=\S)(?:\*\*|__)|(?<!\w)[*_`](?=\S)|(?<=\S)[*_`](?!\w)|\\(?=[^\w\s])")
LINK = re.compile(r"!?\[([^\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))*\)")


def split(text: str) -> list[str]:
    """The pieces in order, without marks of Markdown; empty ones are left out."""
    return [piece for piece in _pieces(text) if piece]


def plain(text: str) -> str:
    """One line of words: no emphasis, no link targets, single spaces."""
    return " ".join(MARKS.sub("", LINK.sub(r"\1", text)).split())


def _pieces(text: str) -> Iterator[str]:
    paragraph: list[str] = []
    table: list[str] = []
    for line in [*text.splitlines(), ""]:
        row = line.strip().startswith("|") or (bool(table) and "|" in line)
        if table and not row:
            yield from _rows(table)
            table = []
        if row:
            table.append(line.strip())
        if paragraph and (row or not line.strip() or POINT.match(line)):
            if not HEADING.fullmatch(text := " ".join(paragraph)):  # says nothing alone
                yield from _sentences(text)
            paragraph = []
        if not row and line.strip():
            paragraph.append(POINT.sub("", line, count=1).strip())


def _rows(table: Sequence[str]) -> Iterator[str]:
    """Each row as ``column: value``; columns without a name give the value alone."""
    cells = [[plain(cell) for cell in line.strip("|").split("|")] for line in table if not RULE_ROW.fullmatch(line)]
    headed = len(table) > 1 and bool(RULE_ROW.fullmatch(table[1]))
    names = cells[0] if headed and cells else []
    for row in cells[1:] if headed else cells:
        named = [(names[place] if place < len(names) else "", value) for place, value in enumerate(row) if value]
        yield "; ".join(f"{name}: {value}" if name else value for name, value in named)


def _sentences(paragraph: str) -> Iterator[str]:
    start = 0
    for found in END.finditer(paragraph):
        if ABBREVIATED.search(paragraph[start : found.start()]):
            continue
        yield from _cut(plain(paragraph[start : found.end()]))
        start = found.end()
    yield from _cut(plain(paragraph[start:]))


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > MOST_CHARS:
        end = sentence.rfind(" ", MOST_CHARS // 2, MOST_CHARS)
        end = MOST_CHARS if end < 0 else end
        yield sentence[:end].strip()
        sentence = sentence[end:].strip()
    yield sentence
