"""Named points where a crash test may kill or stop this process; free when unused.

``FRONTDESK_CRASH_AT=turn_ended:3`` kills the process with SIGKILL the third time that point is reached;
``turn_generated:1:stop`` stops it with SIGSTOP instead, until somebody continues it.
"""

from __future__ import annotations

import os
import signal

_name, _count, _how = [*os.environ.get("FRONTDESK_CRASH_AT", "").split(":"), "", ""][:3]
_left = int(_count or "1") if _name else 0


def reach(name: str) -> None:
    """Die (or stop) here if the environment asked for it; ``docs/measurements/faults.md`` lists the names in use."""
    global _left  # noqa: PLW0603 - a process-wide countdown is the whole purpose
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGSTOP if _how == "stop" else signal.SIGKILL)
