"""What a file is by its first bytes, and whether that is what was said and wanted."""

from __future__ import annotations

from collections.abc import Sequence

HEAD_BYTES = 512  # enough for every mark below
BINARY = "application/octet-stream"
TEXT = "text/plain"
PDF = "application/pdf"
PROGRAM = "application/x-executable"
INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types that a browser may show by itself: none of them can carry a script."""

_MARKS: tuple[tuple[int, bytes, str], ...] = (  # offset, bytes found there, type
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\xff\xfe", TEXT),  # UTF-16, as spreadsheets write it
    (0, b"\xfe\xff", TEXT),
    (0, b"%PDF-", PDF),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"caff", "audio/x-caf"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!", "application/vnd.rar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\x7fELF", PROGRAM),
    (0, b"MZ", PROGRAM),
    (0, b"\xca\xfe\xba\xbe", PROGRAM),
    (0, b"\xcf\xfa\xed\xfe", PROGRAM),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {  # of ISO media files, by the beginning of their major brand
    b"hei": "image/heic",
    b"mif1": "image/heic",
    b"avi": "image/avif",
    b"M4A": "audio/mp4",
    b"M4B": "audio/mp4",
    b"qt": "video/quicktime",
    b"3g": "video/3gpp",
}
_EITHER = frozenset({"audio/ogg", "video/webm", "video/mp4", "video/3gpp", "audio/mp4", "video/quicktime"})
"""Containers that hold sound or pictures; the first bytes do not tell which."""
_TEXT_LIKE = frozenset({"application/json", "application/xml"})
_CONTROLS = frozenset(range(32)) - {9, 10, 12, 13, 27}


def plain_type(mime: str) -> str:
    """A declared type without parameters, in lower case."""
    return mime.partition(";")[0].strip().lower()


def sniff(head: bytes) -> str:
    """The type that the first bytes (at least HEAD_BYTES where the file has them) tell; BINARY when they do not."""
    for offset, mark, mime in _MARKS:
        if head.startswith(mark, offset) and not (mark == b"MZ" and _is_text(head)):
            return mime
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], BINARY)
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return next((mime for start, mime in _BRANDS.items() if brand.startswith(start)), "video/mp4")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # noqa: PLR2004 - a frame's sync bits
        return "audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg"
    if head[:2] == b"BM" and not _is_text(head):
        return "image/bmp"
    return TEXT if _is_text(head) else BINARY


def allowed(mime: str, types: Sequence[str]) -> bool:
    """Whether a type is among ``types`` (``image/*`` names a whole class)."""
    return mime in types or f"{mime.partition('/')[0]}/*" in types


def agreed(declared: str, found: str) -> str:
    """The type to keep a file under when what was said and what was found are of one class, else "".

    ``declared`` may be vague: empty, BINARY or a class such as ``image/*``. Images keep what was found, because a
    browser may show them.
    """
    if found == PROGRAM or not _one_class(declared, found):
        return ""
    said, is_ = declared.partition("/")[0], found.partition("/")[0]
    if declared in {"", BINARY} or said == "image":
        return found
    if declared.endswith("/*"):
        return found if said == is_ else f"{said}/{found.partition('/')[2]}"
    return declared


def _one_class(declared: str, found: str) -> bool:
    said = declared.partition("/")[0]
    if declared in {"", BINARY}:
        return True
    if found in _EITHER:
        return said in {"audio", "video"}
    if said == "text" or declared in _TEXT_LIKE:
        return found == TEXT
    if PDF in {declared, found}:
        return declared == found
    return said == found.partition("/")[0]


def _is_text(head: bytes) -> bool:
    """Whether bytes hold no control characters: any encoding of one byte per letter, and UTF-8."""
    return bool(head) and not _CONTROLS.intersection(head)
