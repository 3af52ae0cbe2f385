"""What all doubles of messaging platforms share: faults around an effect, and deliveries with a platform's patience.

A double is a real HTTP server on loopback. Its handlers wrap what they do in :meth:`Platform.around`, so that a fault
can strike *before* the effect (nothing happened) or *after* it (the customer sees the message, we are not told).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web


class Fault(StrEnum):
    """What may happen to a call; ``*_after`` strike when the effect is already there (hidden successes)."""

    LIMITED = "limited"
    REFUSED = "refused"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"

    @property
    def after(self) -> bool:
        """Whether the effect happens all the same."""
        return self.value.endswith("_after")


class Faults:
    """Decides the fate of each call: first what was scripted, then by seeded rates (shares of 1)."""

    def __init__(self, rates: Mapping[Fault, float] | None = None, seed: int = 0) -> None:
        self.rates = dict(rates or {})
        self.struck: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._script: dict[str, deque[Fault | None]] = {}

    def script(self, method: str, *faults: Fault | None) -> None:
        """The fates of the next calls of a method (``*`` = of any), None = let it pass."""
        self._script.setdefault(method, deque()).extend(faults)

    def next(self, method: str) -> Fault | None:
        """The fate of this call."""
        for queue in (self._script.get(method), self._script.get("*")):
            if queue:
                return self._note(queue.popleft())
        pick, total = self._random.random(), 0.0
        for fault, share in self.rates.items():
            total += share
            if pick < total:
                return self._note(fault)
        return None

    def _note(self, fault: Fault | None) -> Fault | None:
        if fault is not None:
            self.struck[fault.value] += 1
        return fault


Effect = Callable[[], Awaitable[web.StreamResponse]]
Answer = Callable[[], web.StreamResponse]


class Platform:
    """A loopback server; ``calls`` counts every method asked for, ``away`` refuses connections' requests by reset."""

    def __init__(self, faults: Faults | None = None, *, hang_s: float = 30.0) -> None:
        self.faults = faults or Faults()
        self.hang_s = hang_s
        self.calls: Counter[str] = Counter()
        self.away = False
        self.base_url = ""
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; ``base_url`` is known afterwards."""
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[Platform]:
        """Started for the time of the block."""
        await self.start(port)
        try:
            yield self
        finally:
            await self.stop()

    async def around(
        self,
        request: web.Request,
        method: str,
        effect: Effect,
        *,
        limited: Answer,
        broken: Answer = lambda: web.Response(status=500, text="internal error"),
        refused: Answer | None = None,
    ) -> web.StreamResponse:
        """Run ``effect`` unless a fault strikes; ``limited``, ``broken`` and ``refused`` are the platform's words."""
        self.calls[method] += 1
        fault = Fault.RESET_BEFORE if self.away else self.faults.next(method)
        if fault is Fault.LIMITED:
            return limited()
        if fault is Fault.REFUSED:
            return refused() if refused is not None else web.Response(status=400, text="refused")
        answer = await effect() if fault is None or fault.after else broken()
        if fault in {Fault.ERROR_BEFORE, Fault.ERROR_AFTER}:
            return broken()
        if fault in {Fault.HANG_BEFORE, Fault.HANG_AFTER}:
            await asyncio.sleep(self.hang_s)
        if fault in {Fault.RESET_BEFORE, Fault.RESET_AFTER} and request.transport is not None:
            request.transport.abort()
        return answer


@dataclass(frozen=True, slots=True)
class Hook:
    """One signed webhook request, ready to be sent any number of times."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Patience:
    """How a platform delivers: the deadline of one try, and the pauses before each repeat (seconds)."""

    deadline_s: float
    pauses_s: Sequence[float] = ()
    retry_refused: bool = True  # whether a 5xx answer is repeated too, or only a failed connection


TWILIO = Patience(15.0, (0.5,) * 5)  # with #rc=5&rp=all
SLACK = Patience(3.0, (0.1, 60.0, 300.0))
TELEGRAM = Patience(60.0, (1.0,) * 3_600)
META = Patience(20.0, (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0))


@dataclass
class Delivered:
    """What became of one message's delivery: the statuses of its tries (0 = no answer) and the accepted one's time."""

    statuses: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)  # of each try
    ack_s: float | None = None
    body: bytes = b""
    first_at: float = 0.0  # when the first try left, monotonic clock

    @property
    def accepted(self) -> bool:
        """Whether the service took it on."""
        return self.ack_s is not None


class Courier:
    """Delivers hooks with a platform's patience, and with its bad habits: duplicates and reordering (shares of 1)."""

    def __init__(
        self,
        patience: Patience,
        *,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        seed: int = 0,
        hurry: float = 1.0,
    ) -> None:
        self._patience = patience
        self._duplicate = duplicate
        self._reorder = reorder
        self._random = random.Random(seed)
        self._hurry = hurry  # pauses are divided by this, so that a test need not wait for minutes
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: ClientSession | None = None
        self.delivered: list[Delivered] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Courier]:
        """Open the connections; at the end wait for every delivery that is still under way."""
        async with ClientSession(connector=TCPConnector(limit=200)) as self._http:
            yield self
            await self.settle()

    async def settle(self) -> None:
        """Wait until duplicates and late ones have been delivered too."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def deliver(self, hook: Callable[[int], Hook]) -> Delivered:
        """Deliver until the service accepts or patience ends; ``hook`` makes the request of try 0, 1, 2 ..."""
        if self._random.random() < self._reorder:
            await asyncio.sleep(self._random.uniform(0.01, 0.3))  # the next one overtakes it
        delivered = await self._tries(hook)
        self.delivered.append(delivered)
        if self._random.random() < self._duplicate:
            self._later(self._again(hook))
        return delivered

    def _later(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _again(self, hook: Callable[[int], Hook]) -> None:
        await asyncio.sleep(self._random.uniform(0.0, 0.5))
        await self._tries(hook)

    async def _tries(self, hook: Callable[[int], Hook]) -> Delivered:
        delivered = Delivered()
        for number, pause_s in enumerate((0.0, *self._patience.pauses_s)):
            await asyncio.sleep(pause_s / self._hurry)
            if await self._once(hook(number), delivered):
                break
        return delivered

    async def _once(self, hook: Hook, delivered: Delivered) -> bool:
        """One try; True when the platform would not repeat it."""
        assert self._http is not None
        started = time.perf_counter()
        delivered.first_at = delivered.first_at or time.monotonic()
        try:
            async with self._http.request(
                hook.method,
                hook.url,
                data=hook.body,
                headers=dict(hook.headers),
                timeout=ClientTimeout(total=self._patience.deadline_s),
            ) as answer:
                body = await answer.read()
        except (ClientError, TimeoutError, OSError):
            delivered.statuses.append(0)
            return False
        finally:
            delivered.took_s.append(time.perf_counter() - started)
        delivered.statuses.append(answer.status)
        if answer.status // 100 == 2:
            delivered.ack_s, delivered.body = time.perf_counter() - started, body
            return True
        return answer.headers.get("X-Slack-No-Retry") == "1" or not self._patience.retry_refused
