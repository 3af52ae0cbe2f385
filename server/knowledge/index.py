"""The index of one process: it follows the database into words and vectors, and says what is missing.

Words are held in memory by every process; vectors by Chroma, which one process fills. Whatever happens to either, the
database holds everything: a half that was lost is filled again from there while the other half goes on answering.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
import structlog

from server.knowledge.contract import Audience, Chunk, Hit, IndexUnavailable, Vectors
from server.knowledge.documents import KNOWLEDGE
from server.knowledge.follower import Follower, read_chunks, read_vectors
from server.knowledge.lexical import TantivyIndex
from server.knowledge.vectors import Embeddings, FollowingVectors
from server.shifts import end, repeat, rested
from server.store.contract import Row, Store

log = structlog.get_logger()

VERIFY_S = 60.0  # between counts of what the vector index holds
DIFFERS_S = 3_600.0  # after a filling that did not help
PAUSE_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # before the next attempt to reach it
PROBE_FAILURES = 2  # it can be reached but cannot answer: it is broken, not away
REBUILD_ADVICE = "answers go on with words alone; vectors are filled again from the database once it answers"


class Index:
    """Both halves of one tenant's index; ``on_degraded`` hears 1 when vectors are lost and 0 when they are back."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        embeddings: Embeddings,
        vectors: FollowingVectors,
        on_degraded: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self.embeddings = embeddings
        self._vectors = vectors
        self._on_degraded = on_degraded
        self._words: TantivyIndex | None = None
        self._held = 0  # chunks that words can find
        self._revision = 0
        self._word_follower = Follower(store, tenant, self._take_words, self._words_paged)
        self._vector_follower: Follower | None = None
        self._wakes = {"words": asyncio.Event(), "vectors": asyncio.Event()}
        self._writing = ThreadPoolExecutor(1, "index-words")
        self._searching = ThreadPoolExecutor(2, "search-words")
        self._failures = 0
        self._losses = 0  # in all, of which failures are those since it last answered
        self._probes = 0
        self._retry_at = 0.0
        self._verify_at = 0.0
        self._moved = asyncio.Event()
        self.loaded = asyncio.Event()
        self.reason = ""  # why vectors are missing; empty while they are not

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the database until the end of the block."""
        leave = self._store.listen(KNOWLEDGE, lambda *_: self._wake())
        loops = [
            asyncio.create_task(
                repeat("index words", self._follow_words, partial(rested, self._wakes["words"])), name="index words"
            ),
            asyncio.create_task(
                repeat("index vectors", self._follow_vectors, partial(rested, self._wakes["vectors"])),
                name="index vectors",
            ),
        ]
        for pool in (self._writing, self._searching):
            pool.submit(
                int
            )  # a loop that starts a thread waits for it, long on a busy machine: not in the first question
        try:
            yield
        finally:
            leave()
            await end(loops)
            for pool in (self._writing, self._searching):
                pool.shutdown(wait=False, cancel_futures=True)
            await self._vectors.close()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to find; False while that is not known yet."""
        return self.loaded.is_set() and self._held == 0

    @property
    def revision(self) -> int:
        """Up to which change words can be found here."""
        return self._revision

    async def note(self) -> str:
        """A phrase for the readiness page."""
        if self.reason:
            return f"answers by words alone: {self.reason}"
        return "ready" if self.loaded.is_set() else "loading"

    async def caught_up(self, revision: int, *, vectors: bool = False) -> None:
        """Return once changes up to ``revision`` can be found here; by vectors too when asked for."""
        while self.revision < revision or (vectors and not self._has_vectors(revision)):
            self._moved.clear()
            await self._moved.wait()

    def _has_vectors(self, revision: int) -> bool:
        return self._vector_follower is not None and self._vector_follower.revision >= revision and not self.reason

    async def search_words(self, text: str, audience: Audience, limit: int) -> list[Hit]:
        """Hits by words. Raises IndexUnavailable while the first filling is under way."""
        if not self.loaded.is_set():
            raise IndexUnavailable("words are still being read from the database")
        if self._words is None:
            return []
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._searching, self._words.search, text, audience, limit)

    async def search_vectors(self, vector: Vectors, audience: Audience, limit: int) -> list[Hit]:
        """Hits by nearness. Raises IndexUnavailable; a fault starts the repair."""
        if self._vector_follower is None:
            raise IndexUnavailable(self.reason or "the vector index is being opened")
        try:
            return await self._vectors.search(vector, audience, limit)
        except IndexUnavailable as error:
            self._lost(str(error))
            raise

    def _wake(self) -> None:
        for event in self._wakes.values():
            event.set()

    async def _follow_words(self) -> None:
        await self._word_follower.catch_up()
        self.loaded.set()
        self._moved.set()

    async def _take_words(self, document: Row) -> None:
        loop = asyncio.get_running_loop()
        if self._words is None:
            self._words = await loop.run_in_executor(self._writing, TantivyIndex)
        words = self._words
        await loop.run_in_executor(self._writing, words.replace, document["id"], ())

        async def take(chunks: Sequence[Chunk]) -> None:
            await loop.run_in_executor(self._writing, words.extend, chunks)

        await read_chunks(self._store, document, take)

    async def _words_paged(self, revision: int) -> None:
        assert self._words is not None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writing, self._words.commit)
        self._held = await loop.run_in_executor(self._writing, self._words.count)
        self._revision = revision

    async def _follow_vectors(self) -> None:
        """One step: connect when there is something to hold, read on, now and then compare."""
        if time.monotonic() < self._retry_at or not self.loaded.is_set():
            return
        if self._vector_follower is None and self.empty:
            return  # nothing was ever there: no server is started
        losses = self._losses
        try:
            follower = self._vector_follower or await self._connect()
            if await self._vectors.may_write():
                await follower.catch_up()
                await self._verify(follower)
            if self._losses == losses:  # a search that failed meanwhile knows more than a step that asked nothing
                self._vector_follower = follower
                self._found()
        except IndexUnavailable as error:
            self._lost(str(error))

    async def _connect(self) -> Follower:
        if not self.embeddings.dimensions:
            await self.embeddings.warm()
        held = await self._vectors.open(self.embeddings.dimensions)
        if await self._was_broken():
            held = 0
        size = await self._size()
        if await self._vectors.may_write() and held > int(size["revision"]):
            log.warning("vectors_of_another_database", held=held, revision=size["revision"])
            await self._vectors.reset()
            held = 0
        self._verify_at = 0.0
        return self._follower(held)

    def _follower(self, revision: int) -> Follower:
        return Follower(self._store, self._tenant, self._take_vectors, self._vectors.mark, revision)

    async def _was_broken(self) -> bool:
        """Ask it something: a server that is there but cannot answer holds broken files and is emptied."""
        unit = np.zeros(self.embeddings.dimensions, np.float32)
        unit[0] = 1.0
        try:
            await self._vectors.search(unit, "staff", 1)
            self._probes = 0
        except IndexUnavailable:
            self._probes += 1
            if self._probes < PROBE_FAILURES or not await self._vectors.may_write():
                raise
            log.warning("vectors_reset", reason="the index is there but cannot answer")
            await self._vectors.reset()
            return True
        return False

    async def _verify(self, follower: Follower) -> None:
        """Compare the counts; where they differ something was lost or left behind, and everything is read again."""
        if time.monotonic() < self._verify_at or not (differs := await self._difference(follower)):
            return
        log.warning("vectors_rebuilt", reason=differs)
        await self._vectors.reset()
        follower.rewind()
        await follower.catch_up()
        if differs := await self._difference(follower):
            log.error("vectors_differ", reason=differs, advice="the next comparison is in an hour")
            self._verify_at = time.monotonic() + DIFFERS_S

    async def _difference(self, follower: Follower) -> str:
        size = await self._size()
        if int(size["revision"]) != follower.revision:
            return ""  # more came meanwhile: the next step compares
        held = await self._vectors.count()
        self._verify_at = time.monotonic() + VERIFY_S
        return "" if held == int(size["vectors"]) else f"{held} vectors held, {size['vectors']} stored"

    async def _size(self) -> Row:
        row = await self._store.row("index.size", tenant=self._tenant, model=self.embeddings.model)
        assert row is not None
        return row

    async def _take_vectors(self, document: Row) -> None:
        none = np.empty((0, self.embeddings.dimensions), np.float32)
        await self._vectors.replace(document["id"], (), none)
        await read_vectors(self._store, document, self.embeddings.model, self._vectors.extend)

    def _lost(self, reason: str) -> None:
        self._vector_follower = None
        self._retry_at = time.monotonic() + PAUSE_S[min(self._failures, len(PAUSE_S) - 1)]
        self._failures += 1
        self._losses += 1
        if not self.reason:
            log.error("knowledge_degraded", missing="vectors", reason=reason, advice=REBUILD_ADVICE)
            self._on_degraded(1)
        self.reason = reason

    def _found(self) -> None:
        self._failures = 0
        if self.reason:
            log.info("knowledge_recovered", revision=self._vector_follower.revision if self._vector_follower else 0)
            self._on_degraded(0)
        self.reason = ""
        self._moved.set()
