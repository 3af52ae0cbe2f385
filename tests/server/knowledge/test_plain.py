"""Text in the encodings that people's programs write."""

from __future__ import annotations

import pytest

from server.knowledge.formats.hints import Hints, Unreadable
from server.knowledge.formats.plain import decode, heading, load, read, read_markdown


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_encodings(encoding: str):
    load()
    assert decode("Größe: 3 ½ m, déjà vu".encode(encoding)) == "Größe: 3 ½ m, déjà vu"


def test_damage_and_data_are_refused():
    for data in (b"text\0text", b"\xff\xfe\x00\xd8\x00", b"\x01\x02\x03" * 100):
        with pytest.raises(Unreadable):
            decode(data)


def test_markdown_loses_front_matter_and_comments():
    found = read_markdown(b"---\ntitle: 'Our hours'\ntags: [a]\n---\n# Hours\n\nNine<!-- check -->\r\n", Hints())
    assert (found.title, found.text) == ("Our hours", "# Hours\n\nNine")
    assert read_markdown(b"# **Hours**\n\nNine", Hints()).title == "Hours"
    with pytest.raises(Unreadable, match="no text"):
        read_markdown(b"---\ntitle: x\n---\n", Hints())


def test_text_has_no_title():
    assert read(b"Hours\nNine to five", Hints()).title == ""


@pytest.mark.parametrize(
    ("text", "title"),
    [("Hours\n=====\n\nNine", "Hours"), ("text\n\n## Hours ##\n", "Hours"), ("no heading", ""), ("### deep", "")],
)
def test_headings(text: str, title: str):
    assert heading(text) == title
