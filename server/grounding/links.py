"""Addresses and pictures in an answer: what no passage names becomes text that nothing turns into a link."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from server.knowledge.contract import Passage

_TARGET = r"(?:[^()\s]|\([^()\s]*\))*"
MARKDOWN = re.compile(rf"(!?)\[([^\[\]\n]*)\]\(\s*<?({_TARGET})>?(?:\s+[\"'(][^\n)]*[\"')])?\s*\)")
DEFINITION = re.compile(r"(?m)^[ \t]*\[[^\[\]\n]+\]:\s*<?(?:[a-z][a-z0-9+.-]*:|www\.|//)\S.*$")
TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
ENDINGS = (
    "com|net|org|io|eu|de|at|ch|es|fr|it|nl|be|ie|co|uk|us|ca|au|ru|cn|in|br|info|biz|app|dev|shop|store|online|site|"
    "xyz|ai|me|tv|link|click|top|page|cloud|live|club|example|test|local|zip|mov"
)
_REST = r"[^\s<>\"'`]+"
ADDRESS = re.compile(
    rf"<?(?:(?<![\w/:])//{_REST}|\b[a-z][a-z0-9+.-]{{1,15}}://{_REST}|"
    rf"\b(?:javascript|data|vbscript|file|tel|sms):{_REST}|\bwww\.{_REST}|"
    rf"(?<![@\w.-])(?:[a-z0-9-]+\.)+[a-z]{{2,24}}/{_REST}|"
    rf"(?<![@\w.-])(?:[a-z0-9-]+\.)+(?:{ENDINGS})\b(?!@)(?:[/?#:][^\s<>\"'`]*)?)>?",
    re.IGNORECASE,
)
TRAILING = ".,;:!?)]}*_'\""
DOT = "[.]"  # nobody's client makes a link of it


@dataclass(slots=True)
class Allowed:
    """Which addresses stay links: those of passages' pages and listed hosts, and those that a passage spells out."""

    hosts: frozenset[str]
    spelled: frozenset[str]
    made_plain: int = field(default=0)

    @classmethod
    def of(cls, passages: Iterable[Passage], hosts: Iterable[str]) -> Allowed:
        """What these passages and settings allow."""
        found, spelled = {host.lower() for host in hosts}, set()
        for passage in passages:
            if passage.chunk.url:
                found.add(host_of(passage.chunk.url))
            spelled |= {_bare(match[0]) for match in ADDRESS.finditer(passage.chunk.text)}
        return cls(frozenset(found - {""}), frozenset(spelled))

    def allows(self, address: str) -> bool:
        """Whether an address may be a link: a page's host is enough, one that only a text spells must be all of it."""
        scheme, colon, _ = address.partition(":")
        if colon and "//" not in address[: len(scheme) + 3]:
            return scheme.lower() == "mailto" or _bare(address) in self.spelled
        if "//" in address and scheme.lower() not in {"http", "https"}:
            return False
        return host_of(address) in self.hosts or _bare(address) in self.spelled

    def inert(self, text: str) -> str:
        """The text with no other link or picture in it."""
        text = DEFINITION.sub(self._gone, text)
        text = MARKDOWN.sub(self._markdown, text)
        text = TAG.sub(self._tag, text)
        return ADDRESS.sub(self._address, text)

    def _gone(self, _: re.Match[str]) -> str:
        self.made_plain += 1
        return ""

    def _markdown(self, found: re.Match[str]) -> str:
        picture, words, target = found[1], found[2], found[3]
        if not picture and target and self.allows(target):
            return found[0]
        self.made_plain += 1
        return words

    def _tag(self, found: re.Match[str]) -> str:
        if ADDRESS.fullmatch(found[0]):
            return found[0]
        self.made_plain += 1
        return ""

    def _address(self, found: re.Match[str]) -> str:
        whole = found[0].strip("<>")
        address = whole.rstrip(TRAILING)
        if self.allows(address):
            return found[0]
        self.made_plain += 1
        host = host_of(address) or address.partition(":")[2]
        return host.replace(".", DOT).replace(":", " ") + whole[len(address) :]


def host_of(address: str) -> str:
    """The host an address leads to, small letters; empty when there is none."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        return (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _bare(address: str) -> str:
    """An address without scheme, ``www.`` and closing marks: the form in which two are the same."""
    short = address.strip("<>").rstrip(TRAILING).rstrip("/").lower()
    return short.removeprefix("https://").removeprefix("http://").removeprefix("mailto:").removeprefix("www.")
