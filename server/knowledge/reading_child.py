"""The process that opens strangers' files: it forks for each file, and the fork may use little and reach nothing.

Started with fixed arguments by :class:`server.knowledge.parsing.Reader`. On standard input come requests (4 bytes of
length, JSON, then the file's bytes), on standard output go answers (8 bytes of length, JSON; rows come before it in
parts called ``more``). The process itself never
looks into a file: it loads the libraries, forks, and the fork reads its file from the pipe. Whatever a file does to a
fork, neither this process nor the next file notices; after a fork that died the process ends, so that nothing it left
in the pipe is taken for something else. It imports nothing of the server but the readers of formats.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from server.knowledge.formats.hints import Hints, Read, Unreadable

MIB = 1_048_576
DIED = 70  # exit status after a fork that died
POLITE = 5  # steps of niceness behind the service: nobody waits for a file as one waits for an answer
_OPEN_FILES = 64
_ROWS = 200  # in one part of an answer
_LAST_S = 2  # of processor time between the limit and the end by force
_RECURSION = 3_000  # Python frames, far below what the stack holds
_STACK = 64 * MIB
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_FORMATS: dict[str, tuple[str, str]] = {  # type -> module of formats, function
    "pdf": ("pdf", "read"),
    "docx": ("word", "read"),
    "html": ("page", "read"),
    "table": ("tables", "read"),
    "json": ("tables", "read"),
    "rows": ("tables", "rows"),
    "markdown": ("plain", "read_markdown"),
    "text": ("plain", "read"),
}


def main() -> int:
    """Serve requests until standard input closes; returns the exit status."""
    _end_with_parent()
    os.nice(POLITE)
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)
    _no_network()
    while True:
        head = _read(4)
        if len(head) < struct.calcsize(">I"):
            return 0
        request = json.loads(_read(struct.unpack(">I", head)[0]))
        module, function = _FORMATS[request["type"]]
        formats = importlib.import_module(f"server.knowledge.formats.{module}")
        formats.load()
        gc.collect()
        pid = os.fork()
        if pid == 0:
            _serve(getattr(formats, function), request, answers)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            _answer(answers, {"died": code})
            return DIED


def _serve(read: Any, request: Mapping[str, Any], answers: int) -> NoReturn:
    """Read one file within limits, answer, and never come back."""
    code = 1
    answer: dict[str, Any] = {}
    try:
        _limit(request)
        data = _read(int(request["size"]))
        found: Read = read(data, Hints(**request["hints"]))
        for start in range(0, len(found.rows), _ROWS):
            _answer(answers, {"more": found.rows[start : start + _ROWS]})
        answer = {"title": found.title, "text": found.text}
    except Unreadable as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = {"refused": "memory"}
    except RecursionError:
        answer = {"refused": "the file's parts are nested in each other too deeply; export it again"}
    finally:
        fault = sys.exc_info()[0]
        if fault is not None:  # whatever a library raises for a damaged file
            answer = {"refused": f"the file is damaged ({fault.__name__}); export it again"}
        with contextlib.suppress(OSError, MemoryError):
            _answer(answers, answer)
            code = 0
        os._exit(code)


def _limit(request: Mapping[str, Any]) -> None:
    """Memory, processor time, no files, no children, and gone with the parent."""
    cpu_s = max(1, int(request["cpu_s"]))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _end_with_parent()
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_STACK, _STACK),
        (resource.RLIMIT_AS, int(request["memory_mib"]) * MIB),
        (resource.RLIMIT_CPU, cpu_s),
    ):
        with contextlib.suppress(ValueError, OSError):
            hard = value + _LAST_S if limit == resource.RLIMIT_CPU else value  # below it comes a signal that says why
            resource.setrlimit(limit, (value, hard))
    sys.setrecursionlimit(_RECURSION)


def _end_with_parent() -> None:
    """Be killed when the parent ends, however it ends, and never gain rights."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _no_network() -> None:
    """A network namespace of its own with nothing in it, where the kernel lets us; at start, with one thread."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _read(size: int) -> bytes:
    """That many bytes, fewer when standard input closes."""
    found = bytearray()
    while len(found) < size:
        part = os.read(0, min(size - len(found), MIB))
        if not part:
            break
        found += part
    return bytes(found)


def _answer(answers: int, body: Mapping[str, Any]) -> None:
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    rest = memoryview(struct.pack(">Q", len(text)) + text)
    while rest:
        rest = rest[os.write(answers, rest) :]


if __name__ == "__main__":
    raise SystemExit(main())
