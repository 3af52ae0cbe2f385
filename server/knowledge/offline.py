"""An index of a folder in memory, built with the parts of the real one: for evaluation without a running store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from config.knowledge import Knowledge
from server.knowledge.catalogue import product
from server.knowledge.chunking import Chunker, embedded_text
from server.knowledge.contract import Chunk, Embedder, Hit, Passage, SourceRefused, Vectors
from server.knowledge.files import contents
from server.knowledge.fusion import fuse
from server.knowledge.glossary import expanded, in_english
from server.knowledge.kinds import checked
from server.knowledge.lexical import TantivyIndex
from server.knowledge.nearest import Nearest
from server.knowledge.pairs import pair
from server.knowledge.parsing import Reader
from server.knowledge.vectors import ExactVectors

TABLES = (".csv",)
EVERY_SENTENCE = 10_000  # may be embedded for one question: figures must not depend on the questions before it


@dataclass(frozen=True, slots=True)
class Text:
    """A document: the name of its file, its title, its Markdown; ``key`` is a row's where a table holds many."""

    name: str
    title: str
    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What each half and both together found for a question, chunk ids best first, and the passages of both."""

    lexical: tuple[str, ...]
    vector: tuple[str, ...]
    passages: tuple[Passage, ...]

    @property
    def fused(self) -> tuple[str, ...]:
        """Chunk ids of both halves together."""
        return tuple(passage.chunk.id for passage in self.passages)


async def read_folder(folder: Path, settings: Knowledge, wanted: Callable[[str], bool] = bool) -> list[Text]:
    """Every readable document below a folder; a table of products or questions gives one for each row."""
    found: list[Text] = []
    reader = Reader(settings.parse)
    async with reader.running():
        for name, data in await contents(folder, settings.parse.max_bytes):
            if wanted(name):
                found += await _texts(reader, name, data)
    return found


async def _texts(reader: Reader, name: str, data: bytes) -> list[Text]:
    if name.endswith(TABLES):
        rows = await reader.rows(data, name)
        texts = _pairs(name, rows) or _products(name, rows)
        if texts:
            return texts
    parsed = await reader.read(data, name)
    return [Text(name, parsed.title, parsed.text)]


def _pairs(name: str, rows: Sequence[Mapping[str, str]]) -> list[Text]:
    made = [pair(row["question"], row["answer"]) for row in rows if row.get("question") and row.get("answer")]
    return [Text(name, each.title, each.text, each.uri) for each in made]


def _products(name: str, rows: Sequence[Mapping[str, str]]) -> list[Text]:
    config = checked("catalogue", {})
    try:
        made = [product(row, config) for row in rows]
    except SourceRefused:  # a table of something else
        return []
    return [Text(name, each.title, each.text, each.uri) for each in made if each is not None]


class Offline:
    """Both halves over texts; ``embedder`` is the configured one."""

    def __init__(self, embedder: Embedder, settings: Knowledge, tokenizer: Tokenizer | None = None) -> None:
        self._embedder = embedder
        self._settings = settings
        self._chunker = Chunker(settings.chunk_tokens, tokenizer)
        self._words = TantivyIndex()
        self._vectors = ExactVectors()
        self._nearest = Nearest(embedder, most_new=EVERY_SENTENCE)
        self._similar: dict[str, Vectors] = {}
        self.chunks: dict[str, Chunk] = {}
        self.documents: dict[str, str] = {}  # document id -> name in question files

    async def add(self, texts: Sequence[Text]) -> None:
        """Index documents; raises IndexUnavailable."""
        made: list[Chunk] = []
        for text in texts:
            document_id = f"{text.name}#{text.key}" if text.key else text.name
            self.documents[document_id] = text.name
            own = self._chunker.cut(document_id, text.title, "", "customer", text.text)
            self._words.replace(document_id, own)
            made += own
        self._words.commit()
        vectors = await self._embedder.embed([embedded_text(chunk) for chunk in made])
        await self._vectors.open(vectors.shape[1])
        await self._vectors.extend(made, vectors)
        self.chunks |= {chunk.id: chunk for chunk in made}
        self._similar |= {chunk.id: vector for chunk, vector in zip(made, vectors, strict=True)}

    async def find(self, question: str) -> Found:
        """What is found for a question, as the running service finds it."""
        limit = self._settings.candidates
        lexical = self._words.search(expanded(question), "customer", limit)
        vector = (await self._embedder.embed([in_english(question) or question], query=True))[0]
        near = await self._vectors.search(vector, "customer", limit)
        passages = await self._nearest.order(vector, self._passages(lexical, near, vector))
        return Found(tuple(hit.chunk_id for hit in lexical), tuple(hit.chunk_id for hit in near), tuple(passages))

    def _passages(self, lexical: Sequence[Hit], near: Sequence[Hit], vector: Vectors) -> list[Passage]:
        found = []
        for entry in fuse(lexical, near):
            passage = Passage(self.chunks[entry.chunk_id], entry.score)
            if entry.lexical:
                passage = replace(passage, lexical_rank=entry.lexical.rank, lexical_score=entry.lexical.score)
            similarity = float(self._similar[entry.chunk_id] @ vector)
            rank = entry.vector.rank if entry.vector else None
            found.append(replace(passage, vector_rank=rank, similarity=similarity))
        return found
