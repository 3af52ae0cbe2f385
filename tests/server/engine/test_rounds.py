"""The order in which an answer is made: plan, passages, model, tools, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from models.chat import Delta, Usage
from server.tools.plans import Force
from tests.places import Place, until
from tests.server.engine.bench import Shelf, calling, desk, slowly
from tests.server.engine.toolrig import CountingTool

TEXT = "Lamps can be returned within 30 days after delivery."
ASKED = "how many days until I must return lamps?"


async def test_plan_passages_tools_and_words_in_one_turn(either: Place, tmp_path: Path):
    tools = [
        CountingTool({"left": 3}),
        CountingTool({"id": 7}, name="ticket", parameters={"summary": {"type": "string"}}),
    ]
    script = [
        calling(("ticket", {"summary": "wants to know"})),
        calling(("stock", {"item": "lamp"})),
        f"{TEXT} [1] There are 3 left.",
    ]
    plans = [Force("ticket", {}, ("summary",))]
    async with desk(either, tmp_path, *script, shelf=Shelf(TEXT), tools=tools, plans=plans) as one, one.working():
        await one.say(text=ASKED)
        (turn,) = await one.turns()
        (text,) = await one.said("assistant")
        assert text == f"{TEXT} [1] There are 3 left."
        assert [(step["tool"], step["round"]) for step in await one.steps()] == [("ticket", 0), ("stock", 1)]
        assert [how["tool_choice"] for how in one.llm.how] == ["ticket", None, None]
        roles = [message.role for message in one.llm.prompts[2]]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "tool"]
        assert (turn["attempt"], turn["outcome"]) == (1, "answered"), "rounds that show nothing share one draft"


async def test_tokens_of_all_rounds_are_counted(place: Place, tmp_path: Path):
    async def text() -> AsyncIterator[Delta]:
        yield Delta(text="three", finish_reason="stop", usage=Usage(20, 1))

    script = [calling(("stock", {"item": "lamp"})), text]
    async with desk(place, tmp_path, *script, tools=[CountingTool({"left": 3})]) as one, one.working():
        await one.say(text="question")
        (turn,) = await one.turns()
        assert (turn["prompt_tokens"], turn["completion_tokens"]) == (25, 6)


async def test_a_question_that_never_fits_is_told_so_with_passages_too(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, shelf=Shelf(TEXT), tools=[CountingTool()]) as one, one.working():
        await one.say(text="x" * 600_000)
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("graceful", "too_long")


async def test_a_stop_between_rounds_of_a_reading_tool(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    script = [calling(("stock", {"item": "x"})), slowly(asyncio.Event())]
    async with desk(place, tmp_path, *script, tools=[tool]) as one, one.working():
        await one.say(text="question")
        await until(lambda: len(one.llm.asked) == 2)
        await one.handoff.stop("c1")
        (turn,) = await one.turns()
        assert turn["reason"] == "stopped"
        assert await one.said("notice") == ["Stopped."]


async def test_a_claim_during_a_later_round(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    script = [calling(("stock", {"item": "x"})), slowly(asyncio.Event(), "There", "are")]
    async with desk(place, tmp_path, *script, tools=[tool]) as one, one.working():
        await one.say(text="question")
        await until(lambda: (draft := one.hub.draft("c1")) is not None and draft.text)
        await one.handoff.claim("c1", "ana")
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "claimed")
        assert await one.said("assistant") == []
