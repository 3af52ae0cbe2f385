"""How far a run came is committed with what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server import lanes
from server.knowledge.fetched import Fetched, Unchanged
from server.knowledge.run import BATCH, Run
from server.lanes import Lease
from server.store.contract import Fenced
from tests.server.knowledge.shelf import Shelf, open_shelf


@pytest.fixture
async def shelf(store_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with open_shelf(store_url, tmp_path) as one:
        yield one


async def begun(shelf: Shelf) -> tuple[Run, Lease]:
    source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
    (lease,) = await shelf.store.write(lambda tx: lanes.take(tx, "sync", 1, 10.0, shelf.store.worker_id))
    row = await shelf.store.row("knowledge.source", tenant="default", id=source.id)
    assert row is not None
    run = Run(shelf.store, shelf.reader, row, lease, 10.0, again=False)
    await run.begin()
    return run, lease


async def test_what_changes_nothing_is_committed_in_batches(shelf: Shelf):
    run, lease = await begun(shelf)
    for number in range(BATCH - 1):
        await run.take(Unchanged(f"u{number}"))
    assert (await shelf.sources.get(lease.key)).progress["seen"] == 0
    await run.take(Unchanged("last"))
    assert (await shelf.sources.get(lease.key)).progress["seen"] == BATCH
    await run.end_read()
    assert (await shelf.sources.get(lease.key)).state == "indexed"


async def test_bytes_that_are_known_are_not_parsed(shelf: Shelf):
    run, _ = await begun(shelf)
    page = Fetched("u", "", "text/plain", b"text")
    await run.take(page)
    await run.end_read()
    await shelf.sources.sync_now((await shelf.sources.list())[0].id)
    (lease,) = await shelf.store.write(lambda tx: lanes.take(tx, "sync", 1, 10.0, shelf.store.worker_id))
    row = await shelf.store.row("knowledge.source", tenant="default", id=lease.key)
    assert row is not None
    second = Run(shelf.store, shelf.reader, row, lease, 10.0, again=False)
    await second.begin()
    await second.take(page)
    assert shelf.reader.parsed == ["u"]
    assert second.counts["unchanged"] == 1


async def test_without_the_lease_nothing_is_written(shelf: Shelf):
    run, _ = await begun(shelf)
    shelf.place.clock.pass_s(60)
    await shelf.store.write(lambda tx: lanes.take(tx, "sync", 1, 10.0, "somebody-else"))
    with pytest.raises(Fenced):
        await run.take(Fetched("u", "", "text/plain", b"text"))
    with pytest.raises(Fenced):
        await run.end("parsing", None)
    assert await shelf.all() == {}
