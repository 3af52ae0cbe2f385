"""What the model was told, put together again from the store."""

from __future__ import annotations

import json
from pathlib import Path

from models.prompt import wire_messages
from server.snapshot import history_before, recall, suppose
from tests.server.engine.bench import Shelf, calling
from tests.server.engine.toolrig import CountingTool
from tests.server.loop_bench import Bench, loop_bench


async def turn(one: Bench, message: str) -> dict:
    row = await one.store.row("loop.message", tenant="default", id=message)
    assert row is not None
    return {**row, "message_seq": row["seq"]}


async def test_prompt_with_history_and_passages_is_the_one_the_model_read(store_url: str, tmp_path: Path):
    shelf = Shelf("Parcels take 3 days.", "Returns are free.")
    async with loop_bench(store_url, tmp_path, "hi there", "3 days [1]", shelf=shelf) as one:
        await one.ask("hello")
        answer = await one.ask("how long do parcels take?")
        told = await recall(one.store, await turn(one, answer))
        assert told is not None
        assert told.messages == wire_messages(one.desk.llm.prompts[-1])
        assert told.exact
        assert [message["role"] for message in told.messages] == ["system", "user", "assistant", "user"]
        assert [source["text"] for source in told.sources] == ["Parcels take 3 days.", "Returns are free."]
        assert told.question == "how long do parcels take?"


async def test_equal_texts_are_stored_once(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        await one.ask("hello", "c1")
        await one.ask("hello", "c2")
        assert len(await one.rows("parts")) == 1, "two conversations, one system text"


async def test_an_erased_message_is_missing_and_that_is_seen(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        first = await one.ask("hello")
        answer = await one.ask("and then?")
        await one.change("forget_message", id=first)
        told = await recall(one.store, await turn(one, answer))
        assert told is not None
        assert not told.exact
        assert len(told.messages) == 3


async def test_a_turn_without_a_model_has_no_prompt_but_one_can_be_supposed(store_url: str, tmp_path: Path):
    shelf = Shelf("Parcels take 3 days.", confidence=0.1)
    async with loop_bench(store_url, tmp_path, "never asked", shelf=shelf) as one:
        answer = await one.ask("what about the moon?")
        row = await turn(one, answer)
        assert await recall(one.store, row) is None
        told = await suppose(one.store, row, "what about the moon?", row["seq"] - 1, first_seq=1)
        assert told is not None
        assert not told.exact
        assert "Parcels take 3 days." in told.messages[0]["content"]
        assert told.messages[-1] == {"role": "user", "content": "what about the moon?"}


async def test_rounds_of_tools_are_kept_apart(store_url: str, tmp_path: Path):
    script = (calling(("stock", {"item": "lamp"})), "three left")
    async with loop_bench(store_url, tmp_path, *script, tools=[CountingTool({"left": 3})]) as one:
        answer = await one.ask("is the lamp there?")
        row = await turn(one, answer)
        before, after = await recall(one.store, row, number=0), await recall(one.store, row)
        assert before is not None
        assert after is not None
        assert before.messages == wire_messages(one.desk.llm.prompts[0])
        assert after.messages == wire_messages(one.desk.llm.prompts[1])
        assert before.exact
        assert after.exact
        assert [tool["name"] for tool in before.tools] == ["stock"]
        assert len(json.loads(row["made"])["rounds"]) == 2


async def test_no_history_is_no_history(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        assert await history_before(one.store, "c1", 10, 0) == ([], 0)
        assert await history_before(one.store, "c1", 10, 5) == ([], 0)
