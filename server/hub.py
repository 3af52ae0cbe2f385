"""Live text and wake-ups per conversation, inside this process and between replicas.

Readers *pull*: a wake-up only says that there is something, so nothing piles up for a slow one. Committed events are
read from the store by their sequence; the text of the open draft is kept here once per conversation. Between a worker
and other gateways draft text travels in batches (at most one per ``interval_s`` and turn) as notifications; a gateway
that missed the beginning asks the worker to send the whole text again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from server.store.contract import Store, StoreError

BATCH_CHARACTERS = 6_000  # of draft text per notification, halved until they fit into BATCH_BYTES
BATCH_BYTES = 6_500  # of escaped text: with the ids around it below the 7,000 allowed
BURST = 8  # notifications in a row: a Unix socket queues 10 before it drops any
BREATH_S = 0.002  # after a burst, for the others to read
LIVELY = 4  # drafts written here at once, beyond which readers get text in batches instead of each token
LIVELY_S = 0.05  # between such batches: twenty a second still read as a stream, and cost a fifth
STATES = ("ready", "busy", "loading", "down")  # of the model, the best first
STATE_KEPT_S = 3.0  # workers report once a second
KEPT_DRAFTS = 2_000  # of other workers' texts; the oldest is forgotten first and asked for again when needed


@dataclass(slots=True)
class Draft:
    """The text shown so far of one attempt at a turn; ``text`` is whole from the first character."""

    conversation_id: str
    turn: str
    attempt: int
    text: str = ""
    sent: int = 0  # characters already published to other processes
    mine: bool = field(default=False)


class _Batch(NamedTuple):
    """A piece of a draft on its way to other processes, as a JSON array; ``offset`` counts characters."""

    worker: str
    conversation_id: str
    turn: str
    attempt: int
    offset: int
    text: str


_BATCH_TYPES = (str, str, str, int, int, str)


class Subscription:
    """One reader's wake-up flag; ``stale`` says that the store may hold events it has not read."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.stale = True

    def wake(self, *, stored: bool = True) -> None:
        """There may be something new: in the store, or (not ``stored``) only in the open draft."""
        self.stale = self.stale or stored
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up and clear it; False after ``timeout_s`` without one, and then everything is stale."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            self.stale = True  # a notification may have been lost
            return False
        self._event.clear()
        return True


class Hub:
    """Who listens to which conversation, and the open drafts."""

    def __init__(self, store: Store, *, interval_s: float = 0.1) -> None:
        self._store = store
        self._interval_s = interval_s
        self._readers: dict[str, set[Subscription]] = {}
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._dirty: set[str] = set()
        self._pending = asyncio.Event()
        self._published = 0
        self._mine: set[str] = set()
        self._states: dict[str, tuple[str, float]] = {}
        self._late: set[str] = set()
        self.model_state = "loading"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen to other processes and publish this worker's drafts until the block ends."""
        stops = [
            self._store.listen("conversation", lambda _topic, payload: self.wake(payload)),
            self._store.listen("draft", lambda _topic, payload: self._receive(payload)),
            self._store.listen("draft_request", lambda _topic, payload: self._resend(payload)),
            self._store.listen("model", lambda _topic, payload: self._model(payload)),
        ]
        publisher = asyncio.create_task(self._publish(), name="hub")
        try:
            yield
        finally:
            publisher.cancel()
            with suppress(asyncio.CancelledError):
                await publisher
            for stop in stops:
                stop()

    @contextmanager
    def subscribed(self, conversation_id: str) -> Iterator[Subscription]:
        """A wake-up flag for the time of the block."""
        subscription = Subscription()
        self._readers.setdefault(conversation_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            readers = self._readers[conversation_id]
            readers.discard(subscription)
            if not readers:
                del self._readers[conversation_id]

    @property
    def readers(self) -> int:
        """How many subscriptions are open."""
        return sum(map(len, self._readers.values()))

    def wake(self, conversation_id: str, *, stored: bool = True) -> None:
        """Wake the readers of one conversation; of all when the id is empty (the connection was lost meanwhile).

        ``stored`` False: only draft text is new, so they need not ask the store.
        """
        groups = [self._readers.get(conversation_id, ())] if conversation_id else list(self._readers.values())
        for group in groups:
            for reader in tuple(group):
                reader.wake(stored=stored)

    def draft(self, conversation_id: str) -> Draft | None:
        """The open draft as far as this process knows it."""
        return self._drafts.get(conversation_id)

    def begin(self, conversation_id: str, turn: str, attempt: int) -> Draft:
        """Start an attempt's draft in this worker; an earlier one of the conversation is forgotten."""
        draft = Draft(conversation_id, turn, attempt, mine=True)
        self._mine.add(conversation_id)
        self._keep(draft)
        return draft

    def append(self, draft: Draft, text: str) -> None:
        """Add text to a draft that this worker began; its first words are shown at once, however busy it is."""
        first, draft.text = not draft.text, draft.text + text
        if self._drafts.get(draft.conversation_id) is not draft:
            return
        if first or len(self._mine) <= LIVELY:
            self.wake(draft.conversation_id, stored=False)
        else:
            self._wake_soon(draft.conversation_id)
        self._dirty.add(draft.conversation_id)
        self._pending.set()

    def end(self, draft: Draft) -> None:
        """Forget a draft; its end is a committed event."""
        if self._drafts.get(draft.conversation_id) is draft:
            del self._drafts[draft.conversation_id]
            self._mine.discard(draft.conversation_id)
        self._dirty.discard(draft.conversation_id)

    def _wake_soon(self, conversation_id: str) -> None:
        if not self._late:
            asyncio.get_running_loop().call_later(LIVELY_S, self._wake_late)
        self._late.add(conversation_id)

    def _wake_late(self) -> None:
        late, self._late = self._late, set()
        for conversation_id in late:
            self.wake(conversation_id, stored=False)

    async def ask_for(self, conversation_id: str) -> None:
        """Ask the worker for the whole text of a draft that this process does not have."""
        with suppress(StoreError):  # best effort: the committed message comes anyway
            await self._store.publish("draft_request", conversation_id)

    async def tell_model_state(self, state: str) -> None:
        """Let every process show whether the model is loading, ready, busy or down."""
        self._note_state(self._store.worker_id, state)
        with suppress(StoreError):
            await self._store.publish("model", f"{self._store.worker_id} {state}")

    def _keep(self, draft: Draft) -> None:
        self._drafts[draft.conversation_id] = draft
        self._drafts.move_to_end(draft.conversation_id)
        while len(self._drafts) > KEPT_DRAFTS:
            oldest = next((key for key, kept in self._drafts.items() if not kept.mine), None)
            if oldest is None:
                return
            del self._drafts[oldest]

    def _model(self, payload: str) -> None:
        worker, _, state = payload.rpartition(" ")
        if worker and state in STATES:
            self._note_state(worker, state)

    def _note_state(self, worker: str, state: str) -> None:
        """Show the best state that any worker reported lately: one that is free will answer."""
        now = time.monotonic()
        self._states[worker] = (state, now)
        self._states = {name: (kept, at) for name, (kept, at) in self._states.items() if now - at < STATE_KEPT_S}
        best = min((kept for kept, _ in self._states.values()), key=STATES.index)
        if best != self.model_state:
            self.model_state = best
            self.wake("", stored=False)

    def _resend(self, conversation_id: str) -> None:
        draft = self._drafts.get(conversation_id)
        if draft is not None and draft.mine:
            draft.sent = 0
            self._dirty.add(conversation_id)
            self._pending.set()

    def _receive(self, payload: str) -> None:
        batch = _read(payload)
        if batch is None or batch.worker == self._store.worker_id:
            return
        known = self._drafts.get(batch.conversation_id)
        if known is not None and known.mine:
            return  # this worker writes: whatever another one still sends lost its lease
        if known is None or (known.turn, known.attempt) != (batch.turn, batch.attempt):
            known = Draft(batch.conversation_id, batch.turn, batch.attempt)
        if batch.offset > len(known.text):
            # something before it was lost: forget the rest, so that readers who need it ask for all
            self._drafts.pop(batch.conversation_id, None)
            self.wake(batch.conversation_id)
            return
        if batch.offset + len(batch.text) <= len(known.text):
            return  # sent again for somebody else
        known.text = known.text[: batch.offset] + batch.text
        self._keep(known)
        self.wake(known.conversation_id, stored=False)

    async def _publish(self) -> None:
        while True:
            await self._pending.wait()
            self._pending.clear()
            batch, self._dirty = self._dirty, set()
            for conversation_id in batch:
                draft = self._drafts.get(conversation_id)
                if draft is not None and draft.mine:
                    await self._send(draft)
            await asyncio.sleep(self._interval_s)

    async def _send(self, draft: Draft) -> None:
        while draft.sent < len(draft.text):
            text = _piece(draft.text, draft.sent)
            batch = _Batch(self._store.worker_id, draft.conversation_id, draft.turn, draft.attempt, draft.sent, text)
            draft.sent += len(text)
            with suppress(StoreError):
                await self._store.publish("draft", _dumped(batch))
            self._published += 1
            if self._published % BURST == 0:
                await asyncio.sleep(BREATH_S)


def _dumped(value: object) -> str:
    """JSON as short as it gets; half a surrogate pair becomes a question mark, so that characters keep their count."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _piece(text: str, start: int) -> str:
    """As much of the text from ``start`` on as one notification can hold; at least one character."""
    size = BATCH_CHARACTERS
    while len(_dumped(text[start : start + size]).encode()) > BATCH_BYTES:
        size //= 2
    return text[start : start + size]


def _read(payload: str) -> _Batch | None:
    """A batch as it was sent; None for anything else that reaches the topic."""
    try:
        batch = _Batch(*json.loads(payload))
    except (ValueError, TypeError):
        return None
    whole = all(isinstance(value, kind) for value, kind in zip(batch, _BATCH_TYPES, strict=True))
    return batch if whole and batch.offset >= 0 else None
