"""PDF: headings, lists, tables and paragraphs of a real manual, and of odd files."""

from __future__ import annotations

import pytest

from server.install import ROOT
from server.knowledge.formats.hints import Hints, Unreadable
from server.knowledge.formats.pdf import load, read
from tests.server.knowledge.hostile import encrypted_pdf, one_page, plain_pdf, stream

MANUAL = ROOT / "config/demo/documents/wren-desk-lamp-manual.pdf"


def written(*lines: tuple[str, int, int, int]) -> bytes:
    """A page with lines of (text, x, y, size)."""
    content = b"".join(b"BT /F %d Tf %d %d Td (%s) Tj ET " % (size, x, y, text.encode()) for text, x, y, size in lines)
    return one_page(stream(content))


def test_the_demo_shops_manual_keeps_headings_tables_and_paragraphs():
    load()
    found = read(MANUAL.read_bytes(), Hints())
    assert found.title == "Wren desk lamp: user manual"
    for part in (
        "# Wren desk lamp: user manual\n\nArticle MP-L02. Read these pages before the first use and keep them. When",
        "## 6. Light\n\n### 6.1 The touch strip\n\n| What you do | What happens |\n| --- | --- |\n| Tap once |",
        "| 2 | head too warm | let it cool for 20 minutes, uncover it |",
        "- Power: 8 W for the light, 24 W with the phone socket\n- Waiting: 0.3 W",
        "- Use the lamp indoors in dry rooms only. It is not meant for bathrooms.\n- Only use the power supply",
    ):
        assert part in found.text
    assert "page 3" not in found.text, "running titles go"


def test_sizes_make_headings_and_short_lines_end_paragraphs():
    data = written(
        ("Care", 50, 700, 18),
        ("Wipe the lamp with a soft cloth and never with any-", 50, 680, 10),
        ("thing sharp.", 50, 668, 10),
        ("Dry it.", 50, 656, 10),
    )
    assert read(data, Hints()).text == (
        "# Care\n\nWipe the lamp with a soft cloth and never with anything sharp.\n\nDry it."
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (one_page(stream(b"0 0 m 10 10 l S")), "no selectable text"),
        (encrypted_pdf(), "password"),
        (b"%PDF-1.7\n" + b"x" * 500, "damaged"),
    ],
)
def test_what_cannot_be_read(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        read(data, Hints())


def test_limits():
    with pytest.raises(Unreadable, match="more than 3 pages"):
        read(MANUAL.read_bytes(), Hints(max_pages=3))
    with pytest.raises(Unreadable, match="10 characters"):
        read(plain_pdf(), Hints(max_characters=10))


def test_useless_titles_are_not_taken():
    data = plain_pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R /Info << /Title (Microsoft Word - a.doc) >>")
    assert read(data, Hints()).title == ""
