"""How often somebody may try to sign in: a window per address and per email, then growing pauses.

Counted in the store, so that all gateways of a desk count together; a store that is away lets nobody try. Addresses and
emails are kept as digests, for about an hour after the last try.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from server.auth.tokens import fingerprint
from server.problems import too_many
from server.store.contract import Row, Store, StoreError, Tx

WINDOW_S: Final = 60.0
LONGEST_PAUSE_S: Final = 900.0
FORGET_S: Final = 3_600.0  # strikes fade after an hour without trouble
SWEEP_S: Final = 600.0  # how often a process looks for rows to forget
IPV6_SITE_BITS: Final = 64  # one subscriber owns a whole /64, so it counts as one address


@dataclass(frozen=True, slots=True)
class Count:
    """The tries of one key; times are epoch seconds."""

    started_s: float
    tries: int = 0
    strikes: int = 0
    locked_until_s: float = 0.0


def counted(count: Count, now: float, per_minute: int) -> tuple[Count, float]:
    """A count after one more try, and the seconds to wait (0: this try is allowed)."""
    if now - max(count.started_s, count.locked_until_s) > FORGET_S:
        count = Count(now)
    if now < count.locked_until_s:
        return count, _wait_s(count.locked_until_s, now)
    if now - count.started_s >= WINDOW_S:
        count = replace(count, started_s=now, tries=0)
    if count.tries < per_minute:
        return replace(count, tries=count.tries + 1), 0.0
    pause_s = min(WINDOW_S * float(2**count.strikes), LONGEST_PAUSE_S)
    return Count(now + pause_s, 0, count.strikes + 1, now + pause_s), pause_s


class Attempts:
    """Counts one tenant's tries; ``per_minute`` are free, each further window doubles the pause.

    ``clock`` is epoch seconds and must be about the same at every gateway.
    """

    def __init__(self, store: Store, tenant: str, per_minute: int, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._tenant = tenant
        self._per_minute = per_minute
        self._clock = clock
        self._swept_s = clock()

    async def take(self, *keys: str) -> None:
        """Count one try against each key before any work is done; raises a 429 problem with Retry-After.

        Keys are asked in order and the first that is locked ends it, so a blocked address cannot lock people out.
        Raises StoreUnavailable when nothing can be counted: whoever asks must not go on.
        """
        now, digests = self._clock(), [self._digest(key) for key in keys]
        wait_s = await self._locked_s(digests[0], now)  # a blocked address costs a read, no commit
        if wait_s <= 0:
            await self._sweep(now)
            wait_s = await self._counted(digests, now)
        if wait_s > 0:
            raise too_many(wait_s, "Too many attempts. Wait for the time in Retry-After, then try again.")

    async def locked_s(self, keys: Sequence[str]) -> list[float]:
        """Seconds each key still has to wait; looking counts for nothing."""
        now = self._clock()
        rows = await self._store.rows("attempts.locked", tenant=self._tenant, now=now)
        until = {row["key_hash"]: row["locked_until"] for row in rows}
        return [_wait_s(until.get(self._digest(key), 0.0), now) for key in keys]

    async def forgive(self, key: str) -> None:
        """Forget a key after a success; a store that is away keeps it, and the success counts all the same."""
        digest = self._digest(key)

        async def unit(tx: Tx) -> None:
            await tx.run("attempts.forgive", key_hash=digest)

        with suppress(StoreError):
            await self._store.write(unit, order=digest)

    async def _counted(self, digests: Sequence[str], now: float) -> float:
        async def unit(tx: Tx) -> float:
            for digest in digests:
                wait_s = await self._try(tx, digest, now)
                if wait_s > 0:
                    return wait_s
            return 0.0

        return await self._store.write(unit, order=digests[-1])

    async def _try(self, tx: Tx, digest: str, now: float) -> float:
        await tx.run("attempts.open", key_hash=digest, tenant=self._tenant, now=now)
        row = await tx.row("attempts.count", key_hash=digest)
        count, wait_s = counted(_count(row, now), now, self._per_minute)
        await tx.run(
            "attempts.keep", key_hash=digest, started_at=count.started_s, tries=count.tries, strikes=count.strikes,
            locked_until=count.locked_until_s,
        )  # fmt: skip
        return wait_s

    async def _locked_s(self, digest: str, now: float) -> float:
        row = await self._store.row("attempts.locked_until", key_hash=digest)
        return _wait_s(row["locked_until"], now) if row is not None else 0.0

    async def _sweep(self, now: float) -> None:
        """Forget what is old, once in a while."""
        if now - self._swept_s < SWEEP_S:
            return
        self._swept_s = now

        async def unit(tx: Tx) -> None:
            await tx.run("attempts.sweep", since=now - FORGET_S)

        await self._store.write(unit)

    def _digest(self, key: str) -> str:
        """What is kept of a key; no address can be read from it, though one that is guessed can be recognised."""
        return fingerprint(f"attempt\n{self._tenant}\n{key}")


def _count(row: Row | None, now: float) -> Count:
    if row is None:
        return Count(now)
    return Count(row["started_at"], row["tries"], row["strikes"], row["locked_until"])


def _wait_s(until: float, now: float) -> float:
    """Never longer than the longest pause, also where a clock was set back."""
    return min(max(0.0, until - now), LONGEST_PAUSE_S)


def address_key(ip: str) -> str:
    """The key of a client address; an IPv6 address counts as its /64."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "ip:unknown"
    if address.version == 4:  # noqa: PLR2004 - the protocol's own number
        return f"ip:{address}"
    return f"ip:{ipaddress.ip_network((address, IPV6_SITE_BITS), strict=False)}"


def email_key(email: str) -> str:
    """The key of an email address as the store spells it."""
    return f"email:{email}"
