"""A conversation as server-sent events: committed events by sequence, the open draft's text, heartbeats.

The stream *pulls*: it reads what is new when it is woken, so a slow reader costs one socket buffer and no queue. A
reader that takes nothing for ``STALLED_S`` is dropped; it resumes with ``Last-Event-ID`` without gap or repeat.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web

from server.hub import Hub, Subscription
from server.store.contract import Row, Store, StoreError
from server.timeline import turn_id

log = structlog.get_logger()

HEARTBEAT_S = 15.0
STALLED_S = 30.0
TCP_GONE_MS = 40_000  # a peer that acknowledges nothing for so long is gone: half-open connections end here
BATCH = 100  # events per read
ASK_AGAIN_S = 1.0
QUEUE_BYTES = 65_536  # socket buffer asked for, and aiohttp's own high-water mark

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


def frame(kind: str, data: Mapping[str, Any] | str, event_id: int | None = None) -> str:
    """One event in the wire format of the WHATWG standard."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {kind}\ndata: {text}\n\n"


class EventStream:
    """One reader of one conversation, from ``after`` on; ``closing`` ends all streams when the server stops."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        conversation_id: str,
        after: int | None,
        closing: asyncio.Event,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        stalled_s: float = STALLED_S,
    ) -> None:
        self._store = store
        self._hub = hub
        self._id = conversation_id
        self._after = after or 0
        self._resumed = after is not None
        self._closing = closing
        self._heartbeat_s = heartbeat_s
        self._stalled_s = stalled_s
        self._draft: tuple[str, int] | None = None  # (turn, attempt) whose opening the reader was told of
        self._latest: tuple[str, int] | None = None  # the same, also after its end
        self._offset = 0
        self._model = ""
        self._asked_at = 0.0
        self._ended = False
        self._opened_at = 0  # the conversation's last event when this stream began

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Write until the reader leaves, stalls, signs out, or the server stops."""
        response = web.StreamResponse(headers=HEADERS)
        opening = await self._opening()
        with self._hub.subscribed(self._id) as subscription:
            await response.prepare(request)
            bound(request)
            try:
                await self._write(response, ": hello\n\n" + "".join(opening))
                await self._follow(response, subscription)
            except TimeoutError:
                log.info("reader_stalled", conversation=self._id)
                if request.transport is not None:
                    request.transport.abort()
            except ConnectionResetError:
                log.debug("reader_left", conversation=self._id)
            except StoreError as error:
                log.warning("reader_dropped", conversation=self._id, error=type(error).__name__)
        return response

    async def _follow(self, response: web.StreamResponse, subscription: Subscription) -> None:
        beat_at = time.monotonic() + self._heartbeat_s
        while not self._ended:
            frames = await self._news(subscription)
            if self._closing.is_set():
                frames.append(frame("resume", {}))
                self._ended = True
            if frames:
                await self._write(response, "".join(frames))
                beat_at = time.monotonic() + self._heartbeat_s
            elif not await subscription.wait(max(0.0, beat_at - time.monotonic())):
                await self._write(response, ": ping\n\n")
                beat_at = time.monotonic() + self._heartbeat_s

    async def _write(self, response: web.StreamResponse, text: str) -> None:
        async with asyncio.timeout(self._stalled_s):
            await response.write(text.encode("utf-8", "replace"))  # a model may stream half a surrogate pair

    async def _opening(self) -> list[str]:
        """Where to start: at the reader's last id, or with a reset when what follows it is no longer kept."""
        row = await self._store.row("conversations.read", id=self._id)
        self._opened_at = row["seq"] if row else 0
        if not self._resumed or self._after == 0:
            return []
        oldest = await self._store.row("conversations.oldest_event", conversation_id=self._id)
        tail = row["seq"] if row else 0
        first_kept = oldest["seq"] if oldest and oldest["seq"] is not None else tail + 1
        drafts = await self._store.rows("conversations.open_drafts", conversation_id=self._id)
        if drafts:
            self._draft = (turn_id(self._id, drafts[-1]["first_seq"]), drafts[-1]["attempt"])
        if self._after > tail or first_kept > self._after + 1:
            self._after = tail
            return [frame("reset", {"last_event_id": tail})]
        return []

    async def _news(self, subscription: Subscription) -> list[str]:
        rows: Sequence[Row] = ()
        if subscription.stale or self._unknown_draft():
            subscription.stale = False  # before the read: what is committed during it makes the reader stale again
            rows = await self._store.rows(
                "conversations.events_after", conversation_id=self._id, after=self._after, limit=BATCH
            )
        frames = self._events(rows)
        if self._ended:
            return frames  # whose session ended is told nothing more
        if len(rows) < BATCH:  # the draft belongs after everything committed
            frames += self._live()
            await self._find_text()
        else:
            subscription.stale = True
        return frames

    def _unknown_draft(self) -> bool:
        """Whether there is text of an attempt whose opening is committed but was not read yet."""
        draft = self._hub.draft(self._id)
        return draft is not None and (draft.turn, draft.attempt) != self._latest

    def _events(self, rows: Sequence[Row]) -> list[str]:
        frames = []
        for row in rows:
            body = json.loads(row["body"])
            self._after = row["seq"]
            if row["kind"] == "session_ended" and row["seq"] <= self._opened_at:
                continue  # an earlier session of this customer: this one began after it
            if row["kind"] == "draft_started":
                self._draft, self._offset = (body["turn"], body["attempt"]), 0
                self._latest = self._draft
            elif row["kind"] == "draft_ended" and self._draft == (body["turn"], body["attempt"]):
                self._draft = None
            elif row["kind"] == "session_ended":
                self._ended = True
            frames.append(frame(row["kind"], row["body"], row["seq"]))
            if self._ended:
                break
        return frames

    def _live(self) -> list[str]:
        frames = []
        if self._hub.model_state != self._model:
            self._model = self._hub.model_state
            frames.append(frame("status", {"model": self._model}))
        draft = self._hub.draft(self._id)
        if draft is not None and (draft.turn, draft.attempt) == self._draft and len(draft.text) > self._offset:
            text, offset = draft.text[self._offset :], self._offset
            self._offset = len(draft.text)
            data = {"turn": draft.turn, "attempt": draft.attempt, "offset": offset, "text": text}
            frames.append(frame("draft", data))
        return frames

    async def _find_text(self) -> None:
        """Ask the worker for a draft whose beginning this process never saw."""
        draft = self._hub.draft(self._id)
        missing = self._draft is not None and (draft is None or (draft.turn, draft.attempt) != self._draft)
        if missing and time.monotonic() - self._asked_at > ASK_AGAIN_S:
            self._asked_at = time.monotonic()
            await self._hub.ask_for(self._id)


def bound(request: web.Request) -> None:
    """Bound what a stalled or vanished reader of a stream can hold."""
    transport = request.transport
    if transport is None:
        return
    transport.set_write_buffer_limits(high=QUEUE_BYTES)
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.family in {socket.AF_INET, socket.AF_INET6}:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE_BYTES)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_GONE_MS)
