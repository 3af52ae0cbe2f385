from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.knowledge.contract import Chunk, Vectors
from server.knowledge.follower import CHUNKS, DOCUMENTS, Follower, audience_of, pack, read_chunks, read_vectors, unpack
from server.store.contract import Row, Tx
from tests.server.knowledge.library import Library, WordVectors, indexing, open_library


class Told:
    """Keeps what a follower hands over."""

    def __init__(self, library: Library, revision: int = 0) -> None:
        self.taken: list[str] = []
        self.marks: list[int] = []
        self.follower = Follower(library.store, library.tenant, self.take, self.mark, revision)

    async def take(self, document: Row) -> None:
        self.taken.append(str(document["id"]))

    async def mark(self, revision: int) -> None:
        self.marks.append(revision)


def test_vectors_survive_their_text_form():
    vector = np.linspace(-1, 1, 384, dtype=np.float32)
    assert len(pack(vector)) == 2_048
    assert np.array_equal(unpack(pack(vector)), vector)


def test_an_unknown_audience_is_staff():
    assert [audience_of({"audience": name}) for name in ("customer", "staff", "?")] == ["customer", "staff", "staff"]


async def test_changes_come_once_in_their_order_and_deletions_too(store_url: str):
    async with open_library(store_url) as library, indexing(library, WordVectors()):
        told = Told(library)
        assert not await told.follower.catch_up()
        names = [await library.put(f"d{at}", f"Text {at}") for at in range(3)]
        revision = await library.settled()
        assert await told.follower.catch_up()
        assert sorted(told.taken) == names
        assert told.marks == [revision]
        await library.delete(names[0])
        assert await told.follower.catch_up()
        assert told.taken[3:] == names[:1]
        assert not await told.follower.catch_up()
        told.follower.rewind()
        await told.follower.catch_up()
        assert sorted(told.taken[4:]) == names


async def test_documents_that_share_a_revision_are_not_lost_between_pages(store_url: str):
    async with open_library(store_url) as library:
        names = sorted([await library.put(f"d{at:03}", "x") for at in range(DOCUMENTS + 5)])
        revision = await library.revision()

        async def delete(tx: Tx) -> None:
            row = await tx.row("knowledge.raise_revision", tenant=library.tenant)
            assert row is not None
            await tx.run("library.delete_all", tenant=library.tenant, revision=row["revision"])

        await library.store.write(delete)
        told = Told(library)
        await told.follower.catch_up()
        assert told.taken == names
        assert told.marks == [revision, revision + 1]  # the first page is not the whole revision


async def test_long_documents_come_in_pages_with_and_without_vectors(store_url: str):
    async with open_library(store_url) as library, indexing(library, WordVectors(), tokens=40) as _:
        text = "\n\n".join(f"# Part {at}\n\n" + f"word{at} " * 30 for at in range(CHUNKS + 20))
        document = await library.put("long", text)
        await library.settled()
        [row] = await library.store.rows("index.changed", tenant=library.tenant, after=0, after_id="", limit=5)
        pages: list[int] = []
        vectors: list[tuple[int, int]] = []

        async def take(chunks: Sequence[Chunk]) -> None:
            pages.append(len(chunks))
            assert chunks[0].document_id == document

        async def take_vectors(chunks: Sequence[Chunk], rows: Vectors) -> None:
            vectors.append((len(chunks), rows.shape[1]))

        await read_chunks(library.store, row, take)
        await read_vectors(library.store, row, "words", take_vectors)
        await read_vectors(library.store, row, "another model", take_vectors)
        assert pages[0] == CHUNKS
        assert [size for size, _ in vectors] == pages
        assert {width for _, width in vectors} == {64}
