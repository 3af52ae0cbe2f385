"""Knowledge put together: what follows the documents and answers from them, and what reads sources and indexes.

Loaded by name where knowledge is on: its numeric libraries cost a third of the server's start.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from config.settings import Settings
from server.egress import Egress
from server.knowledge import confidence
from server.knowledge.chroma import open_vectors
from server.knowledge.index import Index
from server.knowledge.indexer import Indexer
from server.knowledge.parsing import Reader
from server.knowledge.rerank import open_reranker
from server.knowledge.retrieval import Retrieval
from server.knowledge.site import SiteReader
from server.knowledge.sync import Sync, readers
from server.knowledge.vectors import Embeddings, open_embeddings
from server.knowledge.warming import Warming
from server.store.contract import Store
from server.telemetry import Metrics

LOAD_S = 1.0  # of the start are for reading the index; what takes longer goes on behind
SWITCH_S = 0.001  # until a thread that cuts, counts or embeds gives way: at 0.005 a turn of the loop waited for many


class Reading:
    """Reads sources and indexes what they hold: the part of knowledge that workers do, and ``frontdesk ingest``."""

    def __init__(self, store: Store, settings: Settings, embeddings: Embeddings | None = None) -> None:
        known = settings.knowledge
        self._own = open_embeddings(known) if embeddings is None else None
        reader = Reader(known.parse)
        self._egress = Egress(
            known.crawl.allow_hosts,
            max_bytes=known.crawl.max_bytes,
            timeout_s=known.crawl.timeout_s,
            user_agent=known.crawl.user_agent,
        )
        kinds = {**readers(settings, reader), "site": SiteReader(self._egress, known.crawl)}
        self._sync = Sync(store, settings, reader, kinds)
        embeds = embeddings or self._own
        assert embeds is not None
        self._indexer = Indexer(store, settings.tenant, embeds, known.chunk_tokens)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read what is queued or due, index what is new."""
        async with AsyncExitStack() as stack:
            if self._own is not None:
                stack.push_async_callback(self._own.close)
            for part in (self._egress.running, self._indexer.running, self._sync.running):
                await stack.enter_async_context(part())
            yield


class Knowledge:
    """Index and search of one process; ``works`` says whether it also reads sources and indexes."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics, *, works: bool) -> None:
        known, tenant = settings.knowledge, settings.tenant
        self._embeddings = open_embeddings(known)
        vectors = open_vectors(known, store, tenant, self._embeddings.model, settings.data_dir)
        self.index = Index(store, tenant, self._embeddings, vectors, metrics.knowledge_degraded.set)
        self._reranker = open_reranker(known)
        self.retriever = Retrieval(store, tenant, self.index, known, self._reranker, confidence.estimate)
        self._warming = Warming(store, tenant, self.retriever) if self._embeddings.local else None
        self._reading = Reading(store, settings, self._embeddings) if works else None

    @property
    def revision(self) -> int:
        """The newest change that this process answers from."""
        return self.index.revision

    @property
    def degraded(self) -> str:
        """What of the index is missing, empty when nothing is."""
        return "vectors" if self.index.reason else ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the documents; a worker also reads sources and indexes what is new."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._embeddings.close)
            stack.callback(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(SWITCH_S)
            if self._reranker is not None:
                stack.push_async_callback(self._reranker.close)
            preparing = asyncio.create_task(self._embeddings.prepare(), name="embedding libraries")
            await stack.enter_async_context(self.index.running())
            with suppress(TimeoutError):  # a small shop's first question finds everything; a large one does not wait
                async with asyncio.timeout(LOAD_S):
                    await self.index.loaded.wait()
            await preparing
            if self._reading is not None:
                await stack.enter_async_context(self._reading.running())
            if self._warming is not None:
                await stack.enter_async_context(self._warming.running())
            yield
