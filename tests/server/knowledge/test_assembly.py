"""Knowledge as one process has it: what one writes the others find, by words alone where no vectors can be had."""

from __future__ import annotations

import asyncio
from pathlib import Path

from config.settings import Settings
from server.knowledge.assembly import Knowledge, Reading
from server.knowledge.documents import Documents
from server.knowledge.sources import Sources
from server.telemetry import Metrics
from tests.places import Place, until


def settings(folder: Path) -> Settings:
    words_only = {"embedding_url": "http://127.0.0.1:9/v1"}  # nothing is fetched
    return Settings.model_validate({"data_dir": str(folder / "data"), "knowledge": words_only})


async def test_what_is_written_is_found_by_every_process(tmp_path: Path):
    config = settings(tmp_path)
    async with Place("sqlite", f"sqlite:///{tmp_path}/desk.db").open(real_clock=True) as store:
        worker, reader = (Knowledge(store, config, Metrics(), works=works) for works in (True, False))
        async with worker.running(), reader.running(), asyncio.timeout(20):
            assert (await reader.retriever.retrieve("Where are you?")).empty
            await Documents(store, config).save(title="Returns", text="# Returns\n\nThirty days.", changed_by="ana")
            await until(lambda: reader.revision > 0, 15)
            found = await reader.retriever.retrieve("How many days for returns?")
            assert [passage.chunk.title for passage in found.passages] == ["Returns"]
            assert "vectors" in found.degraded
            await until(lambda: reader.degraded == "vectors", 15)


async def test_reading_alone_indexes_a_source(tmp_path: Path):
    config, folder = settings(tmp_path), tmp_path / "papers"
    folder.mkdir()
    (folder / "wool.md").write_text("# Wool\n\nWash it cold.", encoding="utf-8")
    async with Place("sqlite", f"sqlite:///{tmp_path}/desk.db").open(real_clock=True) as store, asyncio.timeout(30):
        sources = Sources(store, config)
        source = await sources.create("files", "Papers", {"path": str(folder)})
        async with Reading(store, config).running():
            while source.state != "indexed":
                await asyncio.sleep(0.05)
                source = await sources.get(source.id)
        assert (source.documents, source.queued) == (1, 0)
