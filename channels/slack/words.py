"""Slack's own markup in texts: made readable on the way in, made harmless on the way out."""

from __future__ import annotations

import re

JOINER = "\u2060"  # word joiner: invisible, and enough to keep Slack from reading a mention

_MARKUP = re.compile(r"<([^<>]*)>")
_ENTITY = re.compile(r"&(lt|gt|amp);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&"}
_MENTION_MARKUP = re.compile(r"<(?=[!@#])")
_MENTION_WORD = re.compile(r"(?<!\w)@(?=[A-Za-z])")


def readable(text: str) -> str:
    """A message as its writer saw it: links, people, channels and broadcasts by name, entities decoded once."""
    shown = _MARKUP.sub(lambda found: _shown(found[1]), text)
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], shown)


def storable(text: str) -> str:
    """The text without what no database holds: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def without_mention(text: str, bot_user: str) -> str:
    """The text without the bot's own mention at its start; with an unknown bot any first mention is taken for it."""
    who = re.escape(bot_user) if bot_user else "[UW][A-Z0-9]+"
    return re.sub(rf"^\s*<@{who}(\|[^>]*)?>[\s,:]*", "", text)


def mentions(text: str, user: str) -> bool:
    """Whether the raw text names ``user``."""
    return bool(user) and re.search(rf"<@{re.escape(user)}(\||>)", text) is not None


def inert(text: str) -> str:
    """CommonMark in which nothing rings anybody: ``<!channel>``, ``<@U…>`` and ``@everyone`` become plain text.

    Grows with its input: the result for a longer text begins with the result for its beginning, except where that
    ended in the middle of a mention.
    """
    return _MENTION_WORD.sub(f"@{JOINER}", _MENTION_MARKUP.sub(f"<{JOINER}", text))


def _shown(markup: str) -> str:
    target, bar, label = markup.partition("|")
    if target.startswith("@"):
        return f"@{label}" if label else target
    if target.startswith("#"):
        return f"#{label}" if label else target
    if target.startswith("!"):
        return label if bar else "@" + target[1:].partition("^")[0]
    address = re.sub(r"^(mailto|tel):", "", target)
    if not label or label == target or re.sub(r"^https?://", "", target).rstrip("/") == label.rstrip("/"):
        return address
    return label if label == address else f"{label} ({address})"
