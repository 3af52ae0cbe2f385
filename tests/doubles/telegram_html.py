"""Telegram's reading of HTML messages, after its own parser: what it refuses, and what is left to count and show."""

from __future__ import annotations

import re

TAGS = frozenset({
    "b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler", "a", "tg-emoji", "code", "pre",
    "blockquote",
})  # fmt: skip
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-z]+));")
OPENING = re.compile(r"<([a-zA-Z0-9-]+)((?:\s+[a-zA-Z-]+(?:\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>=]+))?)*)\s*>")
CLOSING = re.compile(r"</([a-zA-Z0-9-]*)\s*>")


class BadMarkup(ValueError):
    """The text would be refused with 400; its words are Telegram's."""


def parse(html: str) -> str:
    """The text a customer sees; raises BadMarkup."""
    seen: list[str] = []
    open_tags: list[str] = []
    at = 0
    while at < len(html):
        sign = html[at]
        if sign == "&":
            text, at = _entity(html, at)
            seen.append(text)
        elif sign == "<":
            at = _tag(html, at, open_tags)
        else:
            seen.append(sign)
            at += 1
    if open_tags:
        raise BadMarkup(f'Can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return "".join(seen).strip()


def units(text: str) -> int:
    """What Telegram's limits count."""
    return sum(2 if ord(sign) > 0xFFFF else 1 for sign in text)


def _entity(html: str, at: int) -> tuple[str, int]:
    found = ENTITY.match(html, at)
    if found is None:
        return "&", at + 1
    if found[3] is not None:
        return (ENTITIES[found[3]], found.end()) if found[3] in ENTITIES else ("&", at + 1)
    return chr(int(found[1], 16) if found[1] else int(found[2])), found.end()


def _tag(html: str, at: int, open_tags: list[str]) -> int:
    offset = len(html[:at].encode())
    if html.startswith("</", at):
        found = CLOSING.match(html, at)
        if found is None or not open_tags:
            raise BadMarkup(f"Unexpected end tag at byte offset {offset}")
        expected = open_tags.pop()
        if found[1] and found[1].lower() != expected:
            raise BadMarkup(
                f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{found[1]}>"'
            )
        return found.end()
    found = OPENING.match(html, at)
    if found is None:
        raise BadMarkup(f'Unsupported start tag "" at byte offset {offset}')
    name = found[1].lower()
    if name not in TAGS or (name == "span" and "tg-spoiler" not in found[2]):
        raise BadMarkup(f'Unsupported start tag "{name}" at byte offset {offset}')
    open_tags.append(name)
    return found.end()
