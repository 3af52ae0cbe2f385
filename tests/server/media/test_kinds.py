"""Types by content."""

from __future__ import annotations

import pytest

from server.media.kinds import BINARY, agreed, allowed, plain_type, sniff

HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/gif": b"GIF89a\x01\x00",
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00",
    "image/bmp": b"BM\x46\x00\x00\x00",
    "audio/ogg": b"OggS\x00\x02",
    "audio/mpeg": b"\xff\xfb\x90\x00",
    "audio/aac": b"\xff\xf1\x50\x80",
    "audio/mp4": b"\x00\x00\x00\x20ftypM4A \x00",
    "audio/amr": b"#!AMR\n",
    "audio/wav": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "video/mp4": b"\x00\x00\x00\x20ftypisom\x00",
    "video/webm": b"\x1aE\xdf\xa3\x01",
    "application/pdf": b"%PDF-1.7\n",
    "application/zip": b"PK\x03\x04\x14\x00",
    "application/x-executable": b"\x7fELF\x02\x01",
    "text/plain": "Größe;Preis\nS;10\n".encode(),
    BINARY: b"\x00\x01\x02\x03",
}


@pytest.mark.parametrize("mime", HEADS)
def test_first_bytes_tell_the_type(mime: str):
    assert sniff(HEADS[mime]) == mime


def test_text_of_any_encoding_is_text_and_a_program_is_none():
    assert sniff("Größe".encode("cp1252")) == "text/plain"
    assert sniff("Größe".encode("utf-16")) == "text/plain"
    assert sniff(b"MZ is how this note begins") == "text/plain"
    assert sniff(b"MZ\x90\x00\x03") == "application/x-executable"
    assert sniff(b"") == BINARY


@pytest.mark.parametrize(
    ("declared", "found", "kept"),
    [
        ("image/png", "image/jpeg", "image/jpeg"),  # a browser may show it: what it is counts
        ("image/png", "text/plain", ""),
        ("image/svg+xml", "text/plain", ""),
        ("image/*", "image/webp", "image/webp"),
        ("audio/ogg", "audio/ogg", "audio/ogg"),
        ("audio/webm", "video/webm", "audio/webm"),
        ("audio/*", "video/mp4", "audio/mp4"),
        ("audio/mpeg", "application/pdf", ""),
        ("audio/mpeg", BINARY, ""),
        ("text/csv", "text/plain", "text/csv"),
        ("text/plain", "application/zip", ""),
        ("application/json", "text/plain", "application/json"),
        ("application/pdf", "application/pdf", "application/pdf"),
        ("application/pdf", "application/zip", ""),
        ("application/msword", "application/pdf", ""),
        ("application/vnd.oasis.opendocument.text", "application/zip", "application/vnd.oasis.opendocument.text"),
        ("", "image/png", "image/png"),
        (BINARY, "application/x-executable", ""),
        ("application/x-executable", "application/x-executable", ""),
    ],
)
def test_what_was_said_and_what_was_found(declared: str, found: str, kept: str):
    assert agreed(declared, found) == kept


def test_wanted_types():
    types = ("image/*", "text/csv")
    assert [allowed(mime, types) for mime in ("image/png", "text/csv", "text/plain", "imagex/png")] == [
        *(True, True, False, False)
    ]
    assert plain_type("Audio/OGG; codecs=opus") == "audio/ogg"
