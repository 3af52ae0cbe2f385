"""Whether the store answers: work that platforms wait for is bounded in time, and refused at once while it is away.

A database that is gone refuses; one that is stopped (or behind a dead network) keeps silent. Both must give a platform
its 503 while its own time-out has not passed. After the first such failure the store counts as away until a ping
comes through, so that later requests do not wait for it one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from server.store.contract import Store, StoreError, StoreUnavailable

log = structlog.get_logger()

LIMIT_S = 2.0  # Slack hangs up after 3 s; a commit takes milliseconds
PROBE_S = 0.2  # between pings while the store is away
PROBE_LIMIT_S = 5.0  # one ping may hang as long as the database does; then the next one asks anew


class Pulse:
    """Watches one store by what happens to the work given to it; no io of its own while all is well."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Callable[[], None]] = []
        self._probe: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether the last thing we know of the store is that it does not answer."""
        return self._probe is not None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` each time the store has come back."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def bounded(self, limit_s: float = LIMIT_S) -> AsyncIterator[None]:
        """Run a block of store work within ``limit_s``; raises StoreUnavailable when it is away or too slow.

        What was under way when the time ran out may still be committed: only repeatable work belongs here.
        """
        if self.away:
            raise StoreUnavailable("the store does not answer; try again in a moment")
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError:
            self.lost()
            raise StoreUnavailable(f"the store did not answer within {limit_s:g} s; try again in a moment") from None
        except StoreUnavailable:
            self.lost()
            raise

    def lost(self) -> None:
        """Note that the store failed somebody; it is away until a ping comes through."""
        if self._probe is None:
            log.warning("store_away")
            self._probe = asyncio.create_task(self._until_back(), name="store pulse")

    async def note(self) -> str:
        """A phrase for the readiness page."""
        return "away" if self.away else "answers"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End the probing with the process."""
        try:
            yield
        finally:
            if self._probe is not None:
                self._probe.cancel()
                with suppress(asyncio.CancelledError):
                    await self._probe

    async def _until_back(self) -> None:
        while True:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(PROBE_LIMIT_S):
                    await self._store.ping()
                    break
            await asyncio.sleep(PROBE_S)
        self._probe = None
        log.info("store_back")
        for listener in tuple(self._listeners):
            listener()
