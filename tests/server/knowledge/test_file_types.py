"""Types by content: names decide only between kinds of text."""

from __future__ import annotations

import pytest

from server.knowledge.contract import SourceRefused
from server.knowledge.file_types import file_type


@pytest.mark.parametrize(
    ("data", "name", "mime", "expected"),
    [
        (b"%PDF-1.7 ...", "x.md", "", "pdf"),
        (b"junk before\n%PDF-1.4", "x", "", "pdf"),
        (b"PK\x03\x04 ... word/document.xml", "x", "", "docx"),
        (b"<!DOCTYPE html><p>x", "x.txt", "", "html"),
        (b"\n<!-- saved --><html lang='en'>", "x", "", "html"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "x", "", "html"),
        (b"<p>part of a page</p>", "x.htm", "", "html"),
        (b"<p>part of a page</p>", "x", "text/html", "html"),
        (b"a,b\n1,2", "x.csv", "", "table"),
        (b"a\tb", "x.tsv", "", "table"),
        (b"[{}]", "x.json", "", "json"),
        (b"# Hi", "x.markdown", "", "markdown"),
        (b"Hi", "x", "", "text"),
        (b"MZ is how this sentence begins, which is no program.", "x.txt", "", "text"),
        ("Grüße".encode("utf-16"), "x.txt", "", "text"),
    ],
)
def test_what_is_read(data: bytes, name: str, mime: str, expected: str):
    assert file_type(data, name, mime) == expected


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "x.md", "empty"),
        (b"Hello", "x.pdf", "called a pdf but is not one"),
        (b"Hello", "x.docx", "called a docx but is not one"),
        (b"PK\x03\x04 ... xl/workbook.xml", "x.docx", "archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.docx", "old Office file or one with a password"),
        (b"{\\rtf1", "x.doc", "RTF"),
        (b"<svg xmlns='x'>", "x.svg", "XML"),
        (b"<?xml version='1.0'?><feed>", "x.xml", "XML"),
        (b"\x1f\x8b\x08", "x.txt", "packed archive, although it is called .txt"),
    ],
)
def test_what_is_refused(data: bytes, name: str, reason: str):
    with pytest.raises(SourceRefused, match=reason):
        file_type(data, name)
