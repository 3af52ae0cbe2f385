"""The child itself: its protocol, and what a fork may not do."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.install import ROOT
from server.knowledge.reading_child import DIED

COMMAND = [sys.executable, "-P", "-m", "server.knowledge.reading_child"]
HINTS = {"name": "x", "url": "", "max_pages": 10, "max_ratio": 100, "max_characters": 1_000_000}


def request(data: bytes, kind: str = "text", cpu_s: float = 5.0) -> bytes:
    body = {"type": kind, "size": len(data), "memory_mib": 512, "cpu_s": cpu_s, "hints": HINTS}
    head = json.dumps(body).encode()
    return struct.pack(">I", len(head)) + head + data


def talk(*requests: bytes) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        COMMAND, input=b"".join(requests), capture_output=True, cwd=ROOT, timeout=60, check=False,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    answers, rest = [], done.stdout
    while rest:
        (size,) = struct.unpack(">Q", rest[:8])
        answers.append(json.loads(rest[8 : 8 + size]))
        rest = rest[8 + size :]
    return done.returncode, answers


def test_one_child_reads_many_files_and_ends_with_its_pipe():
    code, answers = talk(request(b"Hello"), request(b"# Hi\n\nyou", "markdown"), request(b"a\0b"))
    assert code == 0
    assert answers[:2] == [
        {"title": "", "text": "Hello"},
        {"title": "Hi", "text": "# Hi\n\nyou"},
    ]
    assert "NUL" in answers[2]["refused"]


def test_rows_come_in_parts():
    code, answers = talk(request(b"a,b\n" + b"1,2\n" * 450, "rows"))
    assert code == 0
    assert [len(part.get("more", [])) for part in answers] == [200, 200, 50, 0]


def test_after_a_fork_that_died_the_child_says_how_and_ends():
    slow = b"<html><body>" + b"<p><b>1</b> word</p>" * 400_000
    code, answers = talk(request(slow, "html", cpu_s=1.0), request(b"Hello"))
    assert (code, answers) == (DIED, [{"died": -signal.SIGXCPU}])


PROGRAM = """
import os, socket, sys
from server.knowledge import reading_child
reading_child._no_network()
reading_child._limit({"cpu_s": 5, "memory_mib": 256})
def attempt(what, act):
    try:
        act()
    except (OSError, MemoryError) as error:
        print(what, type(error).__name__)
    else:
        print(what, "done")
attempt("memory", lambda: bytearray(400_000_000))
attempt("file", lambda: os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b"x"))
attempt("files", lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(100)])
"""
NETWORK = """
import socket, sys
from server.knowledge import reading_child
reading_child._no_network()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2).close()
except OSError as error:
    print(type(error).__name__)
else:
    print("connected")
"""


def program(text: str, argument: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", text, argument], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.splitlines()


def test_a_fork_ends_with_its_parents_parent():
    """kill -9 of the server leaves nothing behind that reads on."""
    slow = b"<html><body>" + b"<p><b>1</b> word</p>" * 800_000
    starter = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({COMMAND!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdin.write(sys.stdin.buffer.read()); child.stdin.flush()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
                          env={"PYTHONPATH": str(ROOT)}) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(request(slow, "html"))
        server.stdin.close()
        pid = int(server.stdout.readline())
        forks = wait_for(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        server.kill()
    for left in (str(pid), *forks):
        wait_for(lambda left=left: gone(left))


def gone(pid: str) -> bool:
    """Whether a process has ended; one that nobody has looked after yet has too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    until = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def test_a_fork_cannot_fill_the_memory_write_files_or_open_many(tmp_path: os.PathLike[str]):
    assert program(PROGRAM, f"{tmp_path}/x") == ["memory MemoryError", "file OSError", "files OSError"]


def test_a_fork_reaches_no_network_where_the_kernel_can_take_it_away():
    unshare = subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True, check=False).returncode
    if unshare and os.getuid():
        pytest.skip("this kernel lets nobody make a network namespace")
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert program(NETWORK, str(server.getsockname()[1])) == ["OSError"]
