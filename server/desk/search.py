"""Search over what was said: a small index of words, filled behind the events that announce messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from server import shifts
from server.desk.words import bounds, words
from server.store.contract import Row, Store, Tx

BATCH: Final = 100  # events per unit: some milliseconds of the writer
CHANGES: Final = frozenset({"message", "message_edited"})


class Search:
    """Finds messages by words that begin like the ones asked for; new ones can be found within a second or so."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the events until the block ends; of several processes one does each batch."""
        stop = self._store.listen("conversation", lambda _topic, _payload: self._wake.set())
        task = asyncio.create_task(
            shifts.repeat("search", self.catch_up, partial(shifts.rested, self._wake)), name="search"
        )
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    async def catch_up(self) -> None:
        """Take in every event there is."""
        at = -1
        while (reached := await self._batch()) > at:
            at = reached

    async def _batch(self) -> int:
        """Take in some events; returns how far that is. Looks before it writes: most of the time nothing is new."""
        row = await self._store.row("inbox_search.cursor_now", tenant=self._tenant)
        if row is not None and not await self._events(self._store, row["number"]):
            return int(row["number"])
        return await self._store.write(self._take, order="~")

    async def _take(self, tx: Tx) -> int:
        await tx.run("inbox_search.start", tenant=self._tenant)
        row = await tx.row("inbox_search.cursor", tenant=self._tenant)
        number = int(row["number"]) if row else 0
        rows = []
        for event in await self._events(tx, number):
            number = int(event["number"])
            if event["kind"] in CHANGES and (message := await self._message(tx, event)) is not None:
                rows += [_entry(message, word) for word in words(message["text"])]
        if rows:
            await tx.run("inbox_search.add", tenant=self._tenant, rows=json.dumps(rows))
        await tx.run("inbox_search.move", tenant=self._tenant, number=number)
        return number

    async def _events(self, source: Store | Tx, after: int) -> Sequence[Row]:
        return await source.rows("inbox_search.next_events", tenant=self._tenant, after=after, count=BATCH)

    async def _message(self, tx: Tx, event: Row) -> Row | None:
        """The message behind an event as it is now; what was removed meanwhile is None."""
        if event["kind"] == "message":
            return await tx.row("inbox_search.said", conversation_id=event["conversation_id"], seq=event["seq"])
        message_id = str(json.loads(event["body"]).get("id", ""))
        await tx.run("inbox_search.forget", id=message_id)
        return await tx.row("inbox_search.message", tenant=self._tenant, id=message_id)

    async def find(
        self, query: str, at: float, message_id: str, count: int, person: str = "", scope: str = ""
    ) -> Sequence[Row]:
        """Messages with all words of ``query``, the newest first, before a position; none for a query without words.

        ``scope`` is what the person may see (:mod:`server.teams`).
        """
        limits = bounds(query)
        if not limits["low1"]:
            return []
        return await self._store.rows(
            "inbox_search.find", tenant=self._tenant, at=at, id=message_id, count=count, person=person, scope=scope,
            **limits,
        )  # fmt: skip


def _entry(message: Row, word: str) -> dict[str, object]:
    return {"m": message["id"], "w": word, "c": message["conversation_id"], "a": message["created_at"]}
