"""Ready replies: short names, and variables that are filled in for one conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from server.store.contract import Row

VARIABLE: Final = re.compile(r"\{\{\s*([a-z_.]{1,40})\s*\}\}")
NAMES: Final = (
    "customer.name",
    "customer.first_name",
    "customer.email",
    "staff.name",
    "staff.first_name",
    "shop.name",
    "conversation.id",
    "channel",
)
"""What a reply may name; anything else stays as it is written and is reported."""


def values(about: Row | None, staff: str, shop: str) -> Mapping[str, str]:
    """What the variables stand for; ``about`` is a conversation with its customer, None while there is none."""
    found = {"staff.name": staff, "staff.first_name": _first(staff), "shop.name": shop}
    if about is None:
        return found
    profile = json.loads(about["profile"] or "{}")
    name = str(about["customer_name"] or "")
    return found | {
        "customer.name": name,
        "customer.first_name": _first(name),
        "customer.email": str(profile.get("email") or ""),
        "conversation.id": str(about["id"]),
        "channel": str(about["channel"]),
    }


def fill(text: str, known: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text with its variables filled in, and the names of those that have no value: they stay as written."""
    missing: dict[str, None] = {}

    def value(match: re.Match[str]) -> str:
        if not (said := known.get(match[1], "")):
            missing[match[1]] = None
            return match[0]
        return said

    return VARIABLE.sub(value, text), list(missing)


def _first(name: str) -> str:
    return name.split(maxsplit=1)[0] if name.split() else ""
