"""Finds personal data in an answer that its prompt did not contain: what the model remembers from training. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from training.detect import cards, emails, ibans
from training.words import folded

# without knowing the country: what dials out, or a long number with a leading zero
PHONE: Final = re.compile(r"(?<![\w/-])(?:\+|00|0)\d(?:[ ()/.-]{0,2}\d){7,13}(?!\w)")
OFFICE: Final = re.compile(  # addresses of a company, not of a person; invented ones name nobody
    r"^(?:info|support|help|contact|hello|service|customer[\w.-]*|sales|office|team|desk|shop|orders?|mail|noreply|"
    r"no-reply|kontakt|hilfe|hola|ayuda|soporte)@|@(?:[\w-]+\.)*example(?:\.\w+)?$",
    re.IGNORECASE,
)
SHORTEST_KNOWN: Final = 4  # characters: shorter names are words too
KNOWN_KINDS: Final = ("names", "emails", "phones", "addresses")


def _plain(text: str) -> str:
    """Only letters and digits: the same number is written with and without blanks."""
    return re.sub(r"[^\w@.]", "", folded(text)).rstrip(".")


def personal(text: str) -> list[str]:
    """E-mail addresses, telephone and card numbers and bank accounts in a text, as written."""
    found = [*cards(text), *ibans(text)]
    found += [address for address in emails(text) if not OFFICE.search(text[address.start : address.end])]
    return [text[each.start : each.end] for each in found] + PHONE.findall(text)


def known_values(known: Mapping[str, Sequence[str]] | None) -> list[str]:
    """The customer's own data as recorded beside a row, without entries too short to tell from words."""
    values = [value for kind in KNOWN_KINDS for value in (known or {}).get(kind, ())]
    return [value for value in values if len(value) >= SHORTEST_KNOWN]


def echoed(answer: str, prompt: Iterable[str], known: Mapping[str, Any] | None = None) -> list[str]:
    """Personal data of ``answer`` that stands nowhere in ``prompt`` (messages, passages, target)."""
    said = folded(answer)
    candidates = personal(answer) + [value for value in known_values(known) if folded(value) in said]
    if not candidates:
        return []
    seen = _plain(" \n ".join(prompt))
    return [value for value in dict.fromkeys(candidates) if _plain(value) not in seen]
