"""Typeset the demo shop's PDF manual and DOCX terms from their text sources.

Run it after changing a file in config/demo/sources; equal sources give equal bytes::

    python scripts/make_demo_manual.py            # into config/demo/documents
    python scripts/make_demo_manual.py FOLDER     # somewhere else, to compare
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "config/demo/sources"
DOCUMENTS = ROOT / "config/demo/documents"
PAGE_WIDTH_PT, PAGE_HEIGHT_PT = 595, 842  # A4
MARGIN_PT = 64
LEADING = 1.38  # line distance in type sizes
SIZES_PT = {"title": 22.0, "heading": 13.0, "text": 10.5, "item": 10.5, "row": 10.5, "head": 10.5}
GAPS_PT = {"title": 14.0, "heading": 12.0, "text": 7.0, "item": 3.0, "row": 3.0, "head": 5.0}
BOLD = frozenset({"title", "heading", "head"})
FIXED_TIME = (2026, 1, 1, 0, 0, 0)  # zip entries carry a time; a fixed one keeps the bytes equal
# Helvetica's advance widths in thousandths of the type size, from the space to the tilde.
WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
WIDTH_OF = {chr(32 + index): int(width) for index, width in enumerate(WIDTHS.split())}
BOLD_FACTOR = 1.07  # Helvetica-Bold is about this much wider; lines may come out a little short
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml"


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item, table row or page break of a source."""

    kind: str
    cells: tuple[str, ...] = ()


def blocks(source: str) -> Iterator[Block]:
    """The source's blocks in order; a paragraph is one line of the source."""
    lines = [line.strip() for line in source.splitlines()]
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not line or line.startswith("|---"):
            continue
        if line == "---":
            yield Block("break")
        elif line.startswith("|"):
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            if any(cells):
                yield Block("head" if following.startswith("|---") else "row", cells)
        elif line.startswith("## "):
            yield Block("heading", (line[3:],))
        elif line.startswith("# "):
            yield Block("title", (line[2:],))
        else:
            yield Block("item", (line[2:],)) if line.startswith("- ") else Block("text", (line,))


def wrapped(text: str, width_pt: float, size_pt: float, *, bold: bool) -> list[str]:
    """``text`` broken into lines that fit ``width_pt`` in Helvetica."""
    scale = size_pt / 1000 * (BOLD_FACTOR if bold else 1.0)
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and sum(WIDTH_OF.get(letter, 556) for letter in longer) * scale > width_pt:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


class Pages:
    """Places lines on pages from the top down and keeps one content stream for each page."""

    def __init__(self, footer: str) -> None:
        self._footer = footer
        self._y_pt = 0.0
        self.streams: list[list[str]] = []
        self.turn()

    def turn(self) -> None:
        """Begin a new page with its footer."""
        self.streams.append([])
        self._y_pt = PAGE_HEIGHT_PT - MARGIN_PT
        self._show(f"{self._footer}, page {len(self.streams)}", MARGIN_PT, MARGIN_PT / 2, 8.5, bold=False)

    def add(self, block: Block) -> None:
        """Place one block, on the next page if this one is full."""
        if block.kind == "break":
            self.turn()
            return
        size_pt, bold = SIZES_PT[block.kind], block.kind in BOLD
        indent_pt = 14 if block.kind == "item" else 0
        column_pt = (PAGE_WIDTH_PT - 2 * MARGIN_PT - indent_pt) / len(block.cells)
        columns = [wrapped(cell, column_pt - 8, size_pt, bold=bold) for cell in block.cells]
        rows = max(len(column) for column in columns)
        self._y_pt -= GAPS_PT[block.kind]
        if self._y_pt - rows * size_pt * LEADING < MARGIN_PT:
            self.turn()
        if indent_pt:
            self._show("\u2022", MARGIN_PT, self._y_pt - size_pt * LEADING, size_pt, bold=False)
        for row in range(rows):
            self._y_pt -= size_pt * LEADING
            for index, column in enumerate(columns):
                if row < len(column):
                    self._show(column[row], MARGIN_PT + indent_pt + index * column_pt, self._y_pt, size_pt, bold=bold)

    def _show(self, text: str, x_pt: float, y_pt: float, size_pt: float, *, bold: bool) -> None:
        quoted = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        font = "F2" if bold else "F1"
        self.streams[-1].append(f"BT /{font} {size_pt:g} Tf {x_pt:.1f} {y_pt:.1f} Td ({quoted}) Tj ET")


def pdf(title: str, source: str) -> bytes:
    """A PDF file with selectable text in the two Helvetica fonts every reader has."""
    pages = Pages(title)
    for block in blocks(source):
        pages.add(block)
    fonts = [
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()
        for name in ("Helvetica", "Helvetica-Bold")
    ]
    kids = " ".join(f"{6 + 2 * index} 0 R" for index in range(len(pages.streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages.streams)} >>".encode(),
        *fonts,
        f"<< /Title ({title}) >>".encode("cp1252"),
    ]
    for index, lines in enumerate(pages.streams):
        content = "\n".join(lines).encode("cp1252")  # not compressed: zlib's bytes differ between its versions
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE_WIDTH_PT} {PAGE_HEIGHT_PT}] "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {7 + 2 * index} 0 R >>".encode()
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    return assembled(objects)


def assembled(objects: list[bytes]) -> bytes:
    """The numbered objects, their cross-reference table and the trailer as one file."""
    body, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, value in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n".encode() + value + b"\nendobj\n"
    start = len(body)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for offset in offsets:
        body += f"{offset:010d} 00000 n \n".encode()
    body += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(body)


def paragraph(text: str, style: str = "") -> str:
    """One WordprocessingML paragraph, with a heading style where one is named."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def docx_body(source: str) -> str:
    """The blocks as WordprocessingML; neighbouring rows become one table."""
    styles = {"title": "Title", "heading": "Heading1"}
    parts: list[str] = []
    for block in blocks(source):
        if block.kind in {"row", "head"}:
            cells = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in block.cells)
            row = f"<w:tr>{cells}</w:tr></w:tbl>"
            if parts and parts[-1].endswith("</w:tbl>"):
                parts[-1] = parts[-1].removesuffix("</w:tbl>") + row
            else:
                grid = "<w:gridCol/>" * len(block.cells)
                parts.append(f"<w:tbl><w:tblPr/><w:tblGrid>{grid}</w:tblGrid>{row}")
        elif block.kind != "break":
            parts.append(paragraph(block.cells[0], styles.get(block.kind, "")))
    return "".join(parts)


def write_docx(path: Path, source: str) -> None:
    """Write a DOCX package with fixed times."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/><w:rPr><w:b/></w:rPr></w:style>'
        for key, name in (("Title", "Title"), ("Heading1", "heading 1"))
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{OFFICE}.document.main+xml"/>'
        f'<Override PartName="/word/styles.xml" ContentType="{OFFICE}.styles+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{relation}" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{relation.rsplit("/", 1)[0]}/styles" Target="styles.xml"/></Relationships>',
        "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>',
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{docx_body(source)}</w:body></w:document>',
    }
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, FIXED_TIME)
            package.writestr(info, head + content)


def main(folder: Path) -> None:
    """Write both documents into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    manual = SOURCES / "wren-desk-lamp-manual.txt"
    (folder / "wren-desk-lamp-manual.pdf").write_bytes(pdf("Wren desk lamp: user manual", manual.read_text("utf-8")))
    write_docx(folder / "trade-account-terms.docx", (SOURCES / "trade-account-terms.txt").read_text("utf-8"))
    print(f"wrote wren-desk-lamp-manual.pdf and trade-account-terms.docx into {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS)
