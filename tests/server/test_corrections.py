"""What staff would have answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.conversation import NotFound, Refused
from tests.server.loop_bench import loop_bench


async def test_the_original_stays_and_the_pair_is_proposed(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        answer = await one.ask()
        correction, example = await one.correct(answer, "Three days.", note="we write numbers out", reason="format")
        row = await one.store.row("loop.correction", tenant="default", id=correction)
        assert row is not None
        assert (row["original"], row["text"], row["corrected_by"]) == ("3 days", "Three days.", "ana")
        assert (row["example_id"], row["status"], row["route"]) == (example, "pending", None)
        assert [each["text"] for each in await one.rows("answers")] == ["3 days"], "the customer's copy is not changed"
        (event,) = await one.rows("loop_events", kind="correction")
        assert json.loads(event["body"])["example"] == example
        assert [each["kind"] for each in await one.desk.rows("ratings", id=answer)] == ["correction"]


async def test_a_later_correction_takes_the_place_of_the_first(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        answer = await one.ask()
        first = await one.correct(answer, "Three.")
        assert await one.correct(answer, "Three days, madam.") == first
        (example,) = await one.collected()
        assert example["target"]["content"] == "Three days, madam."
        assert json.loads(example["rejected"])["content"] == "3 days"


async def test_calls_are_targets_too(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        calls = ({"name": "order_status", "arguments": {"number": "7"}},)
        await one.correct(await one.ask(), "", calls=calls, reason="tool")
        (example,) = await one.collected()
        assert example["behaviour"] == "tool_call"
        assert example["target"] == {"content": "", "tool_calls": [dict(call) for call in calls]}


async def test_a_correction_ends_what_a_thumb_confirmed(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        answer = await one.ask()
        await one.thumb(answer)
        await one.collected()
        await one.correct(answer, "Three days.")
        by_origin = {example["origin"]: example["status"] for example in await one.collected()}
        assert by_origin == {"confirmed": "withdrawn", "correction": "pending"}
        await one.thumb(answer, giver="another")
        assert len(await one.collected()) == 2, "a corrected answer is not confirmed again"


async def test_what_cannot_be_corrected_is_refused(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        answer = await one.ask()
        question = (await one.desk.rows("messages", id="c1"))[0]["id"]
        for message, text, why in (
            (question, "x", "only answers"),
            (answer, " ", "nothing"),
            (answer, "3 days", "itself"),
        ):
            with pytest.raises(Refused, match=why):
                await one.correct(message, text)
        with pytest.raises(NotFound):
            await one.correct("nothing", "x")
