"""Files made to harm whoever opens them, each with what must become of it."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

READ = ""
"""The file is odd but harmless: its text is taken."""
BOMB = b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">' + b"".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(9)
)
WORDS = b"The lamp comes with a cable of two metres and a plug for the wall. "


@dataclass(frozen=True)
class Hostile:
    """``make`` builds the file; ``reason`` is part of the refusal, READ when it is safely read."""

    name: str
    make: Callable[[], bytes]
    reason: str


def pdf(objects: list[bytes], *, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of numbered objects with a right table of places."""
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size %d %s >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, start))
    return out.getvalue()


def stream(body: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(body), extra, body)


def one_page(content: bytes, *more: bytes) -> bytes:
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    page = (
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >> >>"
    )
    tree = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", tree, page, content, font, *more])


def plain_pdf(text: bytes = WORDS) -> bytes:
    return one_page(stream(b"BT /F 12 Tf 50 700 Td (" + text + b") Tj ET"))


def many_pages() -> bytes:
    kids = b" ".join(b"%d 0 R" % number for number in range(3, 100_003))
    tree = b"<< /Type /Pages /Kids [%s] /Count 100000 >>" % kids
    page = b"<< /Type /Page /Parent 2 0 R >>"
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", tree, *[page] * 100_000])


def recursive_pages() -> bytes:
    return pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 9 >>",
                b"<< /Type /Pages /Kids [2 0 R] /Parent 2 0 R /Count 9 >>"])  # fmt: skip


def recursive_form() -> bytes:
    form = stream(b"/X Do /X Do", b"/Type /XObject /Subtype /Form /Resources << /XObject << /X 6 0 R >> >>")
    return one_page(stream(b"/X Do"), form)


def deep_arrays() -> bytes:
    return pdf([b"<< /Type /Catalog /Pages 2 0 R /Deep " + b"[" * 200_000 + b"]" * 200_000 + b" >>",
                b"<< /Type /Pages /Kids " + b"[" * 200_000 + b"]" * 200_000 + b" /Count 1 >>"])  # fmt: skip


def self_reference() -> bytes:
    return pdf([b"1 0 R", b"<< /Type /Pages /Kids 2 0 R >>"])


def flate_bomb() -> bytes:
    packed = zlib.compress(b"\0" * 300_000_000, 9)
    return one_page(stream(zlib.compress(packed, 9), b"/Filter [/FlateDecode /FlateDecode]"))


def docx(document: bytes, **parts: bytes) -> bytes:
    out = io.BytesIO()
    types = (
        b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        b'<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        b'wordprocessingml.document.main+xml"/></Types>'
    )
    links = (
        b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        b'officeDocument" Target="word/document.xml"/></Relationships>'
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("_rels/.rels", links)
        archive.writestr("word/document.xml", document)
        for name, body in parts.items():
            archive.writestr(name, body)
    return out.getvalue()


def paragraphs(*texts: bytes) -> bytes:
    body = b"".join(b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % text for text in texts)
    return wordprocessing(body)


def wordprocessing(body: bytes) -> bytes:
    space = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return b'<?xml version="1.0"?><w:document xmlns:w="%s"><w:body>%s</w:body></w:document>' % (space, body)


def lying_docx() -> bytes:
    """Claims to unpack to little, and unpacks to much."""
    data = bytearray(docx(paragraphs(b"x" * 50_000_000)))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = 0
        while (at := data.find(mark, at)) >= 0:
            name_at = at + (46 if mark == b"PK\x01\x02" else 30)
            if data[name_at : name_at + 17] == b"word/document.xml":
                data[at + offset : at + offset + 4] = struct.pack("<I", 5_000)
            at += 4
    return bytes(data)


def many_entries() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"word/{number}.xml", b"")
    return out.getvalue()


def zip_of_zeros() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros.bin", "w") as part:
        for _ in range(300):
            part.write(b"\0" * 1_000_000)
    return out.getvalue()


def encrypted_pdf() -> bytes:
    standard = b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <%s> /U <%s> >>" % (b"a1" * 32, b"b2" * 32)
    return pdf(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>", standard],
        trailer=b"/Root 1 0 R /Encrypt 3 0 R /ID [<%s> <%s>]" % (b"c3" * 16, b"c3" * 16),
    )


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def table() -> Iterator[Hostile]:
    """All of them."""
    entities = BOMB + b"]><w:document>&j;</w:document>"
    yield Hostile("zeros.zip", zip_of_zeros, "archive")
    yield Hostile("ratio.docx", lambda: docx(paragraphs(b"a" * 60_000_000)), "times its size")
    yield Hostile("lying.docx", lying_docx, "damaged")
    yield Hostile("entries.docx", many_entries, "parts")
    yield Hostile("entities.docx", lambda: docx(entities), "XML entities")
    yield Hostile("utf16-entities.docx", lambda: docx(entities.decode().encode("utf-16")), "XML entities")
    yield Hostile(
        "deep.docx", lambda: docx(wordprocessing(b"<w:p>" * 40_000 + b"</w:p>" * 40_000)), "nested|memory|damaged"
    )
    yield Hostile(
        "cut.docx", lambda: docx(paragraphs(noise(3_000).hex().encode()))[:-900], "damaged|not a Word|archive"
    )
    yield Hostile("pages.pdf", many_pages, "2,000 pages")
    yield Hostile("recursive.pdf", recursive_pages, "contain each other")
    yield Hostile("form.pdf", recursive_form, "no selectable text|nested|damaged")
    yield Hostile("deep.pdf", deep_arrays, "nested|damaged|memory")
    yield Hostile("self.pdf", self_reference, "damaged|nested")
    yield Hostile("flate.pdf", flate_bomb, "memory|damaged|no selectable")
    yield Hostile("encrypted.pdf", encrypted_pdf, "password")
    yield Hostile("cut.pdf", lambda: plain_pdf()[:200], "damaged|no selectable")
    yield Hostile("page.html", lambda: BOMB + b"]><html><body>&j;</body></html>", "XML|no text")
    yield Hostile(
        "drawing.svg", lambda: BOMB + b']><svg xmlns="http://www.w3.org/2000/svg"><text>&j;</text></svg>', "XML"
    )
    yield Hostile("deep.html", lambda: b"<html><body>" + b"<div>" * 200_000 + WORDS, "nests")
    yield Hostile("program.pdf", lambda: b"\x7fELF\x02\x01\x01" + noise(5_000), "program")
    yield Hostile("setup.docx", lambda: b"MZ\x90\0" + noise(5_000), "program")
    yield Hostile("picture.md", lambda: b"\x89PNG\r\n\x1a\n" + noise(5_000), "image")
    yield Hostile("packed.csv", lambda: gzip.compress(WORDS * 100), "packed archive")
    yield Hostile("nul.txt", lambda: WORDS * 20 + b"\0" + WORDS, "NUL")
    yield Hostile("noise.txt", lambda: noise(50_000), "binary data")
    yield Hostile("bytes.md", lambda: WORDS + b"\xff\xfe\xc3\x28 caf\xe9", READ)
    yield Hostile("line.txt", lambda: b"a" * 3_500_000, READ)
    yield Hostile("long.txt", lambda: b"word " * 1_000_000, "4,000,000 characters")
    yield Hostile(
        "columns.csv", lambda: b",".join([b"a"] * 1_000_000) + b"\n" + b",".join([b"1"] * 1_000_000), "columns"
    )
    yield Hostile("quote.csv", lambda: b'a,b\n"' + b"x" * 3_000_000, "cannot be read")
    yield Hostile("empty.txt", lambda: b"", "empty")
    yield Hostile("blank.md", lambda: b" \n\n ", "no text")
    yield Hostile("huge.txt", lambda: b"a" * 32_000_001, "larger than")
    yield Hostile(
        "backtrack.html",
        lambda: b"<html><body><p>" + b"<a href='" * 60_000 + b"</p>",
        "no text|nests|damaged|processor",
    )
