"""The adapters that may be served, as folders named by their content: written once, never changed, never reused.

Errors::

    BadAdapter     it breaks rules of models/adapter_check.py, or changed since it was put; ``faults`` holds them all
    LookupError    no adapter of that name
    OSError        the disk
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog

from models.adapter_check import (
    CARD,
    CONFIG,
    LIMITS,
    MANIFEST,
    WEIGHTS,
    Fault,
    check,
    file_digest,
    listing_faults,
    open_folder,
    opened,
    table,
)
from models.base_identity import BaseIdentity

log = structlog.get_logger()

TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
NAME = re.compile(r"(?P<tenant>[a-z0-9][a-z0-9_-]{0,39})-(?P<digest>[0-9a-f]{12})", re.ASCII)
COPY_BYTES = 1 << 20
STALE_S = 86_400.0  # a scratch folder this old was left by a killed process


class BadAdapter(Exception):
    """An adapter that must not be loaded; says every reason."""

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"the adapter {name} cannot be served: " + "; ".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Adapter:
    """One served version: ``digest`` is the whole content digest in hex, of which the name carries twelve digits."""

    name: str
    tenant: str
    path: Path
    digest: str
    manifest: Mapping[str, Any]


def content_digest(digests: Mapping[str, str]) -> str:
    """The sha256 in hex over names and sha256s of the two files that are served, sorted by name."""
    lines = "".join(f"{name}:{digests[name]}\n" for name in sorted((CONFIG, WEIGHTS)))
    return hashlib.sha256(lines.encode()).hexdigest()


def write_manifest(folder: Path, base: BaseIdentity, **more: object) -> dict[str, object]:
    """Describe a freshly written adapter folder in its manifest.json: the base it was made for, and its files."""
    with _folder(folder) as open_one:
        names = [name for name in (CONFIG, WEIGHTS, CARD) if (folder / name).is_file()]
        files = {name: file_digest(open_one, name) for name in names}
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    made_for = {"name": base.name, **base.digests}
    manifest = {"rank": config.get("r"), "alpha": config.get("lora_alpha"), "created_at": time.time(), **more}
    manifest |= {"base": made_for, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


class Adapters:
    """The registry below one folder, which replicas may share; methods read and write files, so use a thread."""

    def __init__(self, folder: Path, base: BaseIdentity, *, max_rank: int) -> None:
        self._folder = folder.absolute()
        self._base = base
        self._max_rank = max_rank

    def put(self, source: Path, tenant: str) -> Adapter:
        """Copy, check and publish an adapter; the same content again is the same adapter. Raises BadAdapter."""
        if not TENANT.fullmatch(tenant):
            raise BadAdapter(source.name, [Fault("name", f"{tenant[:60]!r} is not a tenant's short name")])
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        scratch = self._folder / f".put-{uuid4().hex}"
        scratch.mkdir(mode=0o755)
        try:
            _copy(source, scratch)
            faults = check(scratch, self._base, max_rank=self._max_rank)
            if faults:
                log.warning("adapter_refused", tenant=tenant, kinds=sorted({fault.kind for fault in faults}))
                raise BadAdapter(source.name, faults)
            digest = _digest_of(scratch)
            adapter = self._publish(scratch, f"{tenant}-{digest[:12]}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        log.info("adapter_stored", adapter=adapter.name)
        return adapter

    def _publish(self, scratch: Path, name: str) -> Adapter:
        target = self._folder / name
        with contextlib.suppress(OSError):  # not empty: it is there, from an earlier or a simultaneous put
            scratch.rename(target)
            _sync(self._folder)
        try:
            return self.get(name)
        except BadAdapter:  # damaged on disk: the good copy takes its place
            aside = self._folder / f".removed-{name}-{uuid4().hex}"
            target.rename(aside)
            scratch.rename(target)
            _sync(self._folder)
            shutil.rmtree(aside, ignore_errors=True)
            return self.get(name)

    def get(self, name: str) -> Adapter:
        """The adapter of that name, its files hashed again. Raises LookupError, and BadAdapter when they changed."""
        match = NAME.fullmatch(name)
        if match is None:
            raise LookupError(f"{name[:80]!r} is not the name of an adapter")
        path = self._folder / name
        try:
            with _folder(path) as folder:
                faults = listing_faults(folder)
                manifest, unreadable = table(folder, MANIFEST) if not faults else ({}, [])
        except (FileNotFoundError, NotADirectoryError) as error:
            raise LookupError(f"there is no adapter {name}") from error
        digest = "" if faults else _digest_of(path)
        faults += unreadable
        if not faults and digest[:12] != match["digest"]:
            faults.append(Fault("digest", "its files are not those that it was named by"))
        if faults:
            raise BadAdapter(name, faults)
        return Adapter(name, match["tenant"], path, digest, manifest)

    def names(self) -> list[str]:
        """Names of every adapter here, sorted; nothing is hashed."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir())
        except FileNotFoundError:
            return []

    def remove(self, name: str) -> None:
        """Delete an adapter that no server has loaded: servers read folders again later. Raises LookupError."""
        if not NAME.fullmatch(name) or not (self._folder / name).is_dir():
            raise LookupError(f"there is no adapter {name[:80]!r}")
        aside = self._folder / f".removed-{name}-{uuid4().hex}"
        (self._folder / name).rename(aside)  # at once gone from names(), also when deleting is interrupted
        _sync(self._folder)
        shutil.rmtree(aside)
        log.info("adapter_removed", adapter=name)

    def _remove_leftovers(self) -> None:
        for path in (*self._folder.glob(".put-*"), *self._folder.glob(".removed-*")):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_S:
                    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    folder = open_folder(path)
    try:
        yield folder
    finally:
        os.close(folder)


def _digest_of(path: Path) -> str:
    with _folder(path) as folder:
        return content_digest({name: file_digest(folder, name) for name in (CONFIG, WEIGHTS)})


def _copy(source: Path, target: Path) -> None:
    """Copy the known files of a folder, none of them through a link or beyond its limit. Raises BadAdapter."""
    try:
        with _folder(source) as folder:
            faults = listing_faults(folder)
            if faults:
                raise BadAdapter(source.name, faults)
            for name in (CONFIG, WEIGHTS, MANIFEST, *((CARD,) if (source / CARD).exists() else ())):
                _copy_file(folder, name, target / name)
    except OSError as error:
        if error.filename is not None and str(error.filename).startswith(str(target)):
            raise
        raise BadAdapter(source.name, [Fault("missing", f"it cannot be read: {error.strerror or error}")]) from error
    _sync(target)


def _copy_file(folder: int, name: str, target: Path) -> None:
    left = LIMITS[name]
    with opened(folder, name) as file, target.open("xb") as output:
        while piece := os.read(file, COPY_BYTES):
            left -= len(piece)
            if left < 0:
                raise BadAdapter(name, [Fault("size", f"{name} is larger than {LIMITS[name]} bytes")])
            output.write(piece)
        output.flush()
        os.fsync(output.fileno())
    target.chmod(0o644)  # a model server may run as another user


def _sync(folder: Path) -> None:
    with _folder(folder) as open_one:
        os.fsync(open_one)
