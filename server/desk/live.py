"""Everything committed, live for staff: one read of new events serves every reader of this process.

The feed keeps the latest frames ready to be written. Readers *pull* from it by their own number, so a slow one costs
nothing here; one that comes back later than what is kept reads its backlog from the store. What is not committed
(who looks at what, the model's state) travels as *whispers*: frames without an id, never repeated.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import structlog

from server import shifts
from server.store.contract import Row, Store

log = structlog.get_logger()

TOPIC: Final = "desk"
POLL_S: Final = 0.25  # a notification only hurries: with this alone an event reaches its readers within 0.5 s
BATCH: Final = 200  # events per read, and per write to one reader
KEPT: Final = 2_000  # frames ready in memory: a reader that was away for moments never asks the store
WHISPERS: Final = 200
PRESENT_S: Final = 15.0  # whoever was not heard of for so long has left


def frame(kind: str, data: Mapping[str, Any], event_id: int | None = None) -> bytes:
    """One event in the wire format of the WHATWG standard."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {kind}\ndata: {text}\n\n".encode("utf-8", "replace")


def told(row: Row) -> bytes:
    """A committed event as every reader of the staff's stream gets it."""
    head = {
        "number": row["number"],
        "kind": row["kind"],
        "conversation": row["conversation_id"],
        "seq": row["seq"],
        "at": row["created_at"],
        "audience": row["audience"],
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]  # the body is JSON already
    return f'id: {row["number"]}\nevent: {row["kind"]}\ndata: {text},"body":{row["body"]}}}\n\n'.encode(
        "utf-8", "replace"
    )


Sees = Callable[[Collection[str]], Awaitable[Collection[str]]]  # conversation ids -> those a reader may see


async def _joined(talks: Sequence[str | None], frames: Sequence[bytes], sees: Sees | None) -> bytes:
    if sees is None:
        return b"".join(frames)
    seen = await sees({talk for talk in talks if talk is not None})
    return b"".join(text for talk, text in zip(talks, frames, strict=True) if talk is None or talk in seen)


class Live:
    """The feed of one tenant in one process; it reads only while somebody listens.

    ``model_state`` tells how the model is; ``wall`` gives epoch seconds.
    """

    def __init__(
        self, store: Store, tenant: str, model_state: Callable[[], str], wall: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._model_state = model_state
        self._wall = wall
        self._numbers: list[int] = []
        self._frames: list[bytes] = []
        self._talks: list[str | None] = []  # the conversation of each frame
        self._whispers: list[tuple[int, str | None, bytes]] = []  # number, conversation, frame
        self._whispered = 0
        self._present: dict[tuple[str, str], dict[str, Any]] = {}
        self._model = ""
        self._readers = 0
        self._opening = asyncio.Lock()
        self._stale = asyncio.Event()
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._started = False
        self.tail = 0  # the newest number that was read
        self.base = 0  # everything after this number is kept here

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the store until the block ends."""
        stops = [
            self._store.listen("conversation", lambda _topic, _payload: self._stale.set()),
            self._store.listen(TOPIC, lambda _topic, payload: self._hear(payload)),
        ]
        task = asyncio.create_task(shifts.repeat("live", self._step, self._idle), name="live")
        try:
            yield
        finally:
            for stop in stops:
                stop()
            await shifts.end([task])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the feed awake for one reader."""
        self._readers += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._wanted.clear()
                self._forget()

    async def start(self) -> int:
        """The newest number, for a reader that begins now; raises a StoreError."""
        async with self._opening:
            if not self._started:
                self.tail = self.base = await self.newest()
                self._started = True
        return self.tail

    async def newest(self) -> int:
        """The newest number of the store, which this feed may not have read yet; raises a StoreError."""
        row = await self._store.row("store.event_tail", tenant=self._tenant)
        return int(row["event_tail"]) if row else 0

    async def after(self, number: int, sees: Sees | None = None) -> tuple[bytes, int]:
        """Frames behind a number, at most BATCH, and the number of the last; raises Gap, and a StoreError.

        ``sees`` keeps those of conversations the reader may see; what belongs to none is for everybody.
        """
        if number < self.base:
            return await self._stored(number, sees)
        first = bisect_right(self._numbers, number)
        chosen = slice(first, first + BATCH)
        numbers = self._numbers[chosen]
        text = await _joined(self._talks[chosen], self._frames[chosen], sees)
        return text, numbers[-1] if numbers else number

    async def _stored(self, number: int, sees: Sees | None) -> tuple[bytes, int]:
        rows = await self._store.rows("store.events_since", tenant=self._tenant, after=number, limit=BATCH)
        if [row["number"] for row in rows] != list(range(number + 1, number + 1 + len(rows))) or not rows:
            raise Gap  # numbers have no holes: what is missing was purged
        text = await _joined([row["conversation_id"] for row in rows], [told(row) for row in rows], sees)
        return text, int(rows[-1]["number"])

    async def whispers(self, after: int, sees: Sees | None = None) -> tuple[bytes, int]:
        """What was whispered since, and where to go on; ``sees`` as in :meth:`after`."""
        upto, fresh = self._whispered, [(talk, text) for number, talk, text in self._whispers if number > after]
        return await _joined([talk for talk, _ in fresh], [text for _, text in fresh], sees), upto

    async def opening(self, sees: Sees | None = None) -> tuple[bytes, int]:
        """The state that whispers told so far: the model, and who is present; ``sees`` as in :meth:`after`."""
        upto, present = self._whispered, self.present()
        frames = [frame("status", {"model": self._model_state()}), *(frame("viewing", one) for one in present)]
        return await _joined([None, *(str(one["conversation"]) for one in present)], frames, sees), upto

    def present(self) -> Sequence[Mapping[str, Any]]:
        """Who has which conversation open now."""
        now = self._wall()
        self._present = {key: one for key, one in self._present.items() if now - one["at"] < PRESENT_S}
        return list(self._present.values())

    def next(self) -> asyncio.Event:
        """What is set as soon as there may be something new; take it before looking."""
        return self._news

    def wake(self) -> None:
        """Let every reader look."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def view(self, conversation_id: str, person: str, name: str, state: str) -> None:
        """Tell the others that somebody looks at a conversation, types there, or left; best effort."""
        body = {"conversation": conversation_id, "person": person, "name": name, "state": state, "at": self._wall()}
        await self._store.publish(TOPIC, json.dumps(body, ensure_ascii=False))

    async def _step(self) -> None:
        await self._wanted.wait()
        await self.start()
        self._stale.clear()
        tail = self.tail
        rows = await self._store.rows("store.events_since", tenant=self._tenant, after=tail, limit=BATCH)
        if self._started and self.tail == tail and rows:
            self._keep(rows)
            if len(rows) == BATCH:
                self._stale.set()
        if self._model_state() != self._model:
            self._model = self._model_state()
            self._whisper(frame("status", {"model": self._model}))

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._stale.wait()
        except TimeoutError:
            return

    def _keep(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._numbers.append(int(row["number"]))
            self._frames.append(told(row))
            self._talks.append(row["conversation_id"])
        self.tail = self._numbers[-1]
        if len(self._numbers) > 2 * KEPT:
            self.base = self._numbers[-KEPT - 1]
            del self._numbers[:-KEPT], self._frames[:-KEPT], self._talks[:-KEPT]
        self.wake()

    def _forget(self) -> None:
        self._started = False
        self._numbers.clear()
        self._frames.clear()
        self._talks.clear()

    def _hear(self, payload: str) -> None:
        try:
            body = json.loads(payload)
            key, state = (str(body["conversation"]), str(body["person"])), body["state"]
        except (ValueError, KeyError, TypeError):
            return  # the empty payload after a lost connection: whispers are not repeated
        if state == "left":
            self._present.pop(key, None)
        else:
            self._present[key] = body
        self._whisper(frame("viewing", body), key[0])

    def _whisper(self, text: bytes, talk: str | None = None) -> None:
        self._whispered += 1
        self._whispers = [*self._whispers[-WHISPERS:], (self._whispered, talk, text)]
        self.wake()


class Gap(Exception):
    """What follows a reader's number is not kept any more: it must load everything anew."""
