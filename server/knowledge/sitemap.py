"""Sitemaps: which pages a site lists itself; entities and document types are refused, sizes and numbers capped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree.ElementTree import ParseError  # the error's name only; parsing is defusedxml's

import structlog
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from server.egress import EgressError, Response
from server.egress.decoding import gunzip
from server.knowledge.links import Scope

log = structlog.get_logger()

MOST_BYTES = 10_000_000  # of one unpacked file
MOST_FILES = 50
MOST_PAGES = 50_000
MOST_LEVELS = 3  # index of indexes of pages
ADDRESS_CHARACTERS = 2_048
GZIP = b"\x1f\x8b"


class _Places:
    """The parser's target: collects the text of loc, and whether the file lists pages or further files."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.files: list[str] = []
        self._holder = ""
        self._text: list[str] | None = None

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if name in {"url", "sitemap"}:
            self._holder = name
        elif name == "loc" and self._holder:
            self._text = []

    def data(self, text: str) -> None:
        if self._text is not None and len(self._text) < ADDRESS_CHARACTERS:
            self._text.append(text)

    def end(self, tag: str) -> None:
        name = tag.rpartition("}")[2]
        if name == "loc" and self._text is not None:
            found = "".join(self._text).strip()
            held = self.pages if self._holder == "url" else self.files
            if 0 < len(found) <= ADDRESS_CHARACTERS and len(held) < MOST_PAGES:
                held.append(found)
            self._text = None
        elif name in {"url", "sitemap"}:
            self._holder = ""

    def close(self) -> _Places:
        return self


def parse_sitemap(body: bytes) -> tuple[list[str], list[str]]:
    """Pages and further sitemap files of one file, XML or plain lines; a broken file gives what stood before."""
    if body.lstrip()[:1] != b"<":
        lines = body.decode("utf-8", "replace").split()
        return [line for line in lines[:MOST_PAGES] if line.startswith("http")], []
    places = _Places()
    parser: Any = DefusedXMLParser(target=places, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except (ParseError, DefusedXmlException, ValueError) as error:
        log.info("sitemap_broken", error=type(error).__name__, pages=len(places.pages))
    return places.pages, places.files


class Sitemaps:
    """Reads a site's sitemap files, each once, within the site's own host; ``fetch`` gets (address, most bytes)."""

    def __init__(self, fetch: Callable[[str, int], Awaitable[Response]], scope: Scope) -> None:
        self._fetch = fetch
        self._scope = scope

    async def pages(self, named: list[str]) -> list[str]:
        """Public addresses of every page listed; ``named`` are the files robots.txt names."""
        waiting = [(each, 1) for each in [*named, self._scope.at("/sitemap.xml")]]
        seen: set[str] = set()
        found: dict[str, None] = {}
        while waiting and len(seen) < MOST_FILES and len(found) < MOST_PAGES:
            text, level = waiting.pop(0)
            file = self._scope.public(text)
            if not file or file in seen:
                continue
            seen.add(file)
            pages, files = await self._file(file)
            for page in pages:
                public = self._scope.public(page)
                if public:
                    found.setdefault(public)
            if level < MOST_LEVELS:
                waiting += [(each, level + 1) for each in files[:MOST_FILES]]
        return list(found)[:MOST_PAGES]

    async def _file(self, file: str) -> tuple[list[str], list[str]]:
        try:
            answer = await self._fetch(self._scope.fetchable(file), MOST_BYTES)
            body = await asyncio.to_thread(_unpacked, answer)
        except EgressError as error:
            log.info("sitemap_unread", reason=error.reason)
            return [], []
        return await asyncio.to_thread(parse_sitemap, body) if body else ([], [])


def _unpacked(answer: Response) -> bytes:
    if answer.status not in range(200, 300):
        return b""
    return gunzip(answer.body, MOST_BYTES) if answer.body.startswith(GZIP) else answer.body
