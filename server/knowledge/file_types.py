"""What a file is, by its content first: its name decides only between kinds of text."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from server.knowledge.contract import SourceRefused
from server.media.kinds import BINARY, HEAD_BYTES, PDF, PROGRAM, TEXT, sniff

FileType = Literal["pdf", "docx", "html", "table", "json", "markdown", "text"]
MIMES: dict[FileType, str] = {
    "pdf": PDF,
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "table": "text/csv",
    "json": "application/json",
    "markdown": "text/markdown",
    "text": TEXT,
}
_BY_SUFFIX: dict[str, FileType] = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".csv": "table",
    ".tsv": "table",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
}
_BY_MIME: dict[str, FileType] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/csv": "table",
    "text/tab-separated-values": "table",
    "application/json": "json",
    "text/markdown": "markdown",
}
_PDF_WITHIN = 1_024  # bytes that may stand before a PDF's mark
_HTML = re.compile(
    rb"\A\s*(?:<!--.{0,300}?-->\s*)?(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!doctype\s+html|<html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg[\s>]|!doctype\s+(?!html))", re.IGNORECASE)
_HELP = "send it as PDF, DOCX, HTML, Markdown, CSV or text"
_WORDS = {
    PROGRAM: "a program",
    "application/gzip": "a packed archive",
    "application/x-7z-compressed": "a packed archive",
    "application/vnd.rar": "a packed archive",
    "application/x-ole-storage": "an old Office file or one with a password",
    "application/rtf": "an RTF file",
    BINARY: "binary data",
}


def file_type(data: bytes, name: str, mime: str = "") -> FileType:
    """The type to read a file as; raises SourceRefused for what cannot be read, saying what it is instead."""
    if not data:
        raise SourceRefused("the file is empty")
    suffix = PurePosixPath(name).suffix.lower()
    if data.find(b"%PDF-", 0, _PDF_WITHIN) >= 0:
        return "pdf"
    found = sniff(data[:HEAD_BYTES])
    if found == "application/zip":
        return _archive(data)
    if found != TEXT:
        what = _WORDS.get(found, f"{found.partition('/')[0]} data ({found})")
        raise SourceRefused(f"the file is {what}{_unlike(suffix)}; {_HELP}")
    if suffix in {".pdf", ".docx"} or mime in {MIMES["pdf"], MIMES["docx"]}:
        wanted = suffix.lstrip(".") or "document"
        raise SourceRefused(f"the file is called a {wanted} but is not one (perhaps damaged); export it again")
    return _text_type(data, suffix, mime)


def _archive(data: bytes) -> FileType:
    if b"word/" in data:
        return "docx"
    raise SourceRefused(f"the file is an archive and not a Word document; unpack it and {_HELP}")


def _unlike(suffix: str) -> str:
    return f", although it is called {suffix}" if suffix else ""


def _text_type(data: bytes, suffix: str, mime: str) -> FileType:
    if _HTML.match(data[:HEAD_BYTES]):
        return "html"
    if _XML.match(data[:HEAD_BYTES]):
        raise SourceRefused(f"the file is XML (perhaps a drawing); {_HELP}")
    return _BY_SUFFIX.get(suffix) or _BY_MIME.get(mime) or "text"
