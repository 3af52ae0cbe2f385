"""Passages in turns: when they are looked for, how they reach the prompt, and what is told without support."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.chat import Delta
from server.engine.words import Notice, say
from server.knowledge.contract import IndexUnavailable, Retrieved
from server.tools.plans import Call
from tests.places import Place, until
from tests.server.engine.bench import Desk, Shelf, calling, desk, passage, slowly
from tests.server.engine.toolrig import CountingTool

SHIPPING = "We ship every parcel within two working days after the order."
RETURNS = "Lamps can be returned within 30 days after delivery, unused and in their box."
ASKED = "how many days until I must return lamps?"
ANSWER = "Lamps can be returned within 30 days after delivery. [2]"


async def told(one: Desk, text: str = ASKED) -> str:
    await one.say(text=text)
    await one.turns()
    return (await one.said("assistant") or await one.said("notice"))[-1]


async def grounding(one: Desk) -> Any:
    (turn,) = await one.turns()
    return json.loads(turn["grounding"]) if turn["grounding"] else None


async def test_an_answer_stands_on_its_passage(either: Place, tmp_path: Path):
    shelf = Shelf(SHIPPING, RETURNS)
    async with desk(either, tmp_path, ANSWER, shelf=shelf) as one, one.working():
        text = await told(one)
        assert text == "Lamps can be returned within 30 days after delivery. [1]"
        system, question = one.llm.prompts[0]
        assert RETURNS in system.content
        assert question.content == ASKED
        (cited,) = (await one.events("message"))[-1]["citations"]
        assert (cited["number"], cited["title"], cited["passage"], cited["heading"]) == (
            1,
            "Page 2",
            "d2:0:x",
            "Shipping",
        )
        assert cited["quote"] == RETURNS[:200]
        kept = await grounding(one)
        assert [each["id"] for each in kept["passages"]] == ["d1:0:x", "d2:0:x"]
        assert (kept["confidence"], kept["policy"], kept["removed"]) == (0.9, "", 0)
        assert kept["passages"][1]["text"] == RETURNS
        (turn,) = await one.turns()
        assert '"retrieval"' in turn["timings"]


async def test_made_up_footnotes_and_figures_are_never_shown(place: Place, tmp_path: Path):
    script = "Lamps can be returned within 30 days after delivery. [7] It costs 99 euro."
    async with desk(place, tmp_path, script, shelf=Shelf(RETURNS)) as one, one.working():
        text = await told(one)
        assert "99" not in text
        assert "[7]" not in text
        assert (await grounding(one))["removed"] == 1
        assert b"frontdesk_citations_removed_total 1.0" in one.metrics.render()[0]


async def test_what_is_held_back_is_in_no_draft(place: Place, tmp_path: Path):
    gate = asyncio.Event()

    async def stream() -> AsyncIterator[Delta]:
        for word in ("Lamps can be returned within 30 days after delivery. ", "It costs 99 ", "euro. ", "More"):
            yield Delta(text=word)
        await gate.wait()
        yield Delta(text=" follows.", finish_reason="stop")

    async with desk(place, tmp_path, stream, shelf=Shelf(RETURNS)) as one, one.working():
        await one.say(text=ASKED)
        await until(lambda: (draft := one.hub.draft("c1")) is not None and draft.text)
        draft = one.hub.draft("c1")
        assert draft is not None
        assert "30 days" in draft.text
        assert "99" not in draft.text
        gate.set()
        await one.turns()
        assert (await one.said("assistant"))[0].startswith(draft.text.strip())


async def test_small_talk_needs_no_passages(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS)
    async with desk(place, tmp_path, "hi", shelf=shelf) as one, one.working():
        assert await told(one, "hello there") == "hi"
        assert shelf.asked == []
        assert await grounding(one) is None


async def test_without_documents_nothing_changes(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, "it is 99 euro", shelf=Shelf(empty=True)) as one, one.working():
        assert await told(one) == "it is 99 euro"
        assert len(one.llm.prompts[0]) == 2
        assert await grounding(one) is None


@pytest.mark.parametrize("found", [Retrieved(), replace(Shelf(RETURNS).found, confidence=0.2)])
async def test_what_no_passage_answers_is_said_without_the_model(place: Place, tmp_path: Path, found: Retrieved):
    shelf = Shelf()
    shelf.found = found
    async with desk(place, tmp_path, shelf=shelf) as one, one.working():
        assert "could not find an answer" in await told(one)
        assert not one.llm.asked
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("answered", "unanswerable")
        (miss,) = await one.rows("misses", id="c1")
        assert (miss["question"], miss["turn_id"], miss["confidence"]) == (ASKED, "c1:1", found.confidence)
        assert (await grounding(one))["policy"] == "say_so"


async def test_the_policy_may_call_a_person(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS, confidence=0.1)
    async with desk(place, tmp_path, shelf=shelf, knowledge={"unanswerable": "hand_over"}) as one, one.working():
        assert await told(one) == say(Notice.PERSON_LOOKS, "en")
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "low_confidence")
        assert (await one.conversation())["reason"] == "low_confidence"
        assert len(await one.rows("misses", id="c1")) == 1


async def test_an_answer_without_support_becomes_a_quotation(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, "Bananas are yellow and sweet.", shelf=Shelf(RETURNS)) as one, one.working():
        text = await told(one)
        assert "30 days" in text
        assert text.endswith("[1]")
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"], turn["attempt"]) == ("answered", "unsupported", 1)
        assert (await grounding(one))["policy"] == "quote"
        assert len((await one.events("message"))[-1]["citations"]) == 1
        assert await one.rows("misses", id="c1") == []
        assert [row["state"] for row in await one.rows("drafts", id="c1")] == ["final"]


async def test_an_answer_without_support_may_go_to_a_person(place: Place, tmp_path: Path):
    how = {"unsupported": "hand_over"}
    async with desk(place, tmp_path, "Bananas are yellow.", shelf=Shelf(RETURNS), knowledge=how) as one, one.working():
        assert await told(one) == say(Notice.PERSON_LOOKS, "en")
        assert [row["state"] for row in await one.rows("drafts", id="c1")] == ["withdrawn"]


async def test_a_search_that_takes_too_long_is_no_miss(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS, slow=True)
    async with desk(place, tmp_path, shelf=shelf, knowledge={"timeout_s": 0.05}) as one, one.working():
        assert "could not find" in await told(one)
        assert (await grounding(one))["degraded"] == "late"
        assert await one.rows("misses", id="c1") == []


async def test_an_index_that_is_still_being_read_is_waited_for(place: Place, tmp_path: Path):
    class Starting(Shelf):
        async def retrieve(self, question: str, **how: Any) -> Retrieved:
            found = await super().retrieve(question, **how)
            return found if len(self.asked) > 2 else Retrieved(degraded="lexical vectors")

    shelf = Starting(empty=True)
    async with desk(place, tmp_path, "as ever", shelf=shelf) as one, one.working():
        assert await told(one) == "as ever"
    assert len(shelf.asked) == 3


async def test_a_broken_search_is_no_failure_of_the_turn(place: Place, tmp_path: Path):
    class Broken(Shelf):
        async def retrieve(self, question: str, **how: Any) -> Retrieved:
            await super().retrieve(question, **how)
            raise IndexUnavailable("gone")

    async with desk(place, tmp_path, shelf=Broken()) as one, one.working():
        assert "could not find" in await told(one)


async def test_a_newer_message_ends_the_search_and_joins(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS, slow=True)
    async with desk(place, tmp_path, ANSWER, shelf=shelf) as one, one.working():
        await one.say(text="how long")
        await until(lambda: shelf.asked)
        shelf.slow = False
        await one.say(text="may I return lamps?")
        (turn,) = await one.turns()
        assert shelf.asked[-1] == "how long\nmay I return lamps?"
        assert (turn["first_seq"], turn["last_seq"]) == (1, 2)


async def test_a_stop_keeps_what_was_shown_and_its_footnotes(place: Place, tmp_path: Path):
    words = ("Lamps can be returned within 30 days after delivery.", "[1] ", "And")
    async with desk(place, tmp_path, slowly(asyncio.Event(), *words), shelf=Shelf(RETURNS)) as one, one.working():
        await one.say(text=ASKED)
        await until(lambda: (draft := one.hub.draft("c1")) is not None and "30" in draft.text)
        await one.handoff.stop("c1")
        await one.turns()
        (text,) = await one.said("assistant")
        assert text == "Lamps can be returned within 30 days after delivery. [1]"
        event = (await one.events("message"))[-1]
        assert event["stopped"] is True
        assert len(event["citations"]) == 1


async def test_passages_take_no_more_of_the_prompt_than_they_may(place: Place, tmp_path: Path):
    shelf = Shelf(*[f"{RETURNS} {'more words of this kind ' * 20}" for _ in range(4)])
    async with desk(place, tmp_path, ANSWER, shelf=shelf, knowledge={"passage_tokens": 450}) as one, one.working():
        await told(one)
        kept = await grounding(one)
        assert len(kept["passages"]) == 1


async def test_a_passage_that_is_too_long_alone_is_cut(place: Place, tmp_path: Path):
    shelf = Shelf(f"{RETURNS} {'more words of this kind ' * 80}")
    async with desk(place, tmp_path, ANSWER, shelf=shelf, knowledge={"passage_tokens": 300}) as one, one.working():
        await told(one)
        (kept,) = (await grounding(one))["passages"]
        assert len(kept["text"]) < 1_000
        assert kept["text"].startswith(RETURNS)


async def test_a_long_question_leaves_less_room_for_passages(place: Place, tmp_path: Path):
    shelf = Shelf(*[f"{RETURNS} {'words of this kind ' * 25}" for _ in range(4)])
    asked = ASKED + " really" * 280
    async with desk(place, tmp_path, ANSWER, shelf=shelf, knowledge={"passage_tokens": 1_500}) as one, one.working():
        await told(one, asked)
        assert 1 <= len((await grounding(one))["passages"]) < 4


async def test_the_release_decides_how_answers_rest_on_passages(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS, confidence=0.3)
    async with desk(place, tmp_path, ANSWER, shelf=shelf, knowledge={"confidence": 0.2}) as one, one.working():
        knowing = one.runner._rounds._knowledge
        knowing._rules = replace(knowing._rules, confidence=0.9)  # the process was set otherwise meanwhile
        assert "30 days" in await told(one)


async def test_a_tool_may_answer_what_no_passage_does(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    script = [calling(("stock", {"item": "lamps"})), "Three lamps are left."]
    shelf = Shelf(RETURNS, confidence=0.1)
    async with desk(place, tmp_path, *script, shelf=shelf, tools=[tool]) as one, one.working():
        assert await told(one) == "Three lamps are left."
        assert await one.rows("misses", id="c1") == []
        assert len(await one.rows("drafts", id="c1")) == 1, "the first round showed nothing"


async def test_a_tool_that_nobody_calls_changes_nothing(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS, confidence=0.1)
    async with desk(place, tmp_path, "I think 99.", shelf=shelf, tools=[CountingTool()]) as one, one.working():
        assert "could not find" in await told(one)
        assert await one.rows("drafts", id="c1") == []


async def test_figures_of_a_tool_may_be_told_beside_passages(place: Place, tmp_path: Path):
    tool = CountingTool({"price": 49})
    script = [calling(("stock", {"item": "lamps"})), "The lamp costs 49 euro."]
    async with desk(place, tmp_path, *script, shelf=Shelf(RETURNS), tools=[tool]) as one, one.working():
        assert await told(one) == "The lamp costs 49 euro."


async def test_a_plan_of_code_needs_no_search(place: Place, tmp_path: Path):
    shelf = Shelf(RETURNS)
    tools = [CountingTool(say="Yes, we have it.")]
    plans = [Call("stock", {"item": "lamp"})]
    async with desk(place, tmp_path, shelf=shelf, tools=tools, plans=plans) as one, one.working():
        assert await told(one) == "Yes, we have it."
        assert shelf.asked == []


def test_a_passage_keeps_its_address():
    assert passage(1, "x", "https://shop.example/a").chunk.url == "https://shop.example/a"
