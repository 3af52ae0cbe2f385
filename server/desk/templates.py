"""Approved messages of a channel account: what staff may choose where free text is not accepted any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.base import pulls
from config.approved import Approved
from server.conversation import Refused
from server.desk.places import Places

BODY: Final = "template"  # where a message's body says which one it is


@dataclass(frozen=True, slots=True)
class Picked:
    """What somebody chose: the template's key and language, and a value for each variable in order."""

    key: str
    language: str
    values: tuple[str, ...] = ()


def words(places: Places, channel: str, account: str, picked: Picked) -> str:
    """What the customer will read, as far as it is known here; raises Refused with what to do."""
    found = _offered(places, channel, account, picked)
    if len(picked.values) != found.variables:
        raise Refused(f"this template takes {found.variables} values, not {len(picked.values)}; fill in each one")
    return found.filled(picked.values)


def body_of(picked: Picked) -> Mapping[str, Any]:
    """What is kept with the message: the choice itself, so that a later change of settings does not change it."""
    return {BODY: {"key": picked.key, "language": picked.language, "values": list(picked.values)}}


def _offered(places: Places, channel: str, account: str, picked: Picked) -> Approved:
    place = places(channel, account) if not pulls(channel) else None
    for each in place.templates() if place is not None else ():
        if (each.key, each.language) == (picked.key, picked.language):
            return each
    raise Refused("this template is not among those of the channel account; reload the conversation")
