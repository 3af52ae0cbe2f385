"""Sources: what may be one, who may see it, uploads, and that deleting leaves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.knowledge.contract import SourceRefused
from server.knowledge.kinds import NotThere
from tests.server.knowledge.shelf import Shelf, open_shelf

SQL = {"url": "sqlite:///x.db", "query": "select 1", "key": "a", "title": "b", "text": ["c"]}


@pytest.fixture
async def shelf(store_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with open_shelf(store_url, tmp_path) as one:
        yield one


async def test_a_source_is_made_listed_changed_and_deleted(shelf: Shelf):
    one = await shelf.sources.create("files", "Help", {"path": str(shelf.folder)}, cron="0 3 * * *")
    assert (one.state, one.kind, one.audience, one.cron) == ("queued", "files", "customer", "0 3 * * *")
    assert one.next_at is not None
    changed = await shelf.sources.update(one.id, name="Help pages", cron="")
    assert (changed.name, changed.cron, changed.next_at) == ("Help pages", None, None)
    assert [source.id for source in await shelf.sources.list()] == [one.id]
    await shelf.sources.delete(one.id)
    assert await shelf.sources.list() == []
    for call in (shelf.sources.get, shelf.sources.delete, shelf.sources.sync_now):
        with pytest.raises(NotThere):
            await call(one.id)
    await shelf.sources.create("files", "Help pages", {"path": str(shelf.folder)})


async def test_names_are_taken_once(shelf: Shelf):
    await shelf.sources.create("article", "Help")
    other = await shelf.sources.create("article", "Other")
    with pytest.raises(SourceRefused, match="already"):
        await shelf.sources.create("qa", " Help ")
    with pytest.raises(SourceRefused, match="already"):
        await shelf.sources.update(other.id, name="Help")


@pytest.mark.parametrize(
    ("kind", "config", "reason"),
    [
        ("folder", {}, "no kind"),
        ("files", {"path": "/"}, "not a folder"),
        ("files", {"path": "/proc/self"}, "not a folder"),
        ("files", {"paht": "/tmp"}, "Extra inputs"),
        ("files", {"url": "ftp://x"}, "absolute"),
        ("sql", {**SQL, "url": "postgresql://me:secret@host/db"}, "password"),
        ("sql", {**SQL, "query": "delete from orders"}, "select"),
        ("sql", {**SQL, "query": "select 1; drop table orders"}, "select"),
        ("sql", {**SQL, "password_env": "FRONTDESK_MODEL__API_KEY"}, "FRONTDESK_SOURCE_"),
        ("sql", {**SQL, "text": []}, "column"),
        ("sql", {**SQL, "url": "mysql://host/db"}, "postgresql://"),
        ("site", {"url": "file:///etc/passwd"}, "address"),
        ("site", {"url": "https://shop.example/", "depth": 3}, "no setting depth"),
    ],
)
async def test_settings_that_cannot_work_are_refused(kind: str, config: dict[str, object], reason: str, tmp_path: Path):
    async with open_shelf(f"sqlite:///{tmp_path / 'a.db'}", tmp_path) as shelf:
        with pytest.raises(SourceRefused, match=reason) as refused:
            await shelf.sources.create(kind, "One", config)
        assert "me:secret" not in str(refused.value)
        assert await shelf.sources.list() == []


async def test_the_services_own_data_is_no_source(shelf: Shelf):
    data = shelf.settings.data_dir
    for path in (data, data / "media", data.parent):
        with pytest.raises(SourceRefused, match="own data"):
            await shelf.sources.create("files", "One", {"path": str(path)})
    with pytest.raises(SourceRefused, match="own data"):
        await shelf.sources.create("sql", "One", {**SQL, "url": f"sqlite:///{data / 'frontdesk.db'}"})


async def test_wrong_schedules_and_audiences_are_refused(shelf: Shelf):
    for cron in ("every night", "* * * * * *"):
        with pytest.raises(SourceRefused, match="schedule"):
            await shelf.sources.create("article", "One", cron=cron)
    with pytest.raises(SourceRefused, match="audience"):
        await shelf.sources.create("article", "One", audience="everybody")  # type: ignore[arg-type]
    with pytest.raises(SourceRefused, match="name"):
        await shelf.sources.create("article", "  ")


async def test_another_audience_holds_at_once(shelf: Shelf):
    (shelf.folder / "a.md").write_text("# Rota\n\nAna on Monday.")
    one = await shelf.sources.create("files", "Rota", {"path": str(shelf.folder)})
    await shelf.sync.quiet()
    await shelf.index()
    (document,) = await shelf.documents.list()
    await shelf.store.write(lambda tx: tx.run("shelf.chunk", id="c1", document_id=document.id))
    await shelf.sources.update(one.id, audience="staff")
    row = (await shelf.rows())["a.md"]
    assert (row["audience"], row["state"], row["urgent"]) == ("staff", "queued", 1)
    assert row["digest"] == f"staff:{row['indexed_digest'].partition(':')[2]}"
    assert [chunk["audience"] for chunk in await shelf.store.rows("shelf.chunks")] == ["staff"]
    await shelf.index()
    await shelf.sources.sync_now(one.id, again=True)
    await shelf.sync.quiet()
    assert (await shelf.rows())["a.md"]["state"] == "indexed", "the digest is the one a run would compute"


async def test_deleting_a_source_deletes_its_documents_and_files(shelf: Shelf):
    one = await shelf.sources.create("files", "Uploads")
    await shelf.sources.upload(one.id, "a.md", b"# A\n\ntext")
    await shelf.sync.quiet()
    (document,) = await shelf.documents.list()
    await shelf.store.write(lambda tx: tx.run("shelf.chunk", id="c1", document_id=document.id))
    assert shelf.sources.uploads.folder(one.id).exists()
    await shelf.sources.delete(one.id)
    row = (await shelf.rows())["a.md"]
    assert row["deleted_at"] is not None
    assert row["revision"] > 0
    assert await shelf.store.rows("shelf.chunks") == []
    assert not shelf.sources.uploads.folder(one.id).exists()
    with pytest.raises(NotThere):
        await shelf.documents.restore(document.id, 1, "a")


async def test_files_are_uploaded_replaced_and_removed(shelf: Shelf):
    one = await shelf.sources.create("files", "Uploads")
    await shelf.sources.upload(one.id, "a b (1).md", b"# A\n\nold")
    await shelf.sources.upload(one.id, "b.txt", b"text")
    await shelf.sync.quiet()
    await shelf.sources.upload(one.id, "a b (1).md", b"# A\n\nnew")
    await shelf.sync.quiet()
    found = await shelf.all()
    assert {uri: document.version for uri, document in found.items()} == {"a b (1).md": 2, "b.txt": 1}
    assert await shelf.sources.uploads.names(one.id) == ["a b (1).md", "b.txt"]
    await shelf.sources.remove_upload(one.id, "a b (1).md")
    await shelf.sync.quiet()
    assert list(await shelf.all()) == ["b.txt"]
    with pytest.raises(NotThere):
        await shelf.sources.remove_upload(one.id, "a.md")


@pytest.mark.parametrize(
    "name", ["../a.md", "a/b.md", "..", ".env", "", "a\0.md", "x" * 300, "c:\\a.md", "\u202egnp.md"]
)
async def test_names_that_lead_elsewhere_are_refused(name: str, tmp_path: Path):
    async with open_shelf(f"sqlite:///{tmp_path / 'a.db'}", tmp_path) as shelf:
        one = await shelf.sources.create("files", "Uploads")
        with pytest.raises(SourceRefused, match="name"):
            await shelf.sources.upload(one.id, name, b"text")


async def test_only_sources_of_files_take_uploads(shelf: Shelf):
    article = await shelf.sources.create("article", "Articles")
    folder = await shelf.sources.create("files", "Folder", {"path": str(shelf.folder)})
    for source in (article, folder):
        with pytest.raises(SourceRefused, match="upload"):
            await shelf.sources.upload(source.id, "a.md", b"text")
    empty = await shelf.sources.create("files", "Uploads")
    for data in (b"", b"x" * 32_000_001):
        with pytest.raises(SourceRefused):
            await shelf.sources.upload(empty.id, "a.md", data)
