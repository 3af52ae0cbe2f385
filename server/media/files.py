"""Stored files: written whole or not at all, found by id only, and shown to the outside for minutes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

ADDRESS_S = 900.0  # how long an address given to a platform works
UNFINISHED_S = 3_600.0  # a file without a row, or a half one, is an orphan after this
BUFFER_BYTES = 1_048_576  # gathered before a thread writes it
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
_MAC_BYTES = 16


class Missing(Exception):
    """There is no stored file of this id; it was refused, could not be fetched, or was removed."""


class Files:
    """Files below ``root``, each at ``<last two characters of its id>/<id>``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, file_id: str) -> Path:
        """Where a file lies; raises Missing for ids that could leave the folder."""
        if not _ID.fullmatch(file_id):
            raise Missing("no file has such an id")
        return self.root / file_id[-2:].lower() / file_id

    def relative(self, file_id: str) -> str:
        """The same inside ``root``, as it is stored."""
        return str(self.place(file_id).relative_to(self.root))

    async def read(self, file_id: str) -> bytes:
        """A file's whole content; raises Missing."""
        try:
            return await asyncio.to_thread(self.place(file_id).read_bytes)
        except FileNotFoundError:
            raise Missing("the file is not on this machine's disk") from None

    def _all(self) -> Iterator[Path]:
        for folder in sorted(self.root.glob("??")):
            yield from sorted(folder.iterdir())

    async def sweep(self, known: Callable[[str], Awaitable[bool]], now_s: float) -> int:
        """Remove files whose row is gone and what was never finished; returns how many."""
        removed = 0
        for path in await asyncio.to_thread(lambda: list(self._all())):
            with suppress(FileNotFoundError):
                old = path.stat().st_mtime < now_s - UNFINISHED_S
                if old and not await known(path.name):
                    path.unlink()
                    removed += 1
        return removed


class Incoming:
    """A file being written: nobody sees it before :meth:`keep`, and :meth:`drop` leaves nothing behind."""

    def __init__(self, target: Path) -> None:
        self.size_bytes = 0
        self.head = b""
        self._target = target
        self._half = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        self._buffer = bytearray()
        self._file: int | None = None

    async def add(self, chunk: bytes, head_bytes: int) -> None:
        """Append a chunk; the first ``head_bytes`` are kept in ``head``. Raises OSError when the disk is full."""
        self.size_bytes += len(chunk)
        if len(self.head) < head_bytes:
            self.head += bytes(chunk[: head_bytes - len(self.head)])
        self._buffer += chunk
        if len(self._buffer) >= BUFFER_BYTES:
            await asyncio.to_thread(self._flush)

    async def keep(self) -> None:
        """Make it durable under its name, readable by this user only; raises OSError."""
        await asyncio.to_thread(self._keep)

    async def drop(self) -> None:
        """Forget it, unless it was kept."""
        await asyncio.to_thread(self._drop)

    def _flush(self) -> None:
        if self._file is None:
            self._half.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self._half, flags, 0o600)
        rest = memoryview(bytes(self._buffer))
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._buffer.clear()

    def _keep(self) -> None:
        self._flush()
        assert self._file is not None
        os.fsync(self._file)
        self._close()
        self._half.replace(self._target)
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _drop(self) -> None:
        self._close()
        self._half.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Addresses:
    """Short-lived public addresses of stored files, for platforms that fetch what they send themselves.

    ``key`` gives the signing key of file addresses once it is loaded; ``public_url`` empty means no address at all.
    """

    def __init__(self, key: Callable[[], bytes], public_url: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def url(self, file_id: str) -> str:
        """An address that works for ADDRESS_S seconds, empty without a public address."""
        return f"{self._public_url}/media/{self.token(file_id)}" if self._public_url else ""

    def token(self, file_id: str) -> str:
        """The signed last part of that address."""
        body = f"{file_id}.{int(self._clock() + ADDRESS_S)}"
        return f"{body}.{self._sign(body)}"

    def file_id(self, token: str) -> str | None:
        """The file a token opens right now; None for a forged or expired one."""
        body, _, mac = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(self._sign(body), mac):
            return None
        file_id, _, until = body.rpartition(".")
        return file_id if self._clock() < int(until) else None

    def _sign(self, body: str) -> str:
        mac = hmac.new(self._key(), body.encode(), hashlib.sha256).digest()[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
