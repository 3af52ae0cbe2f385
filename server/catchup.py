"""What was missed while we were away: read back from the platforms, and the accounts that pull their updates.

Per account a time is kept up to which nothing is missing (the cursor ``seen``). It moves on only while store and
process are well; after a start, an outage of the store, or a pause of the whole process, the platform is asked for
everything since. Reading twice is harmless: messages are deduplicated by the platform's own ids.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog

from channels.base import Accept, Channel, Refused, Unauthorized
from channels.message import Fact, Inbound
from server.accounts import Account, Accounts, Cursors, outcome
from server.intake import SLOW_LIMIT_S, Intake
from server.pulse import Pulse
from server.store.contract import Store, StoreError

log = structlog.get_logger()

SEEN = "seen"  # name of the cursor
BEAT_S = 30.0  # between saves of it
PAUSED_S = 20.0  # a beat that comes later than this was held up: the process or its machine stood still
MARGIN_S = 60.0  # platforms' clocks, and what they list late
OLDEST_S = 7 * 86_400.0  # nobody waits longer for an answer
APART_S = 10.0  # between two readings of one account
RETRY_S = 2.0  # after a failed one; doubles up to RETRY_MAX_S
RETRY_MAX_S = 120.0
LISTENING_S = 1.0  # a listener that returns sooner has nothing to listen to
FIRST_S = 1.2  # how long live messages let older ones go first


@dataclass(slots=True)
class Reading:
    """One account being kept complete; ``current`` while nothing is known to be missing since ``since``."""

    account: Account
    cursors: Cursors
    since: float = 0.0  # epoch seconds
    current: bool = False
    fresh: bool = False  # on for the first time: nothing was missed before
    first_read: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)


class CatchUp:
    """Keeps every account complete while the process runs; ``wall`` is the clock of the cursor, epoch seconds."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        intake: Intake,
        pulse: Pulse,
        tenant: str,
        *,
        wall: Callable[[], float] = time.time,
        beat_s: float = BEAT_S,
    ) -> None:
        self._accounts = accounts
        self._intake = intake
        self._pulse = pulse
        self._wall = wall
        self._beat_s = beat_s
        self._readings = {
            (one.name, one.account): Reading(one, Cursors(store, tenant, one.name, one.account))
            for one in accounts.all()
        }
        self._back = asyncio.Event()  # set, and replaced, whenever what failed may work again
        pulse.listen(lambda: self.missed("the store was away"))

    async def settled(self, channel: str, account: str, limit_s: float = FIRST_S) -> None:
        """Let what was missed before the start go first, for at most ``limit_s``."""
        reading = self._readings.get((channel, account))
        if reading is not None and not reading.first_read.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await reading.first_read.wait()

    def missed(self, why: str) -> None:
        """Something may have been missed on every account: read it."""
        log.info("catch_up_wanted", reason=why, accounts=len(self._readings))
        for reading in self._readings.values():
            reading.current = False
            reading.wanted.set()
        back, self._back = self._back, asyncio.Event()
        back.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read what was missed before the start, then follow until the block ends."""
        await asyncio.gather(*(self._begin(reading) for reading in self._readings.values()))
        tasks = [asyncio.create_task(self._beat(), name="catch-up beat")] if self._readings else []
        for reading in self._readings.values():
            tasks.append(asyncio.create_task(self._follow(reading), name="catch-up"))
            tasks.append(asyncio.create_task(self._listen(reading), name="listener"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, reading: Reading) -> None:
        """An account that is on for the first time: from now on, also if this process is killed in a moment."""
        try:
            async with self._pulse.bounded():
                if not await reading.cursors.load(SEEN):
                    await reading.cursors.save(SEEN, repr(self._wall()))
                    reading.fresh = True
        except StoreError:
            return  # the store is away: the account's own task waits for it

    async def _follow(self, reading: Reading) -> None:
        """Read from the cursor whenever something may have been missed."""
        await reading.account.ready.wait()
        await self._load(reading)
        while True:
            await reading.wanted.wait()
            reading.wanted.clear()
            await self._read(reading)
            await asyncio.sleep(APART_S)

    async def _load(self, reading: Reading) -> None:
        """Where the last process stopped; an account that was never on has missed nothing."""
        pause_s = RETRY_S
        while True:
            try:
                saved = await reading.cursors.load(SEEN)
                break
            except StoreError:
                await asyncio.sleep(pause_s)
                pause_s = min(RETRY_MAX_S, 2 * pause_s)
        reading.since = float(saved) if saved else self._wall()
        if saved and not reading.fresh and reading.account.settings.catch_up:
            reading.wanted.set()
        else:
            reading.current = True
            reading.first_read.set()
            await self._save(reading, reading.since)

    async def _read(self, reading: Reading) -> None:
        """Read until it worked; live messages stop waiting after the first try."""
        one, pause_s = reading.account, RETRY_S
        while True:
            begun = self._wall()
            # a cursor in the future is from a clock that ran ahead
            since = max(reading.since, begun - OLDEST_S) if reading.since <= begun else begun - MARGIN_S
            channel = self._accounts.get(one.name, one.account)
            read = [0, 0]
            unopened = RuntimeError("the channel is not open")
            error = await outcome(self._pages(channel, since, read)) if channel is not None else unopened
            reading.first_read.set()
            counts = {"channel": one.name, "account": one.account, "pages": read[0], "messages": read[1]}
            if error is None or (isinstance(error, Refused) and not isinstance(error, Unauthorized)):
                if error is not None:
                    log.warning("catch_up_refused", **counts, error=str(error))
                else:
                    log.info("caught_up", **counts, back_s=round(begun - since))
                if not reading.wanted.is_set():  # else there was another outage meanwhile
                    reading.current = True
                    await self._save(reading, begun - MARGIN_S)
                return
            log.warning("catch_up_failed", **counts, error=type(error).__name__, again_s=pause_s)
            pause_s = await self._paused(pause_s)

    async def _pages(self, channel: Channel, since: float, read: list[int]) -> None:
        """Take in page by page; ``read`` counts pages and messages. A page is forgotten once it is stored."""
        async for page in channel.catch_up(since):
            await self._intake.take(channel, page, SLOW_LIMIT_S)
            read[0] += 1
            read[1] += sum(isinstance(fact, Inbound) for fact in page)

    async def _beat(self) -> None:
        """Move the cursors on while all is well; notice when this process stood still."""
        last = self._wall()
        while True:
            await asyncio.sleep(self._beat_s)
            now = self._wall()
            if now - last > self._beat_s + PAUSED_S:
                self.missed("this process stood still")
            last = now
            for reading in self._readings.values():
                if reading.current and not self._pulse.away:
                    await self._save(reading, now - MARGIN_S)

    async def _save(self, reading: Reading, seen: float) -> None:
        seen = max(seen, reading.since) if reading.since <= self._wall() else seen  # a clock may be set back
        try:
            async with self._pulse.bounded():
                await reading.cursors.save(SEEN, repr(seen))
            reading.since = seen
        except StoreError:
            log.warning("cursor_not_saved", channel=reading.account.name, account=reading.account.account)

    async def _listen(self, reading: Reading) -> None:
        """Pull updates of accounts that have no webhook; a listener that fails is started again, ever more slowly."""
        one, pause_s = reading.account, RETRY_S
        await one.ready.wait()
        while True:
            channel = self._accounts.get(one.name, one.account)
            started = time.monotonic()
            if channel is not None:
                error = await outcome(channel.listen(self._accept(channel)))
                ran_s = time.monotonic() - started
                if error is None and ran_s < LISTENING_S:
                    return
                pause_s = RETRY_S if ran_s > RETRY_MAX_S else pause_s
                name = type(error).__name__ if error is not None else "ended"
                log.warning("listener_lost", channel=one.name, account=one.account, error=name, again_s=pause_s)
                if one.settings.catch_up:
                    reading.current = False
                    reading.wanted.set()
            pause_s = await self._paused(pause_s)

    async def _paused(self, pause_s: float) -> float:
        """Wait before a repeat, but not beyond the store's return; gives the pause before the next one, seconds."""
        back = self._back
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                await back.wait()
        return RETRY_S if back.is_set() else min(RETRY_MAX_S, 2 * pause_s)

    def _accept(self, channel: Channel) -> Accept:
        async def accept(facts: Sequence[Fact]) -> None:
            await self.settled(channel.name, channel.account)
            await self._intake.take(channel, facts, SLOW_LIMIT_S)

        return accept
