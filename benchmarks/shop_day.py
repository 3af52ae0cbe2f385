"""Sets a benchmark's wall clock to the demo shop's day, Monday 2026-11-02, 09:00 UTC; import it before the product.

Only where a benchmark is the program that runs: a test that imports one of its parts keeps its own clock. The frozen
requests say "tomorrow" and name dates of that month, so the desk that answers them has to live there. Only
``time.time`` moves; deadlines run on the monotonic clock.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

DAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

_real = time.time
_offset_s = DAY.timestamp() - _real()


def _shifted() -> float:
    return _real() + _offset_s


_program = sys.modules["__main__"].__spec__
if _program is not None and _program.name.startswith("benchmarks."):
    time.time = _shifted
