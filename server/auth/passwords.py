"""Argon2id away from the event loop, a bounded number at a time, equally slow for unknown people."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.problems import Problem

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1_024
AT_ONCE = 2  # hashings in parallel: each takes argon2_memory_kib of memory and a core
WAITING = 64  # sign-ins that may wait for a turn; more are an attack
SALT_BYTES, HASH_BYTES = 16, 32
BUSY_RETRY_S = 5


def password_fault(password: str, email: str) -> str:
    """Why a password is refused, or an empty string when it is fine."""
    if len(password) < MIN_CHARACTERS:
        return f"must have at least {MIN_CHARACTERS} characters; a few unrelated words are easy to remember"
    if len(password) > MAX_CHARACTERS:
        return f"must have at most {MAX_CHARACTERS} characters"
    lowered, address = password.casefold(), email.casefold()
    if lowered in {address, address.partition("@")[0]}:
        return "must not be the email address"
    if len(set(password)) == 1:
        return "must not be one character repeated"
    return ""


class Passwords:
    """Hashes and checks passwords; ``memory_kib`` is Argon2's memory per hashing, ``waiting`` the longest queue."""

    def __init__(self, memory_kib: int, *, waiting: int = WAITING) -> None:
        self._most_waiting = waiting
        self._hasher = PasswordHasher(memory_cost=memory_kib, hash_len=HASH_BYTES, salt_len=SALT_BYTES)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = self._hash_of_nobody()

    def _hash_of_nobody(self) -> str:
        """A hash with our parameters that no password fits, so that unknown people cost the same time."""
        salt, digest = (_base64(secrets.token_bytes(size)) for size in (SALT_BYTES, HASH_BYTES))
        hasher = self._hasher
        parameters = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        return f"$argon2id$v=19${parameters}${salt}${digest}"

    async def hash(self, password: str) -> str:
        """The encoded Argon2id hash of a new password."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits; None (nobody has this address) takes the same time and is never true."""
        async with self._turn():
            fits = await asyncio.to_thread(self._verify, password_hash or self._nobody, password)
        return fits and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the few places where hashing may run; raises a 503 problem when too many wait already."""
        if self._waiting >= self._most_waiting:
            detail = f"Too many people are signing in right now; try again in {BUSY_RETRY_S} s."
            raise Problem(503, "Busy", detail, headers={"Retry-After": str(BUSY_RETRY_S)})
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")
