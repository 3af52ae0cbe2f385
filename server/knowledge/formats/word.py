"""DOCX as Markdown by way of HTML: headings, lists and tables are kept, pictures are left out."""

from __future__ import annotations

import importlib
import io
import struct
import zipfile
import zlib
from xml.parsers.expat import ExpatError

from server.knowledge.formats import page
from server.knowledge.formats.archive import check
from server.knowledge.formats.hints import Hints, Read, Unreadable, tidy
from server.knowledge.formats.plain import heading

_DOCUMENT = "word/document.xml"
_STYLES = "p[style-name='Title'] => h1:fresh"
_PROPERTIES = "docProps/core.xml"


def load() -> None:
    """Import the libraries, and switch off entities in the XML reader they use."""
    importlib.import_module("defusedxml").defuse_stdlib()
    importlib.import_module("mammoth")
    importlib.import_module("defusedxml.ElementTree")
    page.load_markdown()


def read(data: bytes, hints: Hints) -> Read:
    """Title and Markdown; raises Unreadable for bombs, damage, and documents without text."""
    check(data, hints.max_ratio)
    mammoth = importlib.import_module("mammoth")
    defused = importlib.import_module("defusedxml.common")
    try:
        title = _title(data)
        html = mammoth.convert_to_html(io.BytesIO(data), convert_image=lambda _image: [], style_map=_STYLES)
    except (
        KeyError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        ExpatError,
        defused.DefusedXmlException,
    ):
        raise Unreadable("the document is damaged or not from a word processor; save it again as .docx") from None
    text = tidy(page.markdown(html.value), hints.max_characters)
    if not text.strip():
        raise Unreadable("the document holds no text (only pictures?)")
    first = text.split("\n", 1)[0].strip("*_ ")
    short = first if len(first) <= 120 and not first.endswith((".", "!", "?", ":")) and first[:1] != "|" else ""  # noqa: PLR2004 - a title, not a paragraph
    return Read((title or (short.lstrip("# ")) or heading(text))[:300], text)


def _title(data: bytes) -> str:
    """What the document's properties call it."""
    trees = importlib.import_module("defusedxml.ElementTree")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if _DOCUMENT not in archive.namelist():
            raise KeyError(_DOCUMENT)
        if _PROPERTIES not in archive.namelist():
            return ""
        found = trees.fromstring(archive.read(_PROPERTIES)).findtext("{http://purl.org/dc/elements/1.1/}title")
    return " ".join((found or "").split())
