"""The real server and client; skipped where the package is not installed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from config.knowledge import Knowledge
from server.knowledge import chroma_server as module
from server.knowledge import index as index_module
from server.knowledge.chroma import ChromaVectors, RemoteChroma, open_vectors
from server.knowledge.chroma_server import ChromaServer
from server.knowledge.contract import Audience, Chunk, IndexUnavailable
from server.knowledge.index import Index
from tests.server.knowledge.library import WordVectors, embeddings, indexing, open_library, until
from tests.server.knowledge.test_chroma_server import listener_of

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("chromadb") is None, reason="chromadb is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the client's own imports
]
WIDTH = 8


def chunk(name: str, audience: Audience = "customer") -> Chunk:
    return Chunk(name, name.split(":", maxsplit=1)[0], "", "", "", "", audience)


def rows(*places: int) -> np.ndarray:
    return np.eye(WIDTH, dtype=np.float32)[list(places)]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "BACKOFF_S", (0.05,))
    monkeypatch.setattr(module, "HEALTH_POLL_S", 0.1)
    monkeypatch.setattr(index_module, "PAUSE_S", (0.1,))
    monkeypatch.setattr("server.shifts.POLL_S", 0.05)
    return


@asynccontextmanager
async def vectors(folder: Path, tenant: str = "shop", width: int = WIDTH) -> AsyncIterator[ChromaVectors]:
    opened = ChromaVectors(ChromaServer(folder / "chroma", folder / "chroma.log"), tenant, "model")
    try:
        await opened.open(width)
        yield opened
    finally:
        await opened.close()


async def found(index: ChromaVectors, place: int, audience: Audience = "customer") -> list[str]:
    return [hit.chunk_id for hit in await index.search(rows(place)[0], audience, 5) if hit.score > 0.5]


async def test_chunks_are_found_replaced_and_kept_apart(tmp_path: Path):
    async with vectors(tmp_path) as index:
        await index.replace("a", [chunk("a:0"), chunk("a:1", "staff")], rows(0, 1))
        await index.replace("b", [chunk("b:0")], rows(2))
        hits = await index.search(rows(0)[0], "customer", 5)
        assert (hits[0].chunk_id, hits[0].rank) == ("a:0", 1)
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)
        assert await found(index, 1) == []
        assert await found(index, 1, "staff") == ["a:1"]
        await index.replace("a", [chunk("a:2")], rows(3))
        assert (await found(index, 0), await found(index, 1, "staff"), await found(index, 3)) == ([], [], ["a:2"])
        assert await index.count() == 2
        await index.replace("b", (), np.empty((0, WIDTH), np.float32))
        assert await index.count() == 1


async def test_the_mark_travels_with_the_data_and_a_reset_forgets_both(tmp_path: Path):
    async with vectors(tmp_path) as index:
        await index.extend([chunk("a:0")], rows(0))
        await index.mark(41)
    async with vectors(tmp_path) as index:
        assert await index.open(WIDTH) == 41
        assert await index.count() == 1
        await index.reset()
        assert (await index.count(), await index.open(WIDTH)) == (0, 0)


async def test_tenants_and_widths_do_not_meet(tmp_path: Path):
    async with vectors(tmp_path) as index:
        await index.extend([chunk("a:0")], rows(0))
        other = ChromaVectors(index._place, "elsewhere", "model")
        assert await other.open(WIDTH) == 0
        assert await other.count() == 0
        assert await index.open(WIDTH * 2) == 0
        assert await index.count() == 0
        await index.extend([chunk("x:0")], rows(0))  # a collection takes the width of its first vector
        with pytest.raises(IndexUnavailable, match="Chroma failed"):
            await index.extend([chunk("x:0")], np.ones((1, WIDTH * 2), np.float32))
        await other._disconnect()


async def test_without_a_server_it_is_unavailable(tmp_path: Path):
    async with open_library(f"sqlite:///{tmp_path / 'desk.db'}") as library:
        remote = RemoteChroma("http://127.0.0.1:9", library.store, "shop")
        assert await remote.may_write()
        index = ChromaVectors(remote, "shop", "model")
        with pytest.raises(IndexUnavailable, match="Chroma failed"):
            await index.open(WIDTH)
        with pytest.raises(IndexUnavailable, match="not connected"):
            await index.count()
        await index.close()
        opened = open_vectors(Knowledge(chroma_url="http://127.0.0.1:9"), library.store, "shop", "m", tmp_path)
        assert isinstance(opened._place, RemoteChroma)
        assert isinstance(open_vectors(Knowledge(), library.store, "shop", "m", tmp_path)._place, ChromaServer)


async def test_a_lost_server_is_an_alarm_and_its_data_are_filled_again(tmp_path: Path):
    """R11: killed with its folder destroyed; words answer on, vectors come back from the database."""
    backend, alarms = WordVectors(), list[float]()
    async with open_library(f"sqlite:///{tmp_path / 'desk.db'}") as library, indexing(library, backend):
        place = ChromaServer(tmp_path / "chroma", tmp_path / "chroma.log")
        index = Index(library.store, "shop", embeddings(backend), ChromaVectors(place, "shop", "words"), alarms.append)
        async with index.running():
            document = await library.put("lamps", "The lamp has a dimmer")
            await index.caught_up(await library.settled(), vectors=True)
            hits = await index.search_vectors(backend.vector("lamp dimmer"), "customer", 5)
            assert hits[0].chunk_id.startswith(document)
            [pid] = listener_of(await place.address())
            shutil.rmtree(tmp_path / "chroma")
            (tmp_path / "chroma").mkdir()
            os.kill(pid, signal.SIGKILL)
            await until(lambda: place.restarts)
            with pytest.raises(IndexUnavailable):
                await index.search_vectors(backend.vector("lamp dimmer"), "customer", 5)
            assert await index.search_words("dimmer", "customer", 5)
            await until(lambda: alarms == [1, 0], 30)
            hits = await index.search_vectors(backend.vector("lamp dimmer"), "customer", 5)
            assert hits[0].chunk_id.startswith(document)


def test_no_text_is_ever_given_to_chroma():
    """The client would build code out of what the collection's stored schema names."""
    folder = Path(__file__).parents[3] / "server"
    asking = re.compile(r"query_texts|documents\s*=\s*\[|embedding_function\s*=\s*(?!None)")
    offenders = [
        path.name for path in folder.rglob("*.py") if "chroma" in path.name and asking.search(path.read_text())
    ]
    assert offenders == []
    assert [path.name for path in folder.rglob("*.py") if "query_texts" in path.read_text()] == []
