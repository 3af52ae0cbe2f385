from __future__ import annotations

import numpy as np
import pytest
from pydantic import SecretStr

from config.knowledge import Knowledge
from models.embedding import EmbeddingError
from server.knowledge.contract import Audience, Chunk, IndexUnavailable, Vectors
from server.knowledge.vectors import Embeddings, ExactVectors, open_embeddings


def chunk(name: str, audience: Audience = "customer") -> Chunk:
    return Chunk(name, name.split(":", maxsplit=1)[0], "", "", "", "", audience)


def unit(*values: float) -> Vectors:
    row = np.array(values, np.float32)
    return np.asarray(row / np.linalg.norm(row), np.float32)


@pytest.fixture
async def exact() -> ExactVectors:
    index = ExactVectors()
    await index.open(3)
    await index.replace("a", [chunk("a:0"), chunk("a:1")], np.stack([unit(1, 0, 0), unit(1, 1, 0)]))
    await index.replace("b", [chunk("b:0", "staff")], np.stack([unit(1, 0.1, 0)]))
    return index


async def found(index: ExactVectors, audience: Audience = "customer", limit: int = 5) -> list[str]:
    return [hit.chunk_id for hit in await index.search(unit(1, 0, 0), audience, limit)]


async def test_the_nearest_comes_first_with_its_cosine(exact: ExactVectors):
    hits = await exact.search(unit(1, 0, 0), "staff", 2)
    assert [(hit.chunk_id, hit.rank) for hit in hits] == [("a:0", 1), ("b:0", 2)]
    assert hits[0].score == pytest.approx(1.0)


async def test_customers_do_not_find_what_is_for_staff(exact: ExactVectors):
    assert await found(exact) == ["a:0", "a:1"]
    assert await found(exact, "staff") == ["a:0", "b:0", "a:1"]


async def test_a_replaced_document_leaves_nothing_behind(exact: ExactVectors):
    await exact.replace("a", [chunk("a:2")], np.stack([unit(0, 1, 0)]))
    assert await found(exact, "staff") == ["b:0", "a:2"]
    await exact.replace("b", (), np.empty((0, 3), np.float32))
    assert await found(exact, "staff") == ["a:2"]
    assert await exact.count() == 1


async def test_it_grows_and_forgets(exact: ExactVectors):
    rows = np.stack([unit(0, 1, at + 1) for at in range(3_000)])
    await exact.replace("c", [chunk(f"c:{at}") for at in range(3_000)], rows)
    await exact.mark(7)
    assert (await exact.count(), await exact.open(3)) == (3_003, 7)
    assert len(await found(exact, limit=10_000)) == 3_002
    await exact.reset()
    assert (await exact.count(), await exact.open(3), await found(exact)) == (0, 0, [])


async def test_vectors_of_another_length_are_refused(exact: ExactVectors):
    with pytest.raises(IndexUnavailable, match="4 dimensions, 3 are held"):
        await exact.replace("d", [chunk("d:0")], np.ones((1, 4), np.float32))
    assert await exact.open(4) == 0


class Broken:
    model = "broken"
    dimensions = 3
    tokenizer = None

    async def warm(self) -> None:
        raise EmbeddingError("no disk")

    async def embed(self, *_: object, **__: object) -> Vectors:
        raise EmbeddingError("no disk")

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_models_failure_is_told_in_the_words_of_the_index():
    embeddings = Embeddings(Broken())  # type: ignore[arg-type]
    for call in (embeddings.warm(), embeddings.embed(["x"])):
        with pytest.raises(IndexUnavailable, match="no disk"):
            await call
    assert (embeddings.dimensions, embeddings.tokenizer) == (3, None)


def test_settings_choose_between_the_packaged_model_and_an_endpoint():
    assert open_embeddings(Knowledge()).dimensions == 384
    remote = open_embeddings(
        Knowledge(embedding_url="http://127.0.0.1:9/v1", embedding_key=SecretStr("k"), embedding_model="m")
    )
    assert (remote.model, remote.dimensions) == ("m", 0)
