"""Secrets that must be read again, sealed with a key that is not in the database: its rows alone open nothing.

The key is ``access.seal_key``, or else the file ``seal.key`` below ``data_dir``, made on first use. The store remembers
which key it was (a digest), so that a gateway with another one says so instead of sealing what its neighbours cannot
open. Without the right key recovery codes still work, and an admin or ``frontdesk user reset-app`` takes apps away.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import importlib
import os
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from config.settings import Access
from server.problems import Problem
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

FILE: Final = "seal.key"  # below data_dir, readable by its owner only
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12  # random: 2**32 values of one key are far away
ID_CHARACTERS: Final = 16  # of the digest that names a key
MARK: Final = "sealed:1:"  # base32 holds no colon, so nothing unsealed looks like this
_KEPT = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}")
NEXT: Final = (
    "Put back the access.seal_key or the seal.key file of data_dir that this desk had (the same at every gateway). "
    "Where it is lost, take each app away: frontdesk user reset-app EMAIL."
)
LOCKED: Final = (
    "The server cannot read the secrets of authenticator apps: their key is missing or another one. "
    "A recovery code works. An admin puts the key back, or takes the app away: frontdesk user reset-app EMAIL."
)


class Cipher(Protocol):
    """Authenticated encryption, as the library offers it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """The sealed bytes; only the same associated data open them."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """The bytes again; raises InvalidTag for anything that was changed."""


@cache
def _library() -> tuple[Any, type[Exception]]:
    """AES-GCM and what it raises; loaded with the first app, because most starts need none of it."""
    cipher = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM
    return cipher, importlib.import_module("cryptography.exceptions").InvalidTag


class Seal:
    """Seals texts of one tenant; the key is found (or made) by :meth:`ready`."""

    def __init__(self, store: Store, tenant: str, access: Access, data_dir: Path) -> None:
        self._store = store
        self._tenant = tenant
        self._configured = access.seal_key.get_secret_value()
        self._path = data_dir / FILE
        self._cipher: Cipher | None = None
        self._tampered: type[Exception] = ValueError  # the library's own, once it is loaded
        self._id = ""

    async def start(self) -> None:
        """What :meth:`ready` does, where somebody has an app; a desk without any makes no key."""
        if (await self._held())["number"]:
            await self.ready()

    async def ready(self) -> bool:
        """Find the key unless it is there, and seal what an older version left open; False where there is no key."""
        if self._cipher is None:
            await self._load()
        return self._cipher is not None

    def sealed(self, text: str, owner: str) -> str:
        """The text as it may be stored for one owner; raises a 503 problem without a key."""
        if self._cipher is None:
            raise locked()
        nonce = secrets.token_bytes(NONCE_BYTES)
        data = nonce + self._cipher.encrypt(nonce, text.encode(), self._bound(owner))
        return f"{MARK}{self._id}:{base64.urlsafe_b64encode(data).decode()}"

    def opened(self, stored: str, owner: str) -> str | None:
        """The text again; None where the key is missing, or is not the one it was sealed with."""
        key_id, _, text = stored.removeprefix(MARK).partition(":")
        if self._cipher is None or not stored.startswith(MARK) or key_id != self._id:
            return None
        try:
            data = base64.urlsafe_b64decode(text)
            return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], self._bound(owner)).decode()
        except (ValueError, self._tampered) as error:
            log.warning("sealed_value_damaged", error=type(error).__name__, next="frontdesk user reset-app EMAIL")
            return None

    async def check(self, tx: Tx) -> None:
        """Raise a 503 problem inside a unit that is about to store something, when the desk's key is another one."""
        row = await tx.row("conversations.secret", name=self._name)
        if row is None or row["value"] != self._id:
            raise locked()

    @property
    def _name(self) -> str:
        return f"seal:{self._tenant}"

    def _bound(self, owner: str) -> bytes:
        """Whose value it is: a row copied to somebody else does not open."""
        return f"{self._tenant}\n{owner}".encode()

    async def _held(self) -> Row:
        return await self._store.row("second.held", tenant=self._tenant) or {"number": 0, "sealed": 0}

    async def _load(self) -> None:
        apps = int((await self._held())["sealed"])
        told: dict[str, Any] = {"apps": apps, "file": "" if self._configured else str(self._path), "next": NEXT}
        try:
            key = await asyncio.to_thread(self._key, apps == 0)
        except (OSError, ValueError) as error:
            key, told["error"] = None, str(error)
        if key is None:
            log.error("seal_key_missing", **told)
            return
        cipher, self._tampered = await asyncio.to_thread(_library)
        self._cipher, self._id = cipher(key), hashlib.sha256(b"seal id\n" + key).hexdigest()[:ID_CHARACTERS]
        if not await self._store.write(self._agreed):
            log.error("seal_key_differs", **told)
            self._cipher, self._id = None, ""

    def _key(self, may_make: bool) -> bytes | None:  # noqa: FBT001 - private, and handed to a thread
        """The configured key, or the file's, or a new one where nothing is sealed yet."""
        if self._configured:
            return hashlib.sha256(f"frontdesk seal\n{self._configured}".encode()).digest()
        with contextlib.suppress(FileNotFoundError):
            return _read(self._path)
        return _made(self._path) if may_make else None

    async def _agreed(self, tx: Tx) -> bool:
        """Whether this is the desk's key; it becomes that while nothing is sealed with another one."""
        if not await self._named(tx):
            return False
        for left in await tx.rows("second.unsealed", tenant=self._tenant):
            await tx.run(
                "second.seal", person_id=left["person_id"], secret=left["secret"],
                sealed=self.sealed(left["secret"], left["person_id"]),
            )  # fmt: skip
        return True

    async def _named(self, tx: Tx) -> int:
        row = await tx.row("conversations.secret", name=self._name)
        if row is None:  # of two that name one at the same time the second changes nothing
            return await tx.run("conversations.make_secret", name=self._name, value=self._id, now=tx.now_s)
        if row["value"] == self._id:
            return 1
        held = await tx.row("second.held", tenant=self._tenant)
        if held is None or held["sealed"]:
            return 0
        return await tx.run("second.rename_key", name=self._name, value=self._id, old=row["value"])


def locked() -> Problem:
    """A 503 for whoever needs a secret that cannot be opened."""
    return Problem(503, "Key missing", LOCKED, more={"code": "seal_key"})


def _read(path: Path) -> bytes:
    text = path.read_text(encoding="ascii").strip()
    if not _KEPT.fullmatch(text):
        raise ValueError("the file does not hold a key of this program")
    return bytes.fromhex(text)


def _made(path: Path) -> bytes:
    """A new key in its file; of several processes that make one at the same time all get the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # unlike a rename this never replaces a key that is in use
    finally:
        draft.unlink()
    return _read(path)
