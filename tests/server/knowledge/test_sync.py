"""Runs over sources: change detection, deletes, schedules, faults, and going on after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.install import ROOT
from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Fetched, Gone, Known, SourceDown, Unchanged
from server.knowledge.sync import AT_ONCE, MAX_ERRORS, RETRY_S
from tests.places import until
from tests.server.knowledge.shelf import Scripted, Shelf, as_json, open_shelf


@pytest.fixture
async def shelf(store_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with open_shelf(store_url, tmp_path) as one:
        yield one


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)


async def run(shelf: Shelf, source_id: str) -> dict[str, int]:
    await shelf.sources.sync_now(source_id)
    await shelf.sync.quiet()
    return dict((await shelf.sources.get(source_id)).progress)


async def test_a_folder_is_read_and_only_what_changed_is_read_again(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.", wool="# Wool\n\nWarm.")
    source = await shelf.sources.create(
        "files", "Help", {"path": str(shelf.folder), "url": "https://shop.example/help"}
    )
    await shelf.sync.quiet()
    found = await shelf.all()
    assert {uri: (one.title, one.url, one.state) for uri, one in found.items()} == {
        "lamps.md": ("Lamps", "https://shop.example/help/lamps.md", "queued"),
        "wool.md": ("Wool", "https://shop.example/help/wool.md", "queued"),
    }
    assert (await shelf.sources.get(source.id)).state == "parsing", "read, and not yet in the index"
    await shelf.index()
    await shelf.sync.quiet()
    shelf.reader.parsed.clear()
    write(shelf.folder, wool="# Wool\n\nVery warm.")
    assert await run(shelf, source.id) == {"seen": 2, "changed": 1, "unchanged": 1, "failed": 0, "deleted": 0}
    assert shelf.reader.parsed == ["wool.md"]
    found = await shelf.all()
    assert {uri: (one.version, one.state) for uri, one in found.items()} == {
        "lamps.md": (1, "indexed"),
        "wool.md": (2, "queued"),
    }


async def test_other_bytes_with_the_same_text_are_not_indexed_again(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    await shelf.index()
    write(shelf.folder, lamps="# Lamps   \r\n\r\nLit.\n\n\n")
    assert (await run(shelf, source.id))["unchanged"] == 1
    assert (await shelf.all())["lamps.md"].state == "indexed"


async def test_a_source_is_in_the_index_when_its_documents_are(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})

    async def state() -> str:
        return (await shelf.sources.get(source.id)).state

    async with shelf.sync.running():
        async with asyncio.timeout(10):
            while await state() != "parsing":
                await asyncio.sleep(0.01)
        await shelf.index()
        async with asyncio.timeout(10):
            while await state() != "indexed":
                await asyncio.sleep(0.01)
    assert (await shelf.sources.get(source.id)).synced_at is not None


async def test_what_vanished_is_deleted_and_comes_back_as_it_was(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.", wool="# Wool\n\nWarm.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    (shelf.folder / "wool.md").unlink()
    assert (await run(shelf, source.id))["deleted"] == 1
    assert list(await shelf.all()) == ["lamps.md"]
    assert (await shelf.rows())["wool.md"]["revision"] > 0
    write(shelf.folder, wool="# Wool\n\nWarm.")
    await run(shelf, source.id)
    assert (await shelf.all())["wool.md"].version == 2


async def test_what_a_person_took_out_stays_out_until_its_file_changes(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.", wool="# Wool\n\nWarm.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    await shelf.documents.delete((await shelf.all())["wool.md"].id)
    assert (await run(shelf, source.id))["deleted"] == 0
    await shelf.sources.sync_now(source.id, again=True)
    await shelf.sync.quiet()
    assert list(await shelf.all()) == ["lamps.md"]
    write(shelf.folder, wool="# Wool\n\nWarmer.")
    await run(shelf, source.id)
    assert sorted(await shelf.all()) == ["lamps.md", "wool.md"]


async def test_an_edit_holds_until_the_file_changes(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    one = (await shelf.all())["lamps.md"]
    await shelf.documents.save(document_id=one.id, title="Lamps", text="# Lamps\n\nBright.", changed_by="person:ana")
    await run(shelf, source.id)
    assert "Bright" in (await shelf.documents.get(one.id)).text
    write(shelf.folder, lamps="# Lamps\n\nDimmed.")
    await run(shelf, source.id)
    assert "Dimmed" in (await shelf.documents.get(one.id)).text
    assert [row.changed_by for row in await shelf.documents.versions(one.id)] == ["source", "person:ana", "source"]


async def test_a_file_that_cannot_be_read_says_why_and_keeps_its_old_text(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.", wool="# Wool\n\nWarm.")
    (shelf.folder / "manual.pdf").write_bytes(b"\x7fELF not a pdf" * 50)
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    await shelf.index()
    found = await shelf.all()
    assert found["manual.pdf"].state == "failed"
    assert "program" in (found["manual.pdf"].reason or "")
    assert (await shelf.sources.get(source.id)).reason == "1 of 3 documents could not be read; each says why"
    (shelf.folder / "lamps.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    shelf.reader.parsed.clear()
    await run(shelf, source.id)
    lamps = (await shelf.all())["lamps.md"]
    assert (lamps.state, lamps.text) == ("failed", "# Lamps\n\nLit.")
    await run(shelf, source.id)
    assert shelf.reader.parsed == ["lamps.md"], "bytes that were refused are not parsed again"
    assert (await shelf.all())["lamps.md"].state == "failed"
    write(shelf.folder, lamps="# Lamps\n\nLit.")
    await run(shelf, source.id)
    assert (await shelf.all())["lamps.md"].state == "indexed"


async def test_a_source_of_which_nothing_can_be_read_has_failed(shelf: Shelf):
    (shelf.folder / "manual.pdf").write_bytes(b"\x7fELF not a pdf" * 50)
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    failed = await shelf.sources.get(source.id)
    assert (failed.state, failed.failed) == ("failed", 1)
    assert "none of its 1" in (failed.reason or "")


async def test_an_empty_or_missing_folder_deletes_nothing(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    (shelf.folder / "lamps.md").unlink()
    for reason in ("no documents any more", "no folder"):
        await run(shelf, source.id)
        failed = await shelf.sources.get(source.id)
        assert failed.state == "failed"
        assert reason in (failed.reason or "")
        assert list(await shelf.all()) == ["lamps.md"]
        if shelf.folder.exists():
            shelf.folder.rmdir()


async def test_pairs_and_products_become_documents_beside_those_written_by_hand(shelf: Shelf):
    pairs = await shelf.sources.create("qa", "Questions")
    await shelf.sources.upload(pairs.id, "qa.csv", b"question,answer\nOpen on Sunday?,No.\nGift wrap?,Yes.\n,x\n")
    products = await shelf.sources.create("catalogue", "Products", {"url": "https://shop.example/p/{sku}"})
    await shelf.sources.upload(products.id, "p.json", as_json([{"sku": "A/1", "name": "Lamp", "price_eur": 12.5}]))
    await shelf.sync.quiet()
    by_hand = await shelf.documents.save(source_id=pairs.id, title="Pets?", text="# Pets?\n\nYes.", changed_by="a")
    texts = {one.title: (one.text, one.url) for one in (await shelf.all()).values()}
    assert texts["Open on Sunday?"] == ("# Open on Sunday?\n\nNo.", "")
    assert texts["Lamp"] == ("# Lamp\n\n- SKU: A/1\n- Price: €12.5", "https://shop.example/p/A%2F1")
    assert (await shelf.sources.get(pairs.id)).progress["failed"] == 1
    await shelf.sources.upload(pairs.id, "qa.csv", b'question,answer\nGift wrap?,"Yes, free."\n')
    await shelf.sync.quiet()
    left = {one.title for one in (await shelf.all()).values() if one.source_id == pairs.id}
    assert left == {"Gift wrap?", "Pets?"}
    assert by_hand.uri.startswith("hand:")


async def test_items_of_a_reader_are_stored_with_its_validators(store_url: str, tmp_path: Path):
    page = Fetched(
        "https://a/1", "https://a/1", "text/html", b"<html><body><p>One lamp is lit.</p></body></html>", "e1", "m1"
    )
    site = Scripted(page, Failed("https://a/2", "the server answers 500"))
    async with open_shelf(store_url, tmp_path, {"site": site}) as shelf:
        source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        await shelf.sync.quiet()
        assert {uri: one.state for uri, one in (await shelf.all()).items()} == {
            "https://a/1": "queued",
            "https://a/2": "failed",
        }
        await shelf.index()
        site.items = (Unchanged("https://a/1"), Failed("https://a/2", "again"))
        await run(shelf, source.id)
        assert site.known == {"https://a/1": Known("e1", "m1", page.raw_digest), "https://a/2": Known()}
        site.items = (Failed("https://a/1", "the server answers 503"), Gone("https://a/2", "404"))
        await run(shelf, source.id)
        (one,) = (await shelf.all()).values()
        assert (one.state, one.reason) == ("indexed", "the server answers 503"), "what is stored stays"
        site.items = (Unchanged("https://a/1"),)
        await run(shelf, source.id)
        (one,) = (await shelf.all()).values()
        assert one.reason is None
        await shelf.sources.sync_now(source.id, again=True)
        await shelf.sync.quiet()
        assert site.known == {"https://a/1": Known()}, "reading again asks for everything"


async def test_an_interrupted_run_goes_on_from_its_place(store_url: str, tmp_path: Path):
    items = [Fetched(f"u{n}", "", "text/plain", b"text %d" % n) for n in range(6)]
    site = Scripted(*items[:3], RuntimeError("a bug"), *items[3:])
    async with open_shelf(store_url, tmp_path, {"site": site}) as shelf:
        source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        await shelf.sync.quiet()
        stopped = await shelf.sources.get(source.id)
        assert (stopped.state, stopped.progress["changed"]) == ("fetching", 3)
        site.items = (*items[:3], Unchanged("u0"), *items[3:])
        shelf.place.clock.pass_s(RETRY_S + 1)
        await shelf.sync.quiet()
        assert site.places[1]["done"] >= 1, "the place is committed with the items"
        assert sorted(await shelf.all()) == [f"u{n}" for n in range(6)]
        assert (await shelf.sources.get(source.id)).state == "parsing"


async def test_a_source_that_is_down_is_tried_again_and_given_up_at_last(store_url: str, tmp_path: Path):
    site = Scripted(SourceDown("the server does not answer", 60.0))
    async with open_shelf(store_url, tmp_path, {"site": site}) as shelf:
        source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        for _ in range(MAX_ERRORS):
            await shelf.sync.quiet()
            shelf.place.clock.pass_s(61)
        failed = await shelf.sources.get(source.id)
        assert (failed.state, failed.reason) == ("failed", "the server does not answer")
        await shelf.sync.quiet()
        assert len(site.places) == MAX_ERRORS
        site.items = ()
        await run(shelf, source.id)
        assert (await shelf.sources.get(source.id)).state == "indexed"


async def test_a_bug_is_tried_again_a_few_times(store_url: str, tmp_path: Path):
    site = Scripted(RuntimeError("a bug"))
    async with open_shelf(store_url, tmp_path, {"site": site}) as shelf:
        source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        for _ in range(MAX_ERRORS + 1):
            await shelf.sync.quiet()
            shelf.place.clock.pass_s(RETRY_S + 1)
        assert len(site.places) == MAX_ERRORS
        assert "ended unexpectedly" in ((await shelf.sources.get(source.id)).reason or "")


async def test_refused_sources_and_unknown_kinds_say_why(store_url: str, tmp_path: Path):
    async with open_shelf(store_url, tmp_path, {"files": Scripted(SourceRefused("no such folder"))}) as shelf:
        files = await shelf.sources.create("files", "Files")
        site = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        await shelf.sync.quiet()
        assert (await shelf.sources.get(files.id)).reason == "no such folder"
        assert "cannot read" in ((await shelf.sources.get(site.id)).reason or "")


async def test_schedules_queue_their_source_once(shelf: Shelf):
    write(shelf.folder, lamps="# Lamps\n\nLit.")
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)}, cron="0 * * * *", sync=False)
    await shelf.sync.quiet()
    assert await shelf.all() == {}
    shelf.place.clock.pass_s(5 * 3_600)
    await asyncio.gather(shelf.sync.quiet(), shelf.worker().quiet())
    await shelf.sync.quiet()
    assert list(await shelf.all()) == ["lamps.md"]
    due = await shelf.sources.get(source.id)
    assert due.next_at is not None
    assert shelf.place.clock.wall < due.next_at <= shelf.place.clock.wall + 3_600


class Slow(Scripted):
    """A reader that waits until it may go on, and counts how many do so at once."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.inside = self.most = 0

    async def read(self, *_: object) -> AsyncIterator[Unchanged]:  # type: ignore[override]
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.go.wait()
        self.inside -= 1
        yield Unchanged("u")


async def test_two_workers_never_read_one_source_at_once_and_one_reads_two(store_url: str, tmp_path: Path):
    slow = Slow()
    async with open_shelf(store_url, tmp_path, {"site": slow}) as shelf:
        for number in range(3):
            await shelf.sources.create("site", f"Site {number}", {"url": "https://a/"})
        await shelf.sync.step()
        await until(lambda: slow.inside == AT_ONCE)
        other = shelf.worker({"site": slow})
        await other.step()
        await other.step()
        await until(lambda: slow.inside == 3)
        slow.go.set()
        await asyncio.gather(shelf.sync.quiet(), other.quiet())
        assert slow.most == 3


async def test_a_worker_that_lost_its_lease_writes_nothing_more(store_url: str, tmp_path: Path):
    slow = Slow()
    async with open_shelf(store_url, tmp_path, {"site": slow}) as shelf:
        source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        await shelf.sync.step()
        await until(lambda: slow.inside == 1)
        shelf.place.clock.pass_s(100)
        other = shelf.worker({"site": Scripted(Fetched("mine", "", "text/plain", b"text"))})
        await other.quiet()
        before = await shelf.sources.get(source.id)
        slow.go.set()
        await shelf.sync.quiet()
        assert await shelf.sources.get(source.id) == before


async def test_a_source_that_was_deleted_meanwhile_is_left(shelf: Shelf):
    source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
    await shelf.sources.delete(source.id)
    await shelf.sync.quiet()
    lane = await shelf.store.row("shelf.lane", key=source.id)
    assert lane is not None
    assert lane["done"] == lane["tail"]


async def test_stopping_gives_the_lane_back_and_the_next_worker_goes_on(store_url: str, tmp_path: Path):
    slow = Slow()
    async with open_shelf(store_url, tmp_path, {"site": slow}) as shelf:
        source = await shelf.sources.create("site", "Site", {"url": "https://a/"})
        async with shelf.sync.running():
            await until(lambda: slow.inside == 1)
        lane = await shelf.store.row("shelf.lane", key=source.id)
        assert lane is not None
        assert (lane["holder"], lane["ready_at"]) == (None, 0)
        await shelf.worker({"site": Scripted()}).quiet()
        assert (await shelf.sources.get(source.id)).state == "indexed"


PROGRAM = """
import asyncio, sys
from pathlib import Path
from tests.server.knowledge.shelf import open_shelf
async def main():
    async with open_shelf(sys.argv[1], Path(sys.argv[2])) as shelf:
        await shelf.sync.quiet()
asyncio.run(main())
"""


@pytest.mark.faults
async def test_a_run_that_was_killed_goes_on_and_nothing_is_read_twice(tmp_path: Path):
    """kill -9 in the middle of 120 files: the second process parses only what the first had not stored."""
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    async with open_shelf(url, tmp_path) as shelf:
        for number in range(120):
            (shelf.folder / f"{number:03}.md").write_text(f"# Page {number}\n\nText {number}.")
        source = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)})
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, url, str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(60):
            while len(await shelf.documents.list()) < 40:
                await asyncio.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        stored = len(await shelf.documents.list())
        assert 40 <= stored < 120
        shelf.place.clock.pass_s(3_600)
        await shelf.worker().quiet()
        assert len(await shelf.documents.list()) == 120
        assert len(shelf.reader.parsed) == 120 - stored
        assert (await shelf.sources.get(source.id)).progress["seen"] >= 120 - stored
