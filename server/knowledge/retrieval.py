"""Finds passages for a question: both halves at once, fused, checked against the database, within a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from config.knowledge import Knowledge
from server.knowledge import confidence
from server.knowledge.chunking import ESTIMATE_CHARACTERS
from server.knowledge.contract import (
    NOTHING,
    Audience,
    Chunk,
    Hit,
    IndexUnavailable,
    Passage,
    Retrieved,
    Vectors,
)
from server.knowledge.follower import audience_of, unpack
from server.knowledge.fusion import Fused, choose, fuse
from server.knowledge.glossary import expanded, in_english
from server.knowledge.index import Index
from server.knowledge.nearest import Nearest
from server.knowledge.rerank import CANDIDATES, Reranker, RerankFailed
from server.store.contract import Row, Store, StoreError
from server.store.text import clean

log = structlog.get_logger()

MOST_QUESTION = 2_000  # characters that are looked at
PER_DOCUMENT = 3  # passages of one document at most
CHECKED = 40  # of the fused hits that are looked up in the database
SENTENCES_S = 0.3  # for comparing sentences; a shop's usual ones are known after a while and take a millisecond
CHECK_SHARE = 0.25  # of the time that is kept for looking up and choosing

Estimate = Callable[[str, Sequence[Passage]], float]


class _Run:
    """What is known of one question so far."""

    def __init__(self, question: str, audience: Audience, timeout_s: float) -> None:
        self.question = question
        self.audience = audience
        self.started = time.monotonic()
        self.until = self.started + timeout_s
        self.vector: Vectors | None = None
        self.missing: list[str] = []
        self.took_ms: dict[str, float] = {}

    def left_s(self, share: float = 0.0) -> float:
        """Seconds until the time is up, less a share of all of it."""
        return max(0.0, self.until - time.monotonic() - share * (self.until - self.started))

    def timed(self, name: str, since: float) -> None:
        """Note how long a part took."""
        self.took_ms[name] = round((time.monotonic() - since) * 1_000, 2)


class Retrieval:
    """Implements ``contract.Retriever`` over one tenant's index; ``estimate`` gives the confidence."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        index: Index,
        settings: Knowledge,
        reranker: Reranker | None = None,
        estimate: Estimate = confidence.estimate,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._index = index
        self._settings = settings
        self._reranker = reranker
        self._estimate = estimate
        self.nearest = Nearest(index.embeddings)
        self._answering = 0
        self.quiet = asyncio.Event()  # set while nobody waits for an answer from here
        self.quiet.set()
        self._sharpening: asyncio.Task[Sequence[Passage]] | None = None

    async def retrieve(self, question: str, *, audience: Audience = "customer", limit: int | None = None) -> Retrieved:
        """The best passages that this audience may see; what could not be asked in time is named in ``degraded``."""
        text = clean(question).strip()[:MOST_QUESTION]
        if not self._settings.enabled or not text or self._index.empty:
            return NOTHING
        self._answering += 1
        self.quiet.clear()
        try:
            return await self._retrieve(_Run(text, audience, self._settings.timeout_s), limit)
        finally:
            self._answering -= 1
            if not self._answering:
                self.quiet.set()

    async def _retrieve(self, run: _Run, limit: int | None) -> Retrieved:
        lexical, vector = await self._both(run)
        passages: Sequence[Passage] = ()
        try:
            async with asyncio.timeout(run.left_s()):
                passages = await self._passages(run, lexical, vector)
                passages = await self._sharpened(run, passages)
                passages = await self._reranked(run, passages)
        except TimeoutError:
            run.missing.append("late")
        except StoreError as error:
            log.warning("passages_not_checked", reason=str(error))
            run.missing.append("late")
        chosen = choose(passages, limit or self._settings.passages, PER_DOCUMENT, self._room())
        run.timed("total", run.started)
        degraded = " ".join(dict.fromkeys(run.missing))
        likely = self._estimate(run.question, chosen) if chosen else 0.0
        return Retrieved(tuple(chosen), likely, degraded=degraded, took_ms=run.took_ms)

    async def candidates(self, question: str, audience: Audience = "customer") -> tuple[list[Hit], list[Hit]]:
        """Hits of both halves as they are, lexical ones first: for evaluation. A half that is missing has none."""
        return await self._both(_Run(clean(question).strip()[:MOST_QUESTION], audience, self._settings.timeout_s))

    async def _both(self, run: _Run) -> tuple[list[Hit], list[Hit]]:
        words = asyncio.create_task(self._words(run))
        near = asyncio.create_task(self._near(run))
        try:
            _, late = await asyncio.wait({words, near}, timeout=run.left_s(CHECK_SHARE))
        finally:
            for task in (words, near):
                task.cancel()
        found: list[list[Hit]] = []
        for name, task in (("lexical", words), ("vectors", near)):
            if task in late:
                run.missing += [name, "late"]
                found.append([])
            else:
                found.append(task.result())
        return found[0], found[1]

    async def _words(self, run: _Run) -> list[Hit]:
        since = time.monotonic()
        try:
            return await self._index.search_words(expanded(run.question), run.audience, self._settings.candidates)
        except IndexUnavailable as error:
            log.debug("half_missing", half="lexical", reason=str(error))
            run.missing.append("lexical")
            return []
        finally:
            run.timed("lexical", since)

    async def _near(self, run: _Run) -> list[Hit]:
        since = time.monotonic()
        try:
            asked = in_english(run.question) or run.question
            run.vector = (await self._index.embeddings.embed([asked], query=True))[0]
            run.timed("embed", since)
            since = time.monotonic()
            hits = await self._index.search_vectors(run.vector, run.audience, self._settings.candidates)
        except IndexUnavailable as error:
            log.debug("half_missing", half="vectors", reason=str(error))
            run.missing.append("vectors")
            return []
        run.timed("vector", since)
        if self._index.reason:
            run.missing.append("vectors")  # it is being filled again: what it found may not be all
        return hits

    async def _passages(self, run: _Run, lexical: Sequence[Hit], vector: Sequence[Hit]) -> list[Passage]:
        """The hits as the database knows them, best first; less what it does not know or this audience may not see."""
        since = time.monotonic()
        fused = fuse(lexical, vector)[: max(CHECKED, self._settings.candidates)]
        rows = await self._store.rows(
            "index.passages",
            tenant=self._tenant,
            audience=run.audience,
            ids=json.dumps([entry.chunk_id for entry in fused]),
        )
        known = {str(row["id"]): row for row in rows}
        lacking = [entry for entry in fused if entry.vector is None and entry.chunk_id in known]
        near = await self._similarities(run, [known[entry.chunk_id] for entry in lacking])
        if (
            near and not vector
        ):  # no vector index, yet the question has a vector: the hits by words are compared exactly
            ordered = sorted(near.items(), key=lambda pair: (-pair[1], pair[0]))
            fused = fuse(lexical, [Hit(name, score, rank) for rank, (name, score) in enumerate(ordered, 1)])
        run.timed("check", since)
        return [_passage(entry, known[entry.chunk_id], near) for entry in fused if entry.chunk_id in known]

    async def _similarities(self, run: _Run, rows: Sequence[Row]) -> Mapping[str, float]:
        """Cosines of chunks that only words found, from the stored vectors."""
        if run.vector is None or not rows:
            return {}
        digests = json.dumps(sorted({str(row["digest"]) for row in rows}))
        stored = await self._store.rows(
            "index.embeddings", tenant=self._tenant, model=self._index.embeddings.model, digests=digests
        )
        vectors = {str(row["digest"]): unpack(row["vector"]) for row in stored}
        return {str(row["id"]): float(vectors[row["digest"]] @ run.vector) for row in rows if row["digest"] in vectors}

    async def _sharpened(self, run: _Run, passages: Sequence[Passage]) -> Sequence[Passage]:
        """The same with the nearest sentence of the best ones; as they are where there is no time or model for it.

        Sentences that are new cost time: what is not done when it is up goes on by itself, for the next question.
        """
        if run.vector is None or (self._sharpening is not None and not self._sharpening.done()):
            return passages
        since = time.monotonic()
        task = self._sharpening = asyncio.create_task(self._order(run.vector, passages), name="sentences")
        await asyncio.wait({task}, timeout=min(SENTENCES_S, run.left_s(CHECK_SHARE / 2)))
        run.timed("sentences", since)
        return task.result() if task.done() else passages

    async def _order(self, vector: Vectors, passages: Sequence[Passage]) -> Sequence[Passage]:
        try:
            return await self.nearest.order(vector, passages)
        except IndexUnavailable as error:
            log.debug("sentences_not_compared", reason=str(error))
            return passages

    async def _reranked(self, run: _Run, passages: Sequence[Passage]) -> Sequence[Passage]:
        if self._reranker is None or len(passages) < 2:  # noqa: PLR2004 - one has no order
            return passages
        since = time.monotonic()
        first = list(passages[:CANDIDATES])
        try:
            texts = [_shown(passage.chunk) for passage in first]
            order = await self._reranker.order(run.question, texts, run.left_s(CHECK_SHARE / 2))
        except RerankFailed as error:
            log.warning("rerank_failed", reason=str(error))
            return passages
        run.timed("rerank", since)
        return [*(first[at] for at in order), *passages[len(first) :]]

    def _room(self) -> Callable[[Passage], bool]:
        """Whether one more passage fits what all of them may take together; the first one always does."""
        left = float(self._settings.passage_tokens)
        first = True

        def room(passage: Passage) -> bool:
            nonlocal left, first
            cost = len(_shown(passage.chunk)) / ESTIMATE_CHARACTERS
            if cost > left and not first:
                return False
            left, first = left - cost, False
            return True

        return room


def _shown(chunk: Chunk) -> str:
    return f"{chunk.title} > {chunk.heading}: {chunk.text}"


def _passage(entry: Fused, row: Row, near: Mapping[str, float]) -> Passage:
    chunk = Chunk(
        str(row["id"]),
        str(row["document_id"]),
        str(row["title"]),
        str(row["heading"]),
        str(row["text"]),
        str(row["url"]),
        audience_of(row),
        str(row["digest"]),
    )
    found = Passage(chunk, round(entry.score, 6))
    if entry.lexical is not None:
        found = replace(found, lexical_rank=entry.lexical.rank, lexical_score=entry.lexical.score)
    if entry.vector is not None:
        return replace(found, vector_rank=entry.vector.rank, similarity=entry.vector.score)
    return replace(found, similarity=near.get(chunk.id))
