"""Runs a command so that nothing of it outlives the process that started it.

``python child.py COMMAND ARGUMENT…`` starts the command in a process group of its own and passes its exit status on.
The group is ended (SIGTERM, then SIGKILL) on SIGTERM, and when standard input closes: the starter keeps its end of
that pipe open for as long as it lives, so even kill -9 of the starter leaves no orphan. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

POLL_S = 0.25
GRACE_S = 8.0  # between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run the command to its end, or end it; returns its exit status, 128 + n after signal n."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    own_pid = os.getpid()
    pid = os.fork()  # one thread only: forking is safe, and the child needs calls between fork and exec
    if pid == 0:
        _become(command, own_pid)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    kill_at = float("inf")
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _signal_group(pid, signal.SIGKILL)  # helpers it may have left behind
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        readable, _, _ = select.select([0], [], [], POLL_S) if not stopping else select.select([], [], [], POLL_S)
        stopping = stopping or (bool(readable) and not os.read(0, 4_096))
        if stopping and kill_at == float("inf"):
            kill_at = time.monotonic() + GRACE_S
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if time.monotonic() >= kill_at:
            _signal_group(pid, signal.SIGKILL)


def _become(command: list[str], parent: int) -> None:
    """Turn the forked child into the command; it dies with its parent even when that is killed outright."""
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        if os.getppid() == parent:
            os.execvp(command[0], command)  # noqa: S606 - a fixed argument list, no shell
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error}\n".encode())
    os._exit(127)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
