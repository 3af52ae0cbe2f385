"""Named points where a crash test may kill this process; free when unused.

``FRONTDESK_CRASH_AT=turn_committed:3`` kills the process with SIGKILL the third time that point is reached.
"""

from __future__ import annotations

import os
import signal

_name, _, _count = os.environ.get("FRONTDESK_CRASH_AT", "").partition(":")
_left = int(_count or "1") if _name else 0


def reach(name: str) -> None:
    """Die here if the environment asked for it; the names in use are listed in ``docs/measurements/faults.md``."""
    global _left  # noqa: PLW0603 - a process-wide countdown is the whole purpose
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
