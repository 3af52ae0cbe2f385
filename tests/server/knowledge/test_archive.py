"""Packed documents are judged before they are opened."""

from __future__ import annotations

import pytest

from server.knowledge.formats.archive import check
from server.knowledge.formats.hints import Unreadable
from tests.server.knowledge.hostile import BOMB, docx, many_entries, paragraphs


def test_a_normal_document_may_be_opened_also_a_repetitive_one():
    check(docx(paragraphs(*[b"The lamp shines."] * 5_000)), 100)


def test_a_short_document_is_no_bomb_whatever_its_ratio():
    check(docx(paragraphs(b"a" * 500_000)), 100)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (docx(paragraphs(b"a" * 5_000_000)), "100 times"),
        (many_entries(), "2,000 parts"),
        (docx(BOMB + b"]><a/>"), "XML entities"),
        (docx((BOMB + b"]><a/>").decode().encode("utf-16-be")), "XML|damaged"),
        (docx(b"<!-- " + b"x" * 80_000 + b" -->" + BOMB + b"]><a/>"), "does not begin"),
        (docx(b""), "does not begin"),
        (b"PK\x03\x04 word/", "damaged"),
        (docx(paragraphs(b"a"))[:-30], "damaged"),
    ],
)
def test_bombs_and_damage(data: bytes, reason: str):
    with pytest.raises(Unreadable, match=reason):
        check(data, 100)
