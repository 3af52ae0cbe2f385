"""DOCX: headings, lists and tables of a real document; pictures and bombs stay out."""

from __future__ import annotations

import pytest

from server.install import ROOT
from server.knowledge.formats.hints import Hints, Unreadable
from server.knowledge.formats.word import read
from tests.server.knowledge.hostile import docx, paragraphs, wordprocessing

TERMS = ROOT / "config/demo/documents/trade-account-terms.docx"
CORE = (
    b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Our terms</dc:title></cp:coreProperties>'
)


def test_the_demo_shops_terms_keep_headings_and_tables():
    found = read(TERMS.read_bytes(), Hints())
    assert found.title == "Trade account terms"
    table = (
        "| Goods bought in a calendar year | Discount on list price |\n| --- | --- |\n| from the first order | 10 % |"
    )
    assert f"# Discounts\n\n{table}" in found.text


def test_titles():
    assert read(docx(paragraphs(b"Lamps"), **{"docProps/core.xml": CORE}), Hints()).title == "Our terms"
    assert read(docx(paragraphs(b"Lamps", b"They shine.")), Hints()).title == "Lamps"
    assert read(docx(paragraphs(b"They shine all night.")), Hints()).title == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (docx(paragraphs()), "no text"),
        (docx(b"<broken"), "damaged"),
        (docx(wordprocessing(b"</w:p>")), "damaged"),
        (docx(paragraphs(b"a"), **{"docProps/core.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}), "XML entities"),
    ],
)
def test_what_cannot_be_read(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        read(data, Hints())
