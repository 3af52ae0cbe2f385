"""Contact data as staff see it by default: its owner recognises it, nobody can use it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from server.conversation import NotFound
from server.store.contract import Row

PROVEN_BY_SITE: Final = "user:"  # how web addresses begin whose page's owner signed the customer's id
OPEN_FIELDS: Final = frozenset({"locale", "language", "timezone", "team", "is_bot", "country"})
SHOWN: Final = 2  # last characters of what is no e-mail address
SHORT: Final = 4  # characters; of anything as short nothing is shown
FIELD: Final = re.compile(r"(?P<identity>[0-9A-Za-z_.:-]{1,64})/(?P<name>address|profile\.[\w.-]{1,64})")


@dataclass(frozen=True, slots=True)
class Value:
    """One piece of contact data; ``field`` is what asks for it in clear, '' where it is shown in clear already."""

    name: str
    text: str
    field: str


def masked(text: str) -> str:
    """``n…@mail.example`` or ``…89``."""
    name, at, host = text.rpartition("@")
    if at and name:
        return f"{name[:1]}…@{host}"
    return f"…{text[-SHOWN:]}" if len(text) > SHORT else "…"


def values_of(identity: Row) -> list[Value]:
    """Address and profile of an identity, masked."""
    found = [Value("address", masked(str(identity["address"])), f"{identity['id']}/address")]
    for name, value in sorted(profile_of(identity).items()):
        clear = name in OPEN_FIELDS or value == ""
        found.append(
            Value(name, value if clear else masked(value), "" if clear else f"{identity['id']}/profile.{name}")
        )
    return found


def profile_of(identity: Row) -> dict[str, str]:
    """What the platform or the page says of somebody, as texts."""
    try:
        found = json.loads(identity["profile"] or "{}")
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def reveal(identities: Mapping[str, Row], field: str) -> str:
    """The clear text behind a field; raises NotFound."""
    wanted = FIELD.fullmatch(field)
    identity = identities.get(wanted["identity"]) if wanted else None
    if wanted is None or identity is None:
        raise NotFound("there is no such contact data; reload the customer")
    if wanted["name"] == "address":
        return str(identity["address"])
    value: Any = profile_of(identity).get(wanted["name"].removeprefix("profile."))
    if value is None:
        raise NotFound("there is no such contact data; reload the customer")
    return str(value)


def proven(identity: Row) -> str:
    """Who the web site's owner says this is, '' where nobody proved it; a platform's word is no proof."""
    address = str(identity["address"])
    if identity["channel"] == "web" and identity["verified"] and address.startswith(PROVEN_BY_SITE):
        return address.removeprefix(PROVEN_BY_SITE)
    return ""
