"""HTML: the main text of a page with its headings, tables and links."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.install import ROOT
from server.knowledge.formats.hints import Hints, Unreadable
from server.knowledge.formats.page import read

SITE = ROOT / "config/demo/site"


def test_the_demo_shops_pages_keep_tables_and_lose_navigation():
    found = read((SITE / "events.html").read_bytes(), Hints())
    assert found.title == "Courses at the workshop"
    assert "| Course | Length | Price | People |\n|---|---|---|---|\n| First bowl: throwing" in found.text
    assert "Wedding lists" not in found.text
    assert "14 Weir Lane" not in found.text


@pytest.mark.parametrize("path", sorted(SITE.rglob("*.html")), ids=lambda path: path.name)
def test_every_page_of_the_demo_shop_has_text(path: Path):
    found = read(path.read_bytes(), Hints())
    assert len(found.text) > 80
    assert found.title


def test_links_become_absolute():
    page = b"<html><body><p>Our terms stand <a href='../terms'>on a page of their own</a>, as always.</p></body></html>"
    assert "https://shop.example/terms" in read(page, Hints(url="https://shop.example/help/x")).text


def test_titles_lose_the_sites_name_and_encodings_are_found():
    head = "<head><meta charset='latin-1'><title>Größen · Laden</title></head>"
    page = f"<html>{head}<body><p>Drei Größen gibt es.</p></body></html>"
    found = read(page.encode("latin-1"), Hints())
    assert (found.title, "Drei Größen gibt es." in found.text) == ("Größen", True)


def test_a_page_of_a_table_only_keeps_it():
    rows = b"".join(b"<tr><td>Lamp %d</td><td>%d euro</td></tr>" % (n, n) for n in range(30))
    found = read(b"<html><body><table><tr><th>What</th><th>Price</th></tr>" + rows + b"</table></body></html>", Hints())
    assert "Lamp 29" in found.text
    assert found.text.startswith("| What | Price |")


def test_scripts_are_no_text():
    with pytest.raises(Unreadable, match="script"):
        read(b"<html><body><script>document.write('hello')</script></body></html>", Hints())
