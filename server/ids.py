"""Identifiers: time-ordered, unguessable, never sequential."""

from __future__ import annotations

import secrets
import time
import uuid

_VERSION_7 = 0x7
_VARIANT = 0b10


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, 74 random bits, so indexes stay local and ids stay secret."""
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    tail = secrets.randbits(74)
    high, low = tail >> 62, tail & (1 << 62) - 1
    return str(uuid.UUID(int=milliseconds << 80 | _VERSION_7 << 76 | high << 64 | _VARIANT << 62 | low))
