"""A person's decision about a correction; the whole way stands in tests/scenarios/test_corrections.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from server.conversation import NotFound, Refused
from server.decisions import ORDER, Change, Decisions, Result, change_of
from server.knowledge.documents import Documents
from server.router import Proposal
from tests.server.loop_bench import Bench, loop_bench


async def decide(one: Bench, key: str, route: str, change: Change | None = None) -> str | None:
    made = Decisions(one.store, "default", 1_000)
    done = await one.store.write(lambda tx: made.decide(tx, key, "ana", route, change), order=ORDER)  # type: ignore[arg-type]
    found: str | None = done["document_id"]
    return found


async def test_a_fact_becomes_an_entry_and_leaves_the_queue_until_it_is_called_behaviour(
    store_url: str, tmp_path: Path
) -> None:
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        key, example = await one.correct(await one.ask(), "It takes 12 days.")
        made = Decisions(one.store, "default", 1_000)
        case, found = await made.suggest(key)
        assert (case.question, found.route, found.proposal and found.proposal.kind) == ("how long?", "fact", "create")
        document = await decide(one, key, "fact", change_of(found.proposal))
        assert document is not None
        saved = await Documents(one.store, one.settings).get(document)
        assert saved.text == "# how long?\n\nIt takes 12 days."
        (row,) = await one.rows("examples")
        assert (row["id"], row["status"]) == (example, "withdrawn")
        change = Change("create", "How long does it take?", "It takes 14 days.")
        assert await decide(one, key, "fact", change) == document, "deciding again changes the same entry"
        result = await made.result(key)
        assert result is not None
        assert (result.document_id, result.version, result.state, result.live) == (document, 2, "queued", False)
        await decide(one, key, "behaviour")
        (row,) = await one.rows("examples")
        assert row["status"] == "pending"
        assert await made.result(key) is None


async def test_a_document_is_edited_where_it_says_so(store_url: str, tmp_path: Path) -> None:
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        documents = Documents(one.store, one.settings)
        text = "# Returns\n\nYou have 30 days. The box must be complete."
        saved = await documents.save(title="Returns", text=text, changed_by="ana")
        key, _ = await one.correct(await one.ask(), "You have 45 days.")
        change = Change("edit", "Returns", "You have 45 days.", "You have 30 days.", saved.id)
        for _ in range(2):
            assert await decide(one, key, "fact", change) == saved.id
        now = await documents.get(saved.id)
        assert (now.version, now.text) == (2, text.replace("30", "45"))
        for odd, why in (
            (dataclasses.replace(change, before="never said", after="nor this"), "does not say that"),
            (dataclasses.replace(change, document_id="nothing"), "not there any more"),
            (dataclasses.replace(change, before="", after="x" * 2_000), "longer than"),
            (dataclasses.replace(change, before=now.text, after=""), "nothing would be left"),
            (Change("create", "", "x"), "needs a question"),
            (None, "say what"),
        ):
            with pytest.raises(Refused, match=why):
                await decide(one, key, "fact", odd)
        assert await decide(one, key, "fact", dataclasses.replace(change, before="", after="New.")) == saved.id
        assert (await documents.get(saved.id)).text.endswith("complete.\n\nNew.")


async def test_what_is_not_there_is_said(store_url: str, tmp_path: Path) -> None:
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        made = Decisions(one.store, "default", 1_000)
        with pytest.raises(NotFound):
            await made.suggest("nothing")
        with pytest.raises(NotFound):
            await made.result("nothing")
        with pytest.raises(NotFound):
            await decide(one, "nothing", "behaviour")


def test_a_result_is_live_once_it_was_indexed_after_the_decision() -> None:
    result = Result("d", "t", 1, "indexed", 100.0, 99.0)
    assert result.live
    assert not dataclasses.replace(result, indexed_at=50.0).live
    assert not dataclasses.replace(result, state="queued").live
    assert change_of(None) is None
    assert change_of(Proposal("create", "t", "", "a")) == Change("create", "t", "a")
