"""The one sentence or table row of each candidate that is nearest to the question, and an order that knows it.

A chunk's vector is the mean of what it says, so a fact that stands beside others is easily lost in it. Sentences of the
few best candidates are embedded too; their vectors are kept, so a shop's usual passages cost nothing after a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from server.knowledge.contract import Chunk, Embedder, Hit, Passage, Vectors
from server.knowledge.fusion import fuse
from server.knowledge.sentences import split

CANDIDATES = 16  # passages whose sentences are looked at
MOST_NEW = 24  # sentences embedded for one question; passages beyond wait for another question
MOST_KEPT = 40_000  # vectors of sentences, 31 MB in half precision (a cosine moves by less than 0.0001)
FEW = 2  # sentences: so short a passage is as near as its own vector says
MOST_SENTENCES = 40  # of one passage
CUT = 4_096  # passages whose sentences are remembered, some MB


class Nearest:
    """Keeps sentence vectors of one embedder in memory, by passage; belongs to one event loop."""

    def __init__(self, embedder: Embedder, *, most_new: int = MOST_NEW) -> None:
        self._embedder = embedder
        self._most_new = most_new
        self._kept: OrderedDict[str, NDArray[np.float16]] = OrderedDict()
        self.held = 0  # sentences

    async def order(self, vector: Vectors, passages: Sequence[Passage]) -> list[Passage]:
        """The passages with their nearest sentences, the best candidates in a better order.

        ``vector`` is the question's, shape (dimensions,). Raises IndexUnavailable.
        """
        first = list(passages[:CANDIDATES])
        sentences = [shown(passage.chunk) for passage in first]
        await self._fetch([passage.chunk for passage in first], sentences)
        looked_at = [self._with_nearest(*pair, vector) for pair in zip(first, sentences, strict=True)]
        return [*reordered(looked_at), *passages[CANDIDATES:]]

    async def learn(self, chunk: Chunk, most: int) -> int:
        """Embed a chunk's sentences before anybody asks, as work that questions overtake; how many were embedded.

        Nothing happens where they are known or ``most`` sentences are kept already. Raises IndexUnavailable.
        """
        sentences = shown(chunk)
        if _key(chunk) in self._kept or not sentences or self.held + len(sentences) > most:
            return 0
        self._keep(chunk, await self._embedder.embed(sentences))
        return len(sentences)

    async def _fetch(self, chunks: Sequence[Chunk], sentences: Sequence[Sequence[str]]) -> None:
        """Embed what is new, whole passages only: half of one would name the wrong sentence."""
        new: list[tuple[Chunk, Sequence[str]]] = []
        for chunk, own in zip(chunks, sentences, strict=True):
            if _key(chunk) in self._kept:
                self._kept.move_to_end(_key(chunk))
            elif own and (not new or sum(len(texts) for _, texts in new) + len(own) <= self._most_new):
                new.append((chunk, own))
        if not new:
            return
        vectors = await self._embedder.embed([text for _, own in new for text in own], query=True)
        at = 0
        for chunk, own in new:
            self._keep(chunk, vectors[at : at + len(own)])
            at += len(own)

    def _keep(self, chunk: Chunk, vectors: Vectors) -> None:
        before = self._kept.pop(_key(chunk), None)
        self._kept[_key(chunk)] = vectors.astype(np.float16)
        self.held += len(vectors) - (len(before) if before is not None else 0)
        while self.held > MOST_KEPT:
            _, oldest = self._kept.popitem(last=False)
            self.held -= len(oldest)

    def _with_nearest(self, passage: Passage, sentences: Sequence[str], vector: Vectors) -> Passage:
        kept = self._kept.get(_key(passage.chunk))
        if kept is None or not sentences:
            return passage
        cosines = kept.astype(np.float32) @ vector
        best = int(cosines.argmax())
        return replace(passage, nearest=sentences[best].partition("\n")[2], nearness=float(cosines[best]))


def shown(chunk: Chunk) -> list[str]:
    """What is embedded for each sentence: the passage's title above it, else it often says of what only there."""
    return [f"{chunk.title}\n{sentence}" for sentence in sentences_of(chunk.text)[:MOST_SENTENCES]]


@lru_cache(maxsize=CUT)
def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a passage; the same passages come up again and again, and cutting takes the loop's time."""
    return tuple(split(text))


def _key(chunk: Chunk) -> str:
    """The same for chunks that say the same below the same title."""
    return chunk.digest or f"{chunk.title}\n{chunk.text}"


def combined(passage: Passage) -> float:
    """How near a passage is with its nearest sentence taken into account, a cosine."""
    similarity = passage.similarity if passage.similarity is not None else -1.0
    if passage.nearness is None or len(sentences_of(passage.chunk.text)) <= FEW:
        return similarity
    return (similarity + passage.nearness) / 2 if passage.similarity is not None else passage.nearness


def reordered(passages: Sequence[Passage]) -> list[Passage]:
    """Fused again with the vector half in the order of :func:`combined`; its ranks stay those that were found."""
    near = sorted((passage for passage in passages if passage.similarity is not None), key=combined, reverse=True)
    words = sorted((p for p in passages if p.lexical_rank is not None), key=lambda p: p.lexical_rank or 0)
    hits = [Hit(passage.chunk.id, combined(passage), rank) for rank, passage in enumerate(near, 1)]
    by_words = [Hit(p.chunk.id, p.lexical_score or 0.0, p.lexical_rank or 0) for p in words]
    known = {passage.chunk.id: passage for passage in passages}
    fused = fuse(by_words, hits)
    found = [replace(known[entry.chunk_id], score=round(entry.score, 6)) for entry in fused]
    return found + [passage for passage in passages if passage.lexical_rank is None and passage.similarity is None]
