"""Files of sources: a folder walked without following links, and the files that people uploaded."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import shutil
import stat
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Fetched, Frontier, Gone, Known, Unchanged, raw_digest

MOST_FILES = 50_000
NAME_BYTES = 200
_NAME = re.compile(r"[\w][\w .,()+&'@#-]*", re.UNICODE)
_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe's open would wait for its writer


class Uploads:
    """Uploaded files, each source's in a folder of its own below ``root``."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes

    def folder(self, source_id: str) -> Path:
        """Where a source's files lie."""
        if not _ID.fullmatch(source_id):
            raise SourceRefused("no source has such an id")
        return self._root / source_id

    async def put(self, source_id: str, name: str, data: bytes) -> str:
        """Store a file whole or not at all, in place of one of the same name; returns its name.

        Raises SourceRefused.
        """
        name = checked_file_name(name)
        if not data:
            raise SourceRefused("the file is empty")
        if len(data) > self._max_bytes:
            raise SourceRefused(f"the file is larger than {self._max_bytes:,} bytes; split it")
        await asyncio.to_thread(_store, self.folder(source_id), name, data)
        return name

    async def names(self, source_id: str) -> list[str]:
        """The names of a source's files."""
        return [name for name, _ in await asyncio.to_thread(_listed, self.folder(source_id))]

    async def drop(self, source_id: str, name: str) -> bool:
        """Remove a file; False when there was none."""
        path = self.folder(source_id) / checked_file_name(name)
        try:
            await asyncio.to_thread(path.unlink)
        except FileNotFoundError:
            return False
        return True

    async def drop_all(self, source_id: str) -> None:
        """Remove all files of a source."""
        await asyncio.to_thread(shutil.rmtree, self.folder(source_id), ignore_errors=True)


class FilesReader:
    """Reads a folder; a run that was interrupted goes on behind the file it was at."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    async def read(
        self, config: Mapping[str, Any], frontier: Frontier, known: Mapping[str, Known]
    ) -> AsyncIterator[Fetched | Unchanged | Gone | Failed]:
        """Every file that the patterns name, in order of path; raises SourceRefused when there is no folder."""
        root = Path(config["path"] or config["folder"])
        base = await asyncio.to_thread(_address, root, str(config["url"]))
        found = await asyncio.to_thread(_listed, root)
        wanted = [one for one in found if _wanted(one[0], config)]
        if not wanted and known and config["path"]:
            raise SourceRefused(f"{root} holds no documents any more; delete the source if that is meant to be")
        after = str(frontier.get("after", ""))
        for name, problem in wanted:
            if after and name <= after:
                continue
            item = Failed(name, problem) if problem else await self._item(root, name, base, known.get(name))
            frontier["after"] = name
            yield item
        names = {name for name, _ in wanted}
        for uri in known:
            if uri not in names:
                yield Gone(uri, "the file is gone")
        frontier.clear()

    async def _item(self, root: Path, name: str, base: str, known: Known | None) -> Fetched | Unchanged | Failed:
        try:
            body, digest = await asyncio.to_thread(_content_and_digest, root, name, self._max_bytes)
        except SourceRefused as error:
            return Failed(name, str(error))
        if known and known.raw_digest == digest:
            return Unchanged(name)
        return Fetched(name, base.replace("{name}", quote(name)), "", body)


async def contents(place: Path, max_bytes: int) -> list[tuple[str, bytes]]:
    """Name and content of a file, or of all files of a folder; raises SourceRefused."""

    def load() -> list[tuple[str, bytes]]:
        found = []
        for name, problem in _listed(place):
            if problem:
                raise SourceRefused(f"{name}: {problem}")
            found.append((name, _content(place, name, max_bytes)))
        return found

    return await asyncio.to_thread(load)


def checked_file_name(name: str) -> str:
    """A name without folders, as it is stored; raises SourceRefused."""
    name = unicodedata.normalize("NFC", name).strip()
    if not _NAME.fullmatch(name) or len(name.encode()) > NAME_BYTES:
        raise SourceRefused(f"{name[:60]!r} cannot be a file's name here; use letters, digits, blanks, dots and dashes")
    return name


def _store(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = folder / f".{secrets.token_hex(8)}"
    try:
        handle = os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        half.replace(folder / name)
    finally:
        half.unlink(missing_ok=True)


def _listed(root: Path) -> list[tuple[str, str]]:
    """Paths below a folder (a single file: its name) and why one cannot be read; hidden ones are passed over."""
    if root.is_file():
        return [(root.name, "")]
    if not root.is_dir():
        if root.parent.name == "files" and not root.exists():  # nothing uploaded yet
            return []
        raise SourceRefused(f"there is no folder {root}")
    found: list[tuple[str, str]] = []
    for folder, folders, names, handle in os.fwalk(root, follow_symlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(folder).relative_to(root)
        found += [(str(below / name), _problem(name, handle)) for name in names if not name.startswith(".")]
        if len(found) > MOST_FILES:
            raise SourceRefused(f"the folder holds more than {MOST_FILES:,} files; choose one below it")
    return sorted(found)


def _problem(name: str, folder: int) -> str:
    with suppress(FileNotFoundError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return "a symbolic link; put the file itself into the folder"
        if not stat.S_ISREG(mode):
            return "not a file (a pipe, a socket or a device)"
    return ""


def _address(root: Path, url: str) -> str:
    """Where customers read a file, with its name in braces; a single file has the address itself."""
    return f"{url.rstrip('/')}/{{name}}" if url and root.is_dir() else url


def _wanted(name: str, config: Mapping[str, Any]) -> bool:
    def named(patterns: Sequence[str]) -> bool:
        last = name.rpartition("/")[2].lower()
        return any(fnmatch(last, one.lower()) or fnmatch(name.lower(), one.lower()) for one in patterns)

    return named(config["include"]) and not named(config["exclude"])


def _content(root: Path, name: str, max_bytes: int) -> bytes:
    """A file's bytes; no part of its path below ``root`` may be a link, also not one that was put there just now."""
    handles: list[int] = []
    try:
        if root.is_file():
            handles.append(os.open(root, _OPEN))
        else:
            handles.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
            *folders, last = Path(name).parts
            for folder in folders:
                handles.append(os.open(folder, _OPEN | os.O_DIRECTORY, dir_fd=handles[-1]))
            handles.append(os.open(last, _OPEN, dir_fd=handles[-1]))
        return _whole(handles[-1], max_bytes)
    except OSError as error:
        why = "a symbolic link" if error.errno == errno.ELOOP else f"not readable ({error.strerror})"
        raise SourceRefused(f"the file is {why}") from None
    finally:
        for handle in handles:
            os.close(handle)


def _content_and_digest(root: Path, name: str, max_bytes: int) -> tuple[bytes, str]:
    body = _content(root, name, max_bytes)
    return body, raw_digest(body)


def _whole(handle: int, max_bytes: int) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise SourceRefused("not a file (a pipe, a socket or a device)")
    if status.st_size > max_bytes:
        raise SourceRefused(f"the file is larger than {max_bytes:,} bytes; split it")
    with os.fdopen(os.dup(handle), "rb") as file:
        body = file.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise SourceRefused(f"the file is larger than {max_bytes:,} bytes; split it")
    return body
