"""Which release a new case gets: a stable draw by the conversation's id, without io and without memory."""

from __future__ import annotations

import hashlib

_BITS = 53  # what a float holds, so that no position rounds up to 1


def position(conversation_id: str, salt: str) -> float:
    """Where a conversation stands between 0 (included) and 1; ``salt`` makes each trial a draw of its own."""
    drawn = hashlib.sha256(f"{salt}:{conversation_id}".encode()).digest()[:8]
    return (int.from_bytes(drawn, "big") >> (64 - _BITS)) / (1 << _BITS)


def choose(conversation_id: str, live: str, canary: str, share: float, salt: str = "") -> str:
    """The live release's id, or the canary's for a ``share`` (0 to 1) of conversations.

    Raising the share only adds conversations: whoever was on the canary stays there.
    """
    return canary if position(conversation_id, salt or canary) < share else live
