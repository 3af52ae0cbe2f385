"""What guarded HTTP gives back.

Errors::

    EgressError
    ├── EgressRefused   the address may not be called; nothing was sent to it
    └── EgressFailed    the address was tried and gave no usable answer; a later try may go better
        └── TooLarge    the answer is larger than allowed, packed or unpacked
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class EgressError(Exception):
    """Root of what guarded HTTP raises; ``reason`` names hosts and figures, never a path, a query or a body."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EgressRefused(EgressError):
    """The address may not be called; nothing was sent to it."""


class EgressFailed(EgressError):
    """No usable answer came; with ``sent`` the other side may have acted on the call, without it never saw it."""

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.sent = sent


class TooLarge(EgressFailed):
    """The answer is larger than allowed, packed or unpacked."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of any status; ``url`` is the address that gave it and ``headers`` have lower-case names.

    ``body`` is unpacked; it is empty where the caller did not accept the type (``skipped``).
    """

    status: int
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    skipped: bool = False

    @property
    def mime(self) -> str:
        """The claimed type without its parameters, in lower case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()
