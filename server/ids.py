"""Identifiers: time-ordered, unguessable, never sequential."""

from __future__ import annotations

import os
import time

_VERSION_7 = 0x7
_VARIANT = 0b10
_TAIL_BYTES = 10
_TAILS = 256  # drawn at once: asking the kernel for each id gives up the interpreter's lock each time
_drawn: list[bytes] = []  # list.pop is atomic, so two threads never get the same one
os.register_at_fork(after_in_child=_drawn.clear)


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, 74 random bits, so indexes stay local and ids stay secret."""
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    tail = int.from_bytes(_tail(), "big") & (1 << 74) - 1
    high, low = tail >> 62, tail & (1 << 62) - 1
    text = f"{milliseconds << 80 | _VERSION_7 << 76 | high << 64 | _VARIANT << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _tail() -> bytes:
    try:
        return _drawn.pop()
    except IndexError:
        fresh = os.urandom(_TAIL_BYTES * _TAILS)
        parts = [fresh[at : at + _TAIL_BYTES] for at in range(0, len(fresh), _TAIL_BYTES)]
        _drawn.extend(parts[1:])
        return parts[0]
