"""Whether a packed document may be opened at all: judged by its directory and by how its XML begins."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from xml.parsers import expat

from server.knowledge.formats.hints import Unreadable

MOST_ENTRIES = 2_000
MOST_UNPACKED = 400_000_000  # bytes, whatever the ratio
MOST_ENTRY = 64_000_000  # bytes of one XML part
SMALL = 1_000_000  # bytes unpacked: too little for a bomb, whatever the ratio
_PROBE = 65_536  # bytes of each XML part that are looked at: its prologue


def check(data: bytes, max_ratio: int) -> None:
    """Raise Unreadable for too many entries, too much when unpacked, a password, or a document type in XML."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _sizes(entries, len(data), max_ratio)
            for entry in entries:
                if entry.filename.endswith((".xml", ".rels")):
                    with archive.open(entry) as part:
                        _prologue(part.read(_PROBE))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, struct.error, EOFError, OSError):
        raise Unreadable("the document is damaged or cut off; save it again and send it whole") from None


def _sizes(entries: list[zipfile.ZipInfo], packed: int, max_ratio: int) -> None:
    if len(entries) > MOST_ENTRIES:
        raise Unreadable(f"the document is an archive of more than {MOST_ENTRIES:,} parts")
    unpacked = sum(entry.file_size for entry in entries)
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Unreadable("the document is protected by a password; save it without one")
    too_much = unpacked > max_ratio * packed and unpacked > SMALL
    thick = any(one.file_size > max_ratio * max(1, one.compress_size) and one.file_size > SMALL for one in entries)
    if too_much or thick:
        raise Unreadable(f"the document unpacks to more than {max_ratio} times its size, as a bomb does")
    if unpacked > MOST_UNPACKED or any(
        entry.file_size > MOST_ENTRY and entry.filename.endswith((".xml", ".rels")) for entry in entries
    ):
        raise Unreadable("the document is too large when unpacked; split it")


def _prologue(head: bytes) -> None:
    """Stop at a document type: office files have none, and entities can only be declared there."""
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    began = False

    def refuse(*_: object) -> None:
        raise Unreadable("the document declares XML entities, as a bomb does; no word processor writes such a file")

    def start(*_: object) -> None:
        nonlocal began
        began = True
        parser.StartElementHandler = None

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        parser.Parse(head, False)  # noqa: FBT003 - expat takes it by position only
    except expat.ExpatError:
        if not began:
            raise Unreadable("the document is damaged: one of its parts is not XML; save it again") from None
        return
    if not began:
        raise Unreadable("the document is damaged: one of its parts does not begin; save it again")
