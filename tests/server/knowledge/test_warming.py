from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.knowledge import Knowledge
from server.knowledge.index import Index
from server.knowledge.retrieval import Retrieval
from server.knowledge.vectors import ExactVectors
from server.knowledge.warming import Warming
from tests.server.knowledge.library import Library, WordVectors, embeddings, indexing, open_library, until

LAMP = "The lamp dims with every dimmer. Its shade is made of linen. The cable is black."


@dataclass
class Desk:
    library: Library
    backend: WordVectors
    retrieval: Retrieval
    warming: Warming


@asynccontextmanager
async def desk(folder: Path, most: int = 100) -> AsyncIterator[Desk]:
    backend = WordVectors()
    async with open_library(f"sqlite:///{folder / 'desk.db'}") as library, indexing(library, backend):
        index = Index(library.store, library.tenant, embeddings(backend), ExactVectors())
        async with index.running():
            retrieval = Retrieval(library.store, library.tenant, index, Knowledge())
            yield Desk(library, backend, retrieval, Warming(library.store, library.tenant, retrieval, most))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.shifts.POLL_S", 0.05)


async def test_sentences_are_known_before_anybody_asks(tmp_path: Path):
    async with desk(tmp_path) as at:
        await at.library.put("lamp", LAMP)
        revision = await at.library.settled()
        async with at.warming.running():
            await until(lambda: at.warming.revision >= revision)
            assert at.retrieval.nearest.held == 3
            before = len(at.backend.asked)
            assert "lamp\nIts shade is made of linen." in at.backend.asked
            await at.library.put("wool", "Wool is washed by hand. It dries flat.")
            revision = await at.library.settled()
            await until(lambda: at.warming.revision >= revision)
            assert at.retrieval.nearest.held == 5
            assert len(at.backend.asked) > before


async def test_there_is_a_bound(tmp_path: Path):
    async with desk(tmp_path, most=3) as at:
        await at.library.put("lamp", LAMP)
        await at.library.put("wool", LAMP.replace("lamp", "blanket"))
        revision = await at.library.settled()
        async with at.warming.running():
            await until(lambda: at.warming.revision >= revision)
            assert at.retrieval.nearest.held == 3


async def test_it_stands_still_while_a_question_is_answered(tmp_path: Path):
    async with desk(tmp_path) as at:
        await at.library.put("lamp", LAMP)
        revision = await at.library.settled()
        at.retrieval.quiet.clear()
        async with at.warming.running():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await until(lambda: at.retrieval.nearest.held)
            at.retrieval.quiet.set()
            await until(lambda: at.warming.revision >= revision)
            assert at.retrieval.nearest.held == 3


async def test_a_model_that_cannot_be_had_is_asked_again_later(tmp_path: Path):
    async with desk(tmp_path) as at:
        await at.library.put("lamp", LAMP)
        revision = await at.library.settled()
        at.backend.away = "no model"
        async with at.warming.running():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await until(lambda: at.warming.revision >= revision)
            at.backend.away = ""
            await until(lambda: at.warming.revision >= revision)
            assert at.retrieval.nearest.held == 3
