"""Live text and wake-ups per conversation, inside this process and between replicas.

Readers *pull*: a wake-up only says that there is something, so nothing piles up for a slow one. Committed events are
read from the store by their sequence; the text of the open draft is kept here once per conversation. Between a worker
and other gateways draft text travels in batches (at most one per ``interval_s`` and turn) as notifications; a gateway
that missed the beginning asks the worker to send the whole text again.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from server.store.contract import Store, StoreError

BATCH_CHARACTERS = 1_000  # of draft text per notification: 6,000 bytes at most when escaped, below the 7,000 allowed
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


class Subscription:
    """One reader's wake-up flag."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """There may be something new."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up and clear it; False after ``timeout_s`` without one."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
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

    def wake(self, conversation_id: str) -> None:
        """Wake the readers of one conversation; of all when the id is empty (the connection was lost meanwhile)."""
        groups = [self._readers.get(conversation_id, ())] if conversation_id else list(self._readers.values())
        for group in groups:
            for reader in tuple(group):
                reader.wake()

    def draft(self, conversation_id: str) -> Draft | None:
        """The open draft as far as this process knows it."""
        return self._drafts.get(conversation_id)

    def begin(self, conversation_id: str, turn: str, attempt: int) -> Draft:
        """Start an attempt's draft in this worker; an earlier one of the conversation is forgotten."""
        draft = Draft(conversation_id, turn, attempt, mine=True)
        self._keep(draft)
        return draft

    def append(self, draft: Draft, text: str) -> None:
        """Add text to a draft that this worker began."""
        draft.text += text
        if self._drafts.get(draft.conversation_id) is not draft:
            return
        self.wake(draft.conversation_id)
        self._dirty.add(draft.conversation_id)
        self._pending.set()

    def end(self, draft: Draft) -> None:
        """Forget a draft; its end is a committed event."""
        if self._drafts.get(draft.conversation_id) is draft:
            del self._drafts[draft.conversation_id]
        self._dirty.discard(draft.conversation_id)

    async def ask_for(self, conversation_id: str) -> None:
        """Ask the worker for the whole text of a draft that this process does not have."""
        with suppress(StoreError):  # best effort: the committed message comes anyway
            await self._store.publish("draft_request", conversation_id)

    async def tell_model_state(self, state: str) -> None:
        """Let every process show whether the model is loading, ready, busy or down."""
        changed, self.model_state = self.model_state != state, state
        if changed:
            self.wake("")
        with suppress(StoreError):
            await self._store.publish("model", state)

    def _keep(self, draft: Draft) -> None:
        self._drafts[draft.conversation_id] = draft
        self._drafts.move_to_end(draft.conversation_id)
        while len(self._drafts) > KEPT_DRAFTS:
            oldest = next((key for key, kept in self._drafts.items() if not kept.mine), None)
            if oldest is None:
                return
            del self._drafts[oldest]

    def _model(self, state: str) -> None:
        if state and state != self.model_state:
            self.model_state = state
            self.wake("")

    def _resend(self, conversation_id: str) -> None:
        draft = self._drafts.get(conversation_id)
        if draft is not None and draft.mine:
            draft.sent = 0
            self._dirty.add(conversation_id)
            self._pending.set()

    def _receive(self, payload: str) -> None:
        if not payload:
            return
        batch = json.loads(payload)
        if batch["w"] == self._store.worker_id:
            return
        known = self._drafts.get(batch["c"])
        if known is None or (known.turn, known.attempt) != (batch["t"], batch["a"]):
            known = Draft(batch["c"], batch["t"], batch["a"])
        if known.mine or batch["o"] > len(known.text):
            return  # the beginning is missing: a reader that needs it asks for all
        if batch["o"] + len(batch["x"]) <= len(known.text):
            return  # sent again for somebody else
        known.text = known.text[: batch["o"]] + batch["x"]
        self._keep(known)
        self.wake(known.conversation_id)

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
            text = draft.text[draft.sent : draft.sent + BATCH_CHARACTERS]
            payload = {
                "w": self._store.worker_id,
                "c": draft.conversation_id,
                "t": draft.turn,
                "a": draft.attempt,
                "o": draft.sent,
                "x": text,
            }
            draft.sent += len(text)
            with suppress(StoreError):
                await self._store.publish("draft", json.dumps(payload))
