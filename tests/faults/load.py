"""Customers of the web channel who write, repeat and overtake themselves and never give up; and their screens."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

REPEATED = 0.2  # share of messages delivered more than once on purpose
OVERTAKEN = 0.1  # share of messages sent after, or beside, the one that was written later
TRY_AGAIN = {409, 429, 500, 502, 503, 504}
TIMEOUT = aiohttp.ClientTimeout(total=15)


@dataclass
class Message:
    """One thing a customer said; ``answers`` are all acknowledgements it got, in order of arrival."""

    conversation: str
    client_id: str
    text: str
    sent_at: float = 0.0
    acked_at: float = 0.0
    deliveries: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Frame:
    """One server-sent event as it arrived; ``id`` is None for frames that are not committed."""

    connection: int
    id: int | None
    kind: str
    data: dict[str, Any]


@dataclass
class Screen:
    """What one customer's page received over all its connections."""

    conversation: str
    token: str
    frames: list[Frame] = field(default_factory=list)
    connections: int = 0

    @property
    def last_id(self) -> int:
        return next((frame.id for frame in reversed(self.frames) if frame.id is not None), 0)

    async def follow(self, http: aiohttp.ClientSession, base: str) -> None:
        """Read for ever, resuming with Last-Event-ID after every break."""
        while True:
            try:
                await self._connection(http, base)
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(0.1)

    async def _connection(self, http: aiohttp.ClientSession, base: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        if self.last_id:
            headers["Last-Event-ID"] = str(self.last_id)
        url = f"{base}/web/conversations/{self.conversation}/events"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=40)
        async with http.get(url, headers=headers, timeout=timeout) as response:
            if response.status != 200:
                await asyncio.sleep(0.2)
                return
            self.connections += 1
            block: list[str] = []
            async for line in response.content:  # an unfinished last block is dropped, as the standard asks
                text = line.decode().rstrip("\n")
                if text:
                    block.append(text)
                else:
                    self._take(block)
                    block = []

    def _take(self, block: list[str]) -> None:
        fields = {name: value.removeprefix(" ") for name, _, value in (line.partition(":") for line in block) if name}
        if "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            self.frames.append(Frame(self.connections, number, fields["event"], json.loads(fields["data"])))


class Load:
    """Visitors that write until :meth:`finish`; everything they learnt is in ``messages`` and ``screens``."""

    def __init__(self, http: aiohttp.ClientSession, base: str, seed: int, *, visitors: int, pause_s: float) -> None:
        self._http = http
        self._base = base
        self._random = random.Random(seed)
        self._count = visitors
        self._pause_s = pause_s
        self._writing = True
        self._late: list[tuple[str, Message]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._visits: list[asyncio.Task[None]] = []
        self._readers: list[asyncio.Task[None]] = []
        self.messages: list[Message] = []
        self.screens: list[Screen] = []
        self.broken = 0
        self.repeated = 0
        self.overtaken = 0
        self.refused: dict[int, int] = {}
        self.unexpected: list[str] = []

    async def start(self) -> None:
        """Open the sessions and begin."""
        for number in range(self._count):
            session = await self._session()
            screen = Screen(session["conversation_id"], session["token"])
            self.screens.append(screen)
            self._readers.append(asyncio.create_task(screen.follow(self._http, self._base)))
            self._visits.append(asyncio.create_task(self._visit(number, screen)))

    def restarted(self) -> None:
        """Deliver again what was acknowledged by a process that is gone."""
        late, self._late = self._late, []
        for token, message in late:
            self._later(0.0, token, message)

    async def finish(self) -> None:
        """Let everybody finish what was begun: every message ever sent is delivered until it is acknowledged."""
        self._writing = False
        await asyncio.gather(*self._visits)
        self.restarted()
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Close the screens."""
        for task in [*self._readers, *self._visits, *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._readers, *self._visits, *self._tasks, return_exceptions=True)

    async def _session(self) -> dict[str, Any]:
        while True:
            try:
                async with self._http.post(f"{self._base}/web/session", json={}, timeout=TIMEOUT) as response:
                    if response.status == 200:
                        answer: dict[str, Any] = await response.json()
                        return answer
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.broken += 1
            await asyncio.sleep(0.1)

    async def _visit(self, number: int, screen: Screen) -> None:
        said = 0
        await asyncio.sleep(self._random.uniform(0, self._pause_s))
        while self._writing:
            pair = self._random.random() < OVERTAKEN
            written = [
                self._write(screen, f"question {number}-{said + i} about parcel {said + i}") for i in range(1 + pair)
            ]
            said += len(written)
            self.overtaken += pair
            if pair and self._random.random() < 0.5:
                await asyncio.gather(*(self._deliver(screen.token, message) for message in reversed(written)))
            else:
                for message in reversed(written):
                    await self._say(screen.token, message)
            await asyncio.sleep(self._random.expovariate(1 / self._pause_s))

    def _write(self, screen: Screen, text: str) -> Message:
        client_id = f"{self._random.getrandbits(128):032x}"
        message = Message(screen.conversation, client_id, text)
        self.messages.append(message)
        return message

    async def _say(self, token: str, message: Message) -> None:
        how = self._random.choice(["twice", "at once", "later", "after restart"])
        if self._random.random() >= REPEATED:
            how = "once"
        self.repeated += how != "once"
        again = [self._deliver(token, message)] if how == "at once" else []
        await asyncio.gather(self._deliver(token, message), *again)
        if how == "twice":
            await self._deliver(token, message)
        elif how == "later":
            self._later(self._random.uniform(0.5, 4.0), token, message)
        elif how == "after restart":
            self._late.append((token, message))

    def _later(self, delay_s: float, token: str, message: Message) -> None:
        async def again() -> None:
            await asyncio.sleep(delay_s)
            await self._deliver(token, message)

        task = asyncio.create_task(again())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, token: str, message: Message) -> None:
        """Post until there is a 2xx, always with the same client id."""
        url = f"{self._base}/web/conversations/{message.conversation}/messages"
        body = {"client_message_id": message.client_id, "text": message.text}
        headers = {"Authorization": f"Bearer {token}"}
        message.sent_at = message.sent_at or time.monotonic()
        while True:
            message.deliveries += 1
            try:
                async with self._http.post(url, json=body, headers=headers, timeout=TIMEOUT) as response:
                    if response.status == 202:
                        message.answers.append(await response.json())
                        message.acked_at = message.acked_at or time.monotonic()
                        return
                    self.refused[response.status] = self.refused.get(response.status, 0) + 1
                    if response.status not in TRY_AGAIN:
                        self.unexpected.append(f"status {response.status}: {(await response.text())[:200]}")
                        return
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.broken += 1
            await asyncio.sleep(self._random.uniform(0.1, 0.5))
