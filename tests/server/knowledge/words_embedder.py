"""An embedder whose vectors are counts of words: near means many words in common."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from server.knowledge.contract import Vectors
from server.knowledge.wording import content


class WordsEmbedder:
    model = "words"
    dimensions = 256

    def __init__(self) -> None:
        self.embedded = 0

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        del query
        self.embedded += len(texts)
        made = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in content(text):
                made[row, int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimensions] += 1
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        return np.asarray(made / np.where(lengths > 0, lengths, 1), np.float32)
