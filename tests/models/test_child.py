import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.supervised import CHILD_SCRIPT

FAMILY = (  # a command with a helper of its own; prints both process ids
    "import os, subprocess, sys, time\n"
    "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(os.getpid(), helper.pid, flush=True)\n"
    "time.sleep(60)\n"
)
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", str(CHILD_SCRIPT), sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def family(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()]


def alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_passes_the_exit_status_on():
    for code, status in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137), ("pass", 0)):
        with child(code) as process:
            assert process.wait(10) == status


def test_a_missing_command_ends_with_127():
    command = [sys.executable, "-I", str(CHILD_SCRIPT), "/nonexistent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.wait(10) == 127
        assert process.stderr is not None
        assert "cannot start /nonexistent" in process.stderr.read()


def test_sigterm_ends_the_command_and_its_helpers():
    with child(FAMILY) as process:
        pids = family(process)
        process.terminate()
        assert process.wait(10) == 143
        assert gone(pids, 5)


def test_a_closed_pipe_ends_the_command_and_its_helpers():
    with child(FAMILY) as process:
        pids = family(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 143
        assert gone(pids, 5)


def test_a_stubborn_command_is_killed_after_its_grace():
    with child(STUBBORN) as process:
        pids = family(process)
        process.terminate()
        assert process.wait(15) == 137
        assert gone(pids, 5)


def test_the_command_dies_with_a_killed_watcher():
    with child(FAMILY) as process:
        main, _ = family(process)
        os.kill(process.pid, 9)
        assert gone([main], 5)
