"""The whole machine for one test at a time: a lock between xdist's workers, which tests beside it wait for.

A model server takes every core; a neighbour on one of them makes each of its thousand parallel steps wait for the
other, so that it answers five to ten times later. Whoever waits for the whole machine keeps later comers waiting too.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(run: str, *, whole: bool, folder: Path | None = None) -> Iterator[None]:
    """Hold a place on the machine, or the ``whole`` of it, among the workers of the test run named ``run``."""
    place = folder or Path(tempfile.gettempdir())
    with (place / f"frontdesk-{run}.gate").open("a") as gate, (place / f"frontdesk-{run}.lock").open("a") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if whole else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def run_of() -> str:
    """The name of this run of several workers; empty in a run of one."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
