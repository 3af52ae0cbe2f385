"""Rows as the training plane reads them, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.rows import BadRow, checked, known, row_of, take_in
from tests.server.engine.bench import Shelf, calling
from tests.server.engine.toolrig import CountingTool
from tests.server.loop_bench import Bench, loop_bench
from training import rows as training_rows

GOOD: dict[str, Any] = {
    "id": "a", "behaviour": "tool_call", "messages": [{"role": "user", "content": "is it there?"}],
    "target": {"content": "", "tool_calls": [{"name": "stock", "arguments": {"item": "lamp"}}]},
}  # fmt: skip


async def exported(one: Bench) -> list[dict[str, Any]]:
    for example in await one.collected():
        await one.approve(example["id"])
    return [row async for row in one.examples.rows()]


async def test_every_kind_of_example_is_a_row_that_training_reads(store_url: str, tmp_path: Path):
    script = (calling(("stock", {"item": "lamp"})), "three left", "3 days [1]")
    shelf = Shelf("Parcels take 3 days.")
    async with loop_bench(store_url, tmp_path, *script, tools=[CountingTool({"left": 3})], shelf=shelf) as one:
        called = await one.ask("hello, is the lamp there?")
        await one.correct(called, "Three lamps. Your team")
        grounded = await one.ask("how long do parcels take?")
        await one.thumb(grounded)
        found = await exported(one)
        assert {row["origin"] for row in found} == {"correction", "confirmed"}, "a corrected turn's call is withdrawn"
        for row in found:
            parsed = training_rows.parse(json.dumps(row).encode())
            assert parsed.target.content == row["target"]["content"]
        (correction,) = [row for row in found if row["origin"] == "correction"]
        assert [message["role"] for message in correction["messages"]] == ["system", "user", "assistant", "tool"]
        assert correction["messages"][2]["tool_calls"] == [
            {"name": "stock", "arguments": {"item": "lamp"}, "id": "call-0"}
        ]


async def test_an_exported_row_comes_back_as_it_was(store_url: str, tmp_path: Path):
    script = (calling(("stock", {"item": "lamp"})), "three left")
    async with loop_bench(store_url, tmp_path, *script, tools=[CountingTool({"left": 3})]) as one:
        await one.correct(await one.ask(), "Three lamps.")
        (row,) = [row for row in await exported(one) if row["origin"] == "correction"]
        assert await one.store.write(lambda tx: take_in(tx, "default", row, "bob", "consent"))
        assert not await one.store.write(lambda tx: take_in(tx, "default", row, "bob", "consent")), "once"
        (again,) = [each for each in await exported(one) if each["origin"] == "import"]
        for name in ("messages", "target", "rejected", "tools", "behaviour", "language"):
            assert again[name] == row[name], name
        assert again["person"] == "bob"
        assert again["conversation"] == f"import:{again['id']}"


@pytest.mark.parametrize(("change", "named"), [
    ({"id": ""}, "id"), ({"behaviour": "magic"}, "behaviour"), ({"messages": []}, "nobody asks"),
    ({"messages": "x"}, "messages"), ({"messages": [{"role": "owner"}]}, "messages"), ({"target": None}, "target"),
    ({"target": {"content": " "}}, "neither"), ({"target": {"content": 1}}, "target"),
    ({"target": {"tool_calls": [{"name": "x", "arguments": "{}"}]}}, "tool_calls"), ({"rejected": "no"}, "rejected"),
])  # fmt: skip
def test_bad_rows_are_refused_by_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRow, match=named):
        checked({**GOOD, **change})


def test_a_good_row_is_taken() -> None:
    target, rejected = checked({**GOOD, "rejected": {"content": "no idea"}})
    assert target.calls == ({"name": "stock", "arguments": {"item": "lamp"}},)
    assert rejected is not None
    assert rejected.content == "no idea"


def test_contact_data_is_found_for_masking() -> None:
    profile = {"locale": "en", "name": "Ana Maria", "email": "ana@example.com"}
    row = {"profile": json.dumps(profile), "address": "whatsapp:+491701234567", "customer_name": "Ana"}
    assert known(row) == {
        "names": ["Ana", "Ana Maria"], "emails": ["ana@example.com"], "phones": ["+491701234567"], "addresses": [],
    }  # fmt: skip
    assert known({"profile": None, "address": None, "customer_name": None})["names"] == []


def test_a_call_whose_arguments_are_no_json_becomes_an_empty_one() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "stock", "arguments": "{broken"}}]
    example = {
        "id": "e", "origin": "import", "behaviour": "chat", "prompt": json.dumps([
            {"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": calls}]),
        "target": GOOD and '{"content": "x", "tool_calls": []}', "rejected": None, "tools": "[]", "sources": "[]",
        "conversation_id": None, "customer_id": None, "person": "", "approved_by": "ana", "language": "en",
        "channel": "web", "weight": 1.0, "created_at": 0.0, "message_id": None, "release_id": None, "profile": None,
        "address": None, "customer_name": None,
    }  # fmt: skip
    assert row_of(example)["messages"][1] == {
        "role": "assistant", "content": "", "tool_calls": [{"name": "stock", "arguments": {}, "id": "1"}],
    }  # fmt: skip
