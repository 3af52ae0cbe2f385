"""Processes that share one SQLite file: who is alive, and notifications between them.

Both live in ``<database>.bus/``: a lock file per process (the kernel drops the lock when the process ends, also by
kill -9) and a datagram socket per process.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog

log = structlog.get_logger()

_SEPARATOR = "\x1f"
_DATAGRAM_BYTES = 65_536
_FOLDER_MODE = 0o700


def new_worker_id() -> str:
    """An id no other process ever had; safe as a file name."""
    host = "".join(letter for letter in socket.gethostname() if letter.isalnum() or letter == "-")[:24]
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


class Presence:
    """A lock file that is locked as long as this process lives."""

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._folder = folder
        self._worker_id = worker_id
        self._file: int | None = None

    def open(self) -> None:
        """Create and lock the file; it appears under its name only once it is locked."""
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        hidden = self._folder / f".{self._worker_id}.lock"
        self._file = os.open(hidden, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(self._path(self._worker_id))
        self.others()  # removes the files of processes that were killed

    def close(self) -> None:
        """Remove the file: from now on this worker is gone."""
        if self._file is not None:
            self._path(self._worker_id).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def dead(self, holders: Sequence[str]) -> list[str]:
        """The holders whose lock is free; a missing file is a process that ended in order."""
        return [holder for holder in holders if holder != self._worker_id and not self._alive(holder)]

    def others(self) -> list[str]:
        """Worker ids of the other live processes of this folder."""
        names = [path.name.removesuffix(".lock") for path in self._folder.glob("[!.]*.lock")]
        return [name for name in names if name != self._worker_id and self._alive(name)]

    def _alive(self, holder: str) -> bool:
        path = self._path(holder)
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        path.unlink(missing_ok=True)
        return False

    def _path(self, holder: str) -> Path:
        return self._folder / f"{Path(holder).name}.lock"


class Bus:
    """Datagrams between the processes of one database file; lost ones are made good by polling."""

    def __init__(self, folder: Path, worker_id: str, receive: Callable[[Iterable[tuple[str, str]]], None]) -> None:
        self._folder = folder
        self._name = f"{worker_id}.sock"
        self._receive = receive
        self._socket: socket.socket | None = None
        self._directory = -1
        self._peers: list[str] = []
        self._listed_ns = -1

    def open(self) -> None:
        """Bind this process's socket and read it in the running loop."""
        self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self._address(self._name))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Stop reading and remove the socket."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            (self._folder / self._name).unlink(missing_ok=True)
            os.close(self._directory)

    def send(self, notices: Iterable[tuple[str, str]]) -> None:
        """Send to every other process; a full peer loses it, a socket nobody reads is removed."""
        if self._socket is None:
            return
        peers = self._current_peers()
        if not peers:
            return
        for topic, payload in notices:
            datagram = f"{topic}{_SEPARATOR}{payload}".encode()
            for peer in peers:
                self._send_one(self._socket, datagram, peer)

    def _send_one(self, out: socket.socket, datagram: bytes, peer: str) -> None:
        try:
            out.sendto(datagram, self._address(peer))
        except (ConnectionRefusedError, FileNotFoundError):
            (self._folder / peer).unlink(missing_ok=True)
            self._listed_ns = -1
        except OSError as error:
            log.debug("bus_dropped", peer=peer, error=str(error))

    def _current_peers(self) -> list[str]:
        changed_ns = os.fstat(self._directory).st_mtime_ns
        if changed_ns != self._listed_ns:
            self._peers = [path.name for path in self._folder.glob("*.sock") if path.name != self._name]
            self._listed_ns = changed_ns
        return self._peers

    def _address(self, name: str) -> str:
        # A socket path may hold 107 bytes; through the open folder any database path fits.
        return f"/proc/self/fd/{self._directory}/{name}"

    def _readable(self) -> None:
        received: list[tuple[str, str]] = []
        with contextlib.suppress(BlockingIOError):
            while self._socket is not None:
                topic, _, payload = self._socket.recv(_DATAGRAM_BYTES).decode(errors="replace").partition(_SEPARATOR)
                received.append((topic, payload))
        self._receive(received)
