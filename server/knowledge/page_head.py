"""What a crawl needs of a page: title, links, canonical address, robots rules; linear in time for any bytes.

The text of a page is read in a limited child process. Here only tags of at most ``TAG_CHARACTERS`` are looked at, and
only so many of them, because a page is a stranger's and this runs beside conversations.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

READ_BYTES = 1_000_000  # of a page
TAG_CHARACTERS = 2_000
MOST_TAGS = 20_000
MOST_LINKS = 2_000
TITLE_CHARACTERS = 300
_TAG = re.compile(r"<(!--|(?:a|area|base|link|meta|title|script|style|template|textarea|svg)(?=[\s/>]))", re.IGNORECASE)
_INSIDE = re.compile(r"(?:[^>\"']|\"[^\"]*\"|'[^']*')*")
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
_SKIPPED = frozenset({"script", "style", "template", "textarea", "svg"})
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Head:
    """What a page says about itself; links and canonical are as written, joined by whoever knows the page's address."""

    title: str = ""
    base: str = ""
    canonical: str = ""
    index: bool = True
    follow: bool = True
    links: tuple[str, ...] = ()


class _Collector:
    """Takes one tag after the other."""

    def __init__(self, robots: str) -> None:
        self.title = self.base = self.canonical = ""
        self.robots = robots.lower()
        self.links: dict[str, None] = {}

    def take(self, name: str, attributes: dict[str, str]) -> None:
        href = attributes.get("href", "")
        rel = attributes.get("rel", "").lower().split()
        if name in {"a", "area"}:
            if href and "nofollow" not in rel and len(self.links) < MOST_LINKS:
                self.links.setdefault(href)
        elif name == "base":
            self.base = self.base or href
        elif name == "link":
            if "canonical" in rel and not self.canonical:
                self.canonical = href
        elif attributes.get("name", "").lower() in {"robots", "frontdesk-crawler"}:
            self.robots += "," + attributes.get("content", "").lower()

    def head(self) -> Head:
        words = set(re.split(r"[\s,:]+", self.robots))
        return Head(
            title=self.title,
            base=self.base,
            canonical=self.canonical,
            index=not words & {"noindex", "none"},
            follow=not words & {"nofollow", "none"},
            links=tuple(self.links),
        )


def read_head(body: bytes, content_type: str = "", robots: str = "") -> Head:
    """Read a page; ``robots`` is its X-Robots-Tag header."""
    text = _text(body[:READ_BYTES], content_type)
    collector = _Collector(robots)
    place = 0
    for _ in range(MOST_TAGS):
        found = _TAG.search(text, place)
        if found is None:
            break
        place = _one(text, found, collector)
    return collector.head()


def _one(text: str, found: re.Match[str], collector: _Collector) -> int:
    """Handle one tag and say where to go on."""
    name = found[1].lower()
    if name == "!--":
        return _after(text, "-->", found.end())
    inside = _INSIDE.match(text, found.end(), found.end() + TAG_CHARACTERS)
    end = inside.end() if inside else found.end()
    if name in _SKIPPED:
        return _after(text, f"</{name}", end)
    if name == "title":
        if not collector.title:
            stop = text.find("</", end, end + TAG_CHARACTERS)
            written = text[end + 1 : stop] if stop > 0 else ""
            collector.title = _SPACE.sub(" ", html.unescape(written)).strip()[:TITLE_CHARACTERS]
        return end
    if text[end : end + 1] == ">":
        collector.take(name, _attributes(text[found.end() : end]))
    return end


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(text):
        plain = value[1:-1] if value[:1] in {'"', "'"} else value
        found.setdefault(name.lower(), html.unescape(plain).strip())
    return found


def _after(text: str, end: str, place: int) -> int:
    """Behind the next ``end`` (its case does not matter); without one, the rest of the page belongs to what began."""
    found = re.compile(re.escape(end), re.IGNORECASE).search(text, place)
    return found.end() if found else len(text)


def _text(body: bytes, content_type: str) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    named = _CHARSET.search(content_type) or _CHARSET.search(body[:2_048].decode("latin-1"))
    try:
        return body.decode(named[1] if named else "utf-8", "replace")
    except (LookupError, UnicodeError, ValueError):
        return body.decode("utf-8", "replace")
