"""The contract of a channel.

    ChannelError
    └── Rejected     the request is not acceptable: nothing was stored, ``status`` and ``reason`` say why

Inbound work is two steps so that the second stays pure: *verify* on the raw request, then ``normalize(payload)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from channels.message import Inbound


class ChannelError(Exception):
    """Root of what channels raise on purpose."""


class Rejected(ChannelError):
    """The request is not acceptable and nothing was stored; ``status`` is the HTTP status to answer with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform can carry; the engine and the sender read it instead of asking which channel it is.

    ``text_units`` counts ``unit``; ``edit_interval_s`` is the shortest time between edits of a shown draft, None when
    the platform shows an answer once; ``pull`` means customers fetch committed events themselves (no send).
    """

    text_units: int
    unit: str  # "bytes" | "characters" | "utf16"
    edit_interval_s: float | None
    pull: bool = False


class Channel(Protocol):
    """One configured account of one platform."""

    name: str
    account: str
    limits: Limits

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> list[Inbound]:
        """Turn a verified payload into messages; pure, raises Rejected for a payload the platform cannot have sent."""
