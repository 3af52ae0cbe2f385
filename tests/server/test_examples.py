"""The queue: who approves, what an edit undoes, what is exported, what an erasure leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.candidates import Target
from server.conversation import NotFound, Refused
from server.examples import erase
from server.store.contract import Tx
from tests.server.loop_bench import Bench, loop_bench

SECOND = {"second_reviewer": True}


async def corrected(one: Bench, text: str = "Three days. Your team", conversation: str = "c1") -> str:
    _, example = await one.correct(await one.ask("how long?", conversation), text, reason="tone")
    assert example is not None
    return example


async def exported(one: Bench) -> list[dict]:
    return [row async for row in one.examples.rows()]


async def test_an_approved_correction_is_a_row_with_its_prompt(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        example = await corrected(one)
        assert await exported(one) == []
        assert (await one.approve(example)).status == "approved"
        assert (await one.approve(example, "bob")).status == "approved", "once more is no mistake"
        (row,) = await exported(one)
        assert row["target"] == {"content": "Three days. Your team", "tool_calls": []}
        assert row["rejected"] == {"content": "3 days", "tool_calls": []}
        assert (row["origin"], row["behaviour"], row["person"]) == ("correction", "style", "ana")
        assert [message["role"] for message in row["messages"]] == ["system", "user"]
        assert row["conversation"] == "c1"
        assert row["release"] == one.desk.releases.live
        assert row["known"] == {"names": [], "emails": [], "phones": [], "addresses": []}


async def test_two_reviewers_must_say_the_same_of_the_same_words(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days", training=SECOND) as one:
        example = await corrected(one)
        assert (await one.approve(example)).needed == 1
        assert (await one.approve(example)).needed == 1, "the same person twice is one"
        await one.store.write(lambda tx: one.examples.edit(tx, example, Target("Three days! Your team")))
        assert (await one.approve(example, "bob")).needed == 1, "ana approved other words"
        assert (await one.approve(example)).status == "approved"
        (approval,) = await one.rows("approvals")
        assert {approval["approved_by"], approval["second_by"]} == {"ana", "bob"}
        (row,) = await exported(one)
        assert row["target"]["content"] == "Three days! Your team"
        agreement = await one.examples.agreement()
        assert (agreement.judged, agreement.share) == (1, 1.0)


async def test_disagreement_is_counted_and_one_no_is_enough(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days", training=SECOND) as one:
        assert (await one.examples.agreement()).share is None
        example = await corrected(one)
        await one.approve(example)
        assert (await one.reject(example, "bob")).status == "rejected"
        assert (await one.reject(example, "bob")).status == "rejected"
        agreement = await one.examples.agreement()
        assert (agreement.judged, agreement.agreed) == (1, 0)
        for step in (one.approve, lambda which: one.store.write(lambda tx: one.examples.edit(tx, which, Target("x")))):
            with pytest.raises(Refused):
                await step(example)


async def test_who_skipped_is_not_asked_again(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        example = await corrected(one)
        waiting = await one.examples.next("ana")
        assert waiting is not None
        await one.store.write(lambda tx: one.examples.skip(tx, example, "ana"))
        assert await one.examples.next("ana") is None
        assert await one.examples.next("bob") is not None
        row, reviews = await one.examples.get(example)
        assert (row["status"], [each["verdict"] for each in reviews]) == ("pending", ["skip"])


async def test_untrainable_empty_and_unknown_are_refused(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        example = await corrected(one)
        with pytest.raises(Refused, match="says nothing"):
            await one.store.write(lambda tx: one.examples.edit(tx, example, Target("  ")))
        await one.change("set_basis", id=example)
        with pytest.raises(Refused, match="must not train"):
            await one.approve(example)
        assert await one.examples.next("ana") is None
        for step in (one.approve, one.reject, one.examples.get):
            with pytest.raises(NotFound):
                await step("nothing")


async def test_rejecting_what_was_trained_on_flags_the_adapter(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        example = await trained(one, tmp_path)
        decision = await one.reject(example)
        assert decision.adapters == ("default-0123456789ab",)
        assert await exported(one) == []
        (adapter,) = await one.rows("adapters")
        assert adapter["erased_reason"] == "withdrawn"
        (row,) = await one.rows("rows_of", id="run1")
        assert row["usable"] == 0, "the dataset says itself what it should not have held"


async def test_an_erased_customer_leaves_no_row_and_flags_the_adapter(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        example = await trained(one, tmp_path)
        other = await corrected(one, conversation="c2")
        customer = (await one.examples.get(example))[0]["customer_id"]
        erased = await one.store.write(lambda tx: erase(tx, "default", customer))
        assert erased.examples == (example,)
        assert erased.adapters == ("default-0123456789ab",)
        assert erased.folders == (str(tmp_path),)
        assert [row["id"] for row in await one.rows("examples")] == [other]
        assert await one.rows("approvals") == []
        assert await one.rows("rows_of", id="run1") == []
        assert (await one.rows("adapters"))[0]["erased_reason"] == "erased"
        assert (await one.desk.rows("turns", id="c1"))[0]["made"] is None
        assert (await one.desk.rows("turns", id="c2"))[0]["made"] is not None
        again = await one.store.write(lambda tx: erase(tx, "default", customer))
        assert again.adapters == (), "flagged once"


async def test_pages_and_counts(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        first = await corrected(one)
        second = await corrected(one, conversation="c2")
        await one.approve(first)
        rows = await one.examples.page((float("inf"), ""), 1)
        assert [row["id"] for row in rows] == [second]
        rest = await one.examples.page((rows[0]["created_at"], rows[0]["id"]), 5)
        assert [row["id"] for row in rest] == [first]
        assert {row["alike"] for row in rest} == {2}, "the same question"
        assert [row["id"] for row in await one.examples.page((float("inf"), ""), 5, status="approved")] == [first]
        counts = {(row["status"], row["origin"]): row["n"] for row in await one.examples.counts()}
        assert counts == {("approved", "correction"): 1, ("pending", "correction"): 1}


async def trained(one: Bench, folder: Path) -> str:
    """An approved example that an adapter was trained on."""
    example = await corrected(one)
    await one.approve(example)
    await one.change("add_run", id="run1", state="done", folder=str(folder))
    await one.change("add_dataset", id="run1")

    async def unit(tx: Tx) -> None:
        await tx.run("loop.add_row", dataset_id="run1", example_id=example, message_id=None)
        await tx.run("loop.split_row", dataset_id="run1", example_id=example, split="train")
        await tx.run(
            "loop.add_adapter", name="default-0123456789ab", tenant="default", dataset_id="run1", run_id="run1",
            digest="d", manifest="{}", now=tx.now_s,
        )  # fmt: skip

    await one.store.write(unit)
    return example
