"""PDF as Markdown: headings by the size of their letters, lists, paragraphs, tables by where their columns begin."""

from __future__ import annotations

import importlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.knowledge.formats.hints import Hints, Read, Unreadable, table, tidy

HEADING = 1.12  # times the size of most letters
HEADING_CHARACTERS = 120
LEVELS = 3
FULL_LINE = 0.75  # of the longest line: the paragraph goes on behind it
REPEATED = 0.6  # of the pages: a running title
_SAME_LINE = 2.0  # points between the baselines of one line
_SAME_COLUMN = 3.0  # points between the beginnings of one column
_MOST_CELLS = 10
_BULLET = re.compile(r"^\s*[•◦‣▪●■–]\s*|^\s*[-*]\s+")  # noqa: RUF001 - bullets as PDFs have them
_NUMBERED = re.compile(r"^\s*\d{1,3}[.)]\s+")
_SECTION = re.compile(r"^\d{1,3}(?:\.\d{1,3})*\.?\s")
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"^(?:page|seite|página)?\s*\d{1,4}(?:\s*(?:/|of|von|de)\s*\d{1,4})?$", re.IGNORECASE)
_PLAIN_TITLE = re.compile(r"^(?:untitled.*|microsoft word - .*|.*\.(?:docx?|pdf|indd|odt))$", re.IGNORECASE)


@dataclass(slots=True)
class Line:
    """One line of a page: its height and the size of its letters (points), and its pieces with where each begins."""

    y: float
    size: float
    bold: bool = False
    cells: list[tuple[float, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its pieces joined; the library has put blanks where there were gaps."""
        return re.sub(r"\s+", " ", "".join(text for _, text in self.cells)).strip()

    @property
    def columns(self) -> tuple[float, ...]:
        """Where its columns begin, empty when there is only one."""
        starts = tuple(x for x, text in self.cells if text.strip())
        simple = len(starts) < 2 or len(starts) > _MOST_CELLS or _BULLET.match(self.text)  # noqa: PLR2004 - two columns
        return () if simple else starts


def load() -> None:
    """Import the library."""
    importlib.import_module("pypdf")


def read(data: bytes, hints: Hints) -> Read:
    """Title and Markdown; raises Unreadable for a password, too many pages, damage, or pages without text."""
    pypdf = importlib.import_module("pypdf")
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False, root_object_recovery_limit=10_000)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("the PDF is protected by a password; save it without one")
        pages = _pages(reader, hints.max_pages)
        lines = [list(_lines(page)) for page in pages]
        title = str((reader.metadata or {}).get("/Title") or "").strip()
    except pypdf.errors.DependencyError:  # only AES needs more than the library itself
        raise Unreadable("the PDF is protected by a password; save it without one") from None
    except pypdf.errors.PyPdfError as error:
        raise Unreadable(f"the PDF is damaged or cut off ({type(error).__name__}); export it again") from None
    text = tidy(_markdown(_without_running(lines)), hints.max_characters)
    if not any(character.isalnum() for character in text):
        raise Unreadable("the PDF holds no selectable text (scanned?); run text recognition on it first")
    first = re.match(r"# (.+)", text)
    if not title or _PLAIN_TITLE.match(title):
        title = first[1] if first else ""
    return Read(title[:300], text)


def _pages(reader: Any, most: int) -> list[Any]:
    """The pages by their own tree, which may contain itself or claim anything."""
    found: list[Any] = []
    open_nodes = [reader.trailer["/Root"].get_object()["/Pages"]]
    seen: set[int] = set()
    while open_nodes:
        node = open_nodes.pop()
        number = getattr(node, "idnum", None)
        if number is not None and number in seen:
            raise Unreadable("the PDF's pages contain each other, as a bomb does; export it again")
        if number is not None:
            seen.add(number)
        kids = node.get_object().get("/Kids")
        if kids is not None:
            open_nodes.extend(reversed(kids.get_object()))
        else:
            found.append(node)
        if len(found) > most or len(open_nodes) > most:
            raise Unreadable(f"the PDF has more than {most:,} pages; split it")
    return reader.pages[: len(found)] if found else []


def _lines(page: Any) -> Iterator[Line]:
    """The lines of a page in reading order as the file has it."""
    current: list[Line] = []

    def piece(text: str, cm: Sequence[float], tm: Sequence[float], font: Any, size: float) -> None:
        if not text.strip():
            return
        x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
        y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        points = size * abs(tm[3] or tm[1] or 1.0) * abs(cm[3] or cm[1] or 1.0)
        for number, part in enumerate(text.strip("\n").split("\n")):
            same = current and not number and abs(current[-1].y - y) <= _SAME_LINE
            if not same:
                current.append(Line(y, points, "bold" in str((font or {}).get("/BaseFont")).lower()))
            current[-1].cells.append((x, part))
            current[-1].size = max(current[-1].size, points)

    page.extract_text(visitor_text=piece)
    yield from (line for line in current if line.text)


def _without_running(pages: list[list[Line]]) -> list[Line]:
    """All lines but running titles and page numbers, which stand first or last on most pages."""
    edges = Counter(_shape(line) for page in pages for line in {id(one): one for one in _edges(page)}.values())
    often = max(2.0, REPEATED * len(pages))
    kept = []
    for page in pages:
        edge = {id(line) for line in _edges(page)}
        kept += [
            line
            for line in page
            if not (id(line) in edge and (edges[_shape(line)] >= often or _PAGE_NUMBER.match(line.text)))
        ]
    return kept


def _edges(page: list[Line]) -> list[Line]:
    """Lines at the upper and lower edge, and first and last ones in the file's order."""
    if not page:
        return []
    return [page[0], page[-1], max(page, key=lambda line: line.y), min(page, key=lambda line: line.y)]


def _shape(line: Line) -> str:
    return f"{_DIGITS.sub('0', line.text)} {round(line.size)}"


def _markdown(lines: list[Line]) -> str:
    if not lines:
        return ""
    weights = Counter[float]()
    for line in lines:
        weights[round(line.size, 1)] += len(line.text)
    body = weights.most_common(1)[0][0]
    sizes = sorted({round(line.size, 1) for line in lines if _is_heading(line, body)}, reverse=True)
    levels = {size: min(number, LEVELS) for number, size in enumerate(sizes, 1)}
    longest = max(len(line.text) for line in lines)
    blocks: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        rows, taken = _table(lines, position)
        if _is_heading(line, body):
            _add_heading(blocks, "#" * (levels[round(line.size, 1)] + _depth(line.text)), line.text)
        elif len(rows) > 1:
            blocks.append(_rows(rows, headed=line.bold))
            position += taken - 1
        else:
            before = lines[position - 1] if position else None
            _add_text(blocks, line, before, longest)
        position += 1
    return "\n\n".join(blocks)


def _is_heading(line: Line, body: float) -> bool:
    big = line.size >= HEADING * body and len(line.text) <= HEADING_CHARACTERS
    return big and any(character.isalpha() for character in line.text)


def _depth(text: str) -> int:
    """How much deeper a heading stands than others of its size: 6.1 is part of 6."""
    found = _SECTION.match(text)
    return min(2, found[0].strip().strip(".").count(".")) if found else 0


def _add_heading(blocks: list[str], marks: str, text: str) -> None:
    """A heading of two lines is one heading only where the first ends open."""
    if blocks and blocks[-1].startswith(f"{marks} ") and blocks[-1].endswith((",", "-", " and", " or", ":")):
        blocks[-1] = f"{blocks[-1]} {text}"
    else:
        blocks.append(f"{marks} {text}")


def _table(lines: list[Line], start: int) -> tuple[list[list[str]], int]:
    """The rows of a table that begins here, and how many lines it takes: lines whose columns begin at equal places."""
    columns = lines[start].columns
    rows: list[list[str]] = []
    taken = 0
    for number, line in enumerate(lines[start:] if columns else [], 1):
        column = _goes_on(line, columns)
        if _aligned(line.columns, columns):
            rows.append([text.strip() for _, text in line.cells if text.strip()])
        elif column and rows:
            rows[-1][column] += f" {line.text}"
        else:
            break
        taken = number
    return rows, taken


def _aligned(some: tuple[float, ...], others: tuple[float, ...]) -> bool:
    same = len(some) == len(others)
    return same and all(abs(one - other) <= _SAME_COLUMN for one, other in zip(some, others, strict=True))


def _goes_on(line: Line, columns: tuple[float, ...]) -> int:
    """The column a lone piece goes on with, 0 for none: the first column's would look like a new paragraph."""
    starts = [x for x, text in line.cells if text.strip()]
    if len(starts) != 1:
        return 0
    return next((at for at, x in enumerate(columns) if at and abs(x - starts[0]) <= _SAME_COLUMN), 0)


def _rows(rows: list[list[str]], *, headed: bool) -> str:
    """A table, or a list where two columns have no header: what is there and what it is."""
    if headed or len(rows[0]) > 2:  # noqa: PLR2004 - name and value
        return table(rows)
    return "\n".join(f"- {name}: {value}" for name, value in rows)


def _add_text(blocks: list[str], line: Line, before: Line | None, longest: int) -> None:
    """A line begins a list item, goes on with the paragraph before it, or begins a new one."""
    text = line.text
    item = _BULLET.match(text)
    if item or _NUMBERED.match(text):
        text = f"- {text[item.end() :]}" if item else text
        join = "\n" if blocks and _is_item(blocks[-1]) else ""
        if join:
            blocks[-1] += join + text
        else:
            blocks.append(text)
        return
    goes_on = (
        before is not None
        and blocks
        and not blocks[-1].startswith(("#", "|"))
        and len(before.text) >= FULL_LINE * longest
        and before.size == line.size
    )
    if goes_on:
        hyphen = blocks[-1].endswith("-") and text[:1].islower() and not blocks[-1].endswith((" -", "--"))
        blocks[-1] = blocks[-1][:-1] + text if hyphen else f"{blocks[-1]} {text}"
    else:
        blocks.append(text)


def _is_item(block: str) -> bool:
    last = block.rsplit("\n", 1)[-1]
    return last.startswith("- ") or bool(_NUMBERED.match(last))
