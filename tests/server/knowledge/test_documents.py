"""Documents: versions, restoring, deleting, and what the index hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.knowledge.contract import SourceRefused
from server.knowledge.documents import DOCUMENTS, KNOWLEDGE, VERSIONS, Draft
from server.knowledge.kinds import Changed, NotThere
from tests.server.knowledge.shelf import Shelf, open_shelf


@pytest.fixture
async def shelf(store_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with open_shelf(store_url, tmp_path) as one:
        yield one


async def test_an_article_is_written_changed_and_restored(shelf: Shelf):
    first = await shelf.documents.save(title=" Opening  hours", text="Nine to five.", changed_by="person:ana")
    assert (first.title, first.version, first.state, first.audience) == ("Opening hours", 1, "queued", "customer")
    second = await shelf.documents.save(
        document_id=first.id, title="Opening hours", text="Nine to six.", changed_by="person:ben", expected_version=1
    )
    assert (second.version, second.text, second.id) == (2, "Nine to six.", first.id)
    third = await shelf.documents.restore(first.id, 1, "person:ana")
    assert (third.version, third.text) == (3, "Nine to five.")
    versions = await shelf.documents.versions(first.id)
    assert [(one.version, one.changed_by) for one in versions] == [
        (3, "person:ana"),
        (2, "person:ben"),
        (1, "person:ana"),
    ]
    assert (await shelf.documents.version(first.id, 2)).text == "Nine to six."
    (source,) = await shelf.sources.list()
    assert (source.kind, source.documents, source.queued) == ("article", 1, 1)


async def test_saying_the_same_again_changes_nothing(shelf: Shelf):
    first = await shelf.documents.save(title="Hours", text="Nine to five.", changed_by="a")
    await shelf.index()
    again = await shelf.documents.save(document_id=first.id, title="Hours", text="Nine to five.\n", changed_by="b")
    assert (again.version, again.state) == (1, "indexed")


async def test_a_change_waits_for_the_index_and_says_so(shelf: Shelf):
    told: list[str] = []
    stop = shelf.store.listen(DOCUMENTS, lambda _topic, payload: told.append(payload))
    one = await shelf.documents.save(title="Hours", text="Nine to five.", changed_by="a")
    assert told == [one.id]
    stop()
    row = (await shelf.rows())[one.uri]
    assert (row["urgent"], row["state"], row["indexed_digest"]) == (1, "queued", "")
    assert row["digest"].startswith("customer:")


async def test_two_people_do_not_overwrite_each_other(shelf: Shelf):
    one = await shelf.documents.save(title="Hours", text="Nine to five.", changed_by="a")
    await shelf.documents.save(document_id=one.id, title="Hours", text="Ten.", changed_by="b", expected_version=1)
    with pytest.raises(Changed):
        await shelf.documents.save(document_id=one.id, title="Hours", text="Six.", changed_by="a", expected_version=1)


async def test_a_deleted_document_leaves_the_index_in_the_same_commit_and_can_come_back(shelf: Shelf):
    one = await shelf.documents.save(title="Hours", text="Nine to five.", changed_by="a")
    await shelf.index()
    await shelf.store.write(lambda tx: tx.run("shelf.chunk", id="c1", document_id=one.id))
    told: list[str] = []
    shelf.store.listen(KNOWLEDGE, lambda topic, _payload: told.append(topic))
    await shelf.documents.delete(one.id)
    row = (await shelf.rows())[one.uri]
    revision = await shelf.store.row("shelf.revision")
    assert revision is not None
    assert (row["revision"], row["indexed_digest"], told) == (int(revision["value"]), "", [KNOWLEDGE])
    assert row["deleted_at"] is not None
    assert await shelf.store.rows("shelf.chunks") == []
    assert await shelf.documents.list() == []
    with pytest.raises(NotThere):
        await shelf.documents.delete(one.id)
    with pytest.raises(NotThere):
        await shelf.documents.save(document_id=one.id, title="Hours", text="Six.", changed_by="a")
    back = await shelf.documents.restore(one.id, 1, "a")
    assert (back.state, back.deleted_at, back.version) == ("queued", None, 2)


async def test_only_the_latest_versions_are_kept(shelf: Shelf):
    one = await shelf.documents.save(title="Hours", text="0", changed_by="a")
    for number in range(1, VERSIONS + 5):
        await shelf.documents.save(document_id=one.id, title="Hours", text=str(number), changed_by="a")
    versions = await shelf.documents.versions(one.id)
    assert (len(versions), versions[0].version) == (VERSIONS, VERSIONS + 5)
    with pytest.raises(NotThere):
        await shelf.documents.restore(one.id, 1, "a")


async def test_what_cannot_be_a_document_is_refused(shelf: Shelf):
    for title, text in (("", "text"), ("title", " \n"), ("title", "x" * 4_000_001)):
        with pytest.raises(SourceRefused):
            await shelf.documents.save(title=title, text=text, changed_by="a")
    with pytest.raises(NotThere):
        await shelf.documents.get("nothing")
    with pytest.raises(NotThere):
        await shelf.documents.save(source_id="nothing", title="t", text="t", changed_by="a")


async def test_documents_are_listed_in_pages_and_searched(shelf: Shelf):
    for number in range(7):
        await shelf.documents.save(title=f"Page {number} 100%", text="x", changed_by="a")
    first = await shelf.documents.list(limit=4)
    rest = await shelf.documents.list(limit=4, after=(first[-1].title, first[-1].id))
    assert [one.title[5] for one in first + rest] == list("0123456")
    assert [one.title for one in await shelf.documents.list(query="3 100%")] == ["Page 3 100%"]
    assert await shelf.documents.list(query="1_0") == []
    assert len(await shelf.documents.list(state="queued")) == 7
    assert await shelf.documents.list(source_id="other") == []


async def test_text_that_a_store_cannot_hold_is_cleaned_the_same_in_the_digest(shelf: Shelf):
    one = await shelf.documents.save(title="Hours", text="Nine\0 to \ud800five.", changed_by="a")
    again = await shelf.documents.save(document_id=one.id, title="Hours", text="Nine\0 to \ud800five.", changed_by="a")
    assert again.version == 1


def test_the_digest_begins_with_the_audience():
    customer = Draft("s", "u", "", "t", "x", "customer", "text/plain")
    staff = Draft("s", "u", "", "t", "x", "staff", "text/plain")
    assert customer.digest.removeprefix("customer:") == staff.digest.removeprefix("staff:")
