"""Customers of every line, who write at a steady rate whatever happens; every message carries a token of its own."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.doubles.platform import Delivered
from tests.drill.lines import Line

TOKEN = re.compile(r"qx[0-9a-f]{10}")
WORDY = 0.15  # share of questions whose answers take long enough to be shown while they grow
FILLER = "and please explain every single step of it in plain words so that my neighbour can follow it as well"


@dataclass
class Said:
    """One message of one customer; times are of the monotonic clock, ``delivered`` is set once delivery ended."""

    line: str
    customer: int
    address: str
    token: str
    text: str
    sent_at: float
    ended_at: float = 0.0
    delivered: Delivered | None = None

    @property
    def accepted(self) -> bool:
        """Whether the platform was told that the service took it on."""
        return self.delivered is not None and self.delivered.accepted


class Crowd:
    """Writes messages by a seeded plan until told to stop."""

    def __init__(self, lines: Sequence[Line], *, customers: int, rate: float, seed: int) -> None:
        self._lines = lines
        self._customers = customers
        self._rate = rate
        self._random = random.Random(seed)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._enough = asyncio.Event()
        self.said: list[Said] = []
        self.began_at = 0.0
        self.last_at = 0.0

    def start(self, messages: int) -> None:
        """Begin; :meth:`written` returns after so many messages, but writing goes on until :meth:`finish`."""
        self.began_at = time.monotonic()
        self._writer = asyncio.create_task(self._write(messages))

    async def written(self) -> None:
        """Wait until as many messages were written as were asked for."""
        await self._enough.wait()

    async def finish(self) -> None:
        """Nobody writes any more; wait until every delivery has ended one way or the other."""
        self._stopped.set()
        if self._writer is not None:
            await self._writer
        self.last_at = time.monotonic()
        while self._deliveries:
            await asyncio.gather(*self._deliveries)
        for line in self._lines:
            await line.settle()

    async def close(self) -> None:
        """Give up whatever is still under way."""
        tasks = [*self._deliveries, *([self._writer] if self._writer else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def restarted(self) -> None:
        """A process came back (part of what a killer asks of its load): platforms repeat by themselves."""

    async def _write(self, messages: int) -> None:
        """Keep to the clock's plan: when late, write at once."""
        due = time.monotonic()
        while not self._stopped.is_set():
            task = asyncio.create_task(
                self._say(self._random.choice(self._lines), self._random.randrange(self._customers), self._text())
            )
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)
            messages -= 1
            if messages <= 0:
                self._enough.set()
            due += self._random.expovariate(self._rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _text(self) -> str:
        token = f"qx{self._random.getrandbits(40):010x}"
        return f"{token} {FILLER}" if self._random.random() < WORDY else f"where is {token}"

    async def _say(self, line: Line, customer: int, text: str) -> None:
        found = TOKEN.search(text)
        assert found is not None
        said = Said(line.name, customer, "", found.group(), text, time.monotonic())
        self.said.append(said)
        said.delivered = await line.write(customer, text)
        said.ended_at = time.monotonic()
        said.address = line.address(customer)
