"""Embeds the sentences of what was indexed before anybody asks, so that first questions do not pay for it.

Bounded and of low priority: it stands still while a question is answered or a document waits for the index, and takes
a third of one core at most. Texts go to no endpoint for it: there a text may cost money.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog

from server.knowledge.contract import Chunk, IndexUnavailable
from server.knowledge.documents import KNOWLEDGE
from server.knowledge.follower import Follower, read_chunks
from server.knowledge.retrieval import Retrieval
from server.shifts import end, repeat, rested
from server.store.contract import Row, Store

log = structlog.get_logger()

MOST_WARM = 30_000  # sentences; the rest of what is kept is for what is really asked
REST_SHARE = 2.0  # of the time a passage took, before the next one


class Warming:
    """Follows the index of one process for its ``retrieval``."""

    def __init__(self, store: Store, tenant: str, retrieval: Retrieval, most: int = MOST_WARM) -> None:
        self._store = store
        self._tenant = tenant
        self._retrieval = retrieval
        self._most = most
        self._wake = asyncio.Event()
        self._follower = Follower(store, tenant, self._take, self._paged)
        self._learned = 0

    @property
    def revision(self) -> int:
        """Up to which change sentences are known, as far as there is room for them."""
        return self._follower.revision

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Learn sentences until the end of the block."""
        leave = self._store.listen(KNOWLEDGE, lambda *_: self._wake.set())
        loop = asyncio.create_task(
            repeat("sentences", self._step, partial(rested, self._wake)), name="sentences of documents"
        )
        try:
            yield
        finally:
            leave()
            await end([loop])

    async def _step(self) -> None:
        since, before = time.monotonic(), self._learned
        try:
            await self._follower.catch_up()
        except IndexUnavailable as error:
            log.debug("sentences_not_learned", reason=str(error))
        if self._learned > before:
            log.info("sentences_learned", sentences=self._learned - before, seconds=round(time.monotonic() - since, 1))

    async def _take(self, document: Row) -> None:
        if self._retrieval.nearest.held < self._most:
            await self._idle()
            await read_chunks(self._store, document, self._learn)

    async def _learn(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            await self._retrieval.quiet.wait()
            since = time.monotonic()
            learned = await self._retrieval.nearest.learn(chunk, self._most)
            self._learned += learned
            if learned:
                await asyncio.sleep(REST_SHARE * (time.monotonic() - since))

    async def _idle(self) -> None:
        """Wait until no document waits for the index: those are what somebody may ask for next."""
        while await self._store.row("index.queued", tenant=self._tenant, least=0) is not None:
            self._wake.clear()
            await rested(self._wake)

    async def _paged(self, revision: int) -> None:
        """Nothing is held per page."""
