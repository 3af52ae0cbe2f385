"""Faults of the model in later rounds: what was called is kept, and the turn waits for the model like any other."""

from __future__ import annotations

from pathlib import Path

from models.chat import ModelRefused, ModelUnavailable
from tests.places import Place
from tests.server.engine.bench import calling, desk
from tests.server.engine.test_turn import QUICK, outcomes, until_notice
from tests.server.engine.toolrig import CountingTool

CALL = calling(("stock", {"item": "x"}))


async def test_a_short_fault_between_rounds_is_not_noticed(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    async with desk(place, tmp_path, CALL, ModelUnavailable("gone"), "three", tools=[tool]) as one, one.working():
        await one.say(text="question")
        assert outcomes(await one.turns()) == [("answered", None)]
        assert await one.said("assistant") == ["three"]
        assert len(tool.calls) == 1


async def test_after_a_longer_fault_the_calls_are_not_made_again(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    script = [CALL, *[ModelUnavailable("gone")] * 4, "three"]
    how = {"model": QUICK, "engine": {"breaker_failures": 100}}
    async with desk(place, tmp_path, *script, tools=[tool], **how) as one, one.working():
        await one.say(text="question")
        await until_notice(one)
        assert outcomes(await one.turns()) == [("answered", None)]
        assert await one.said("assistant") == ["three"]
        assert len(tool.calls) == 1
        assert [step["round"] for step in await one.steps()] == [0]


async def test_a_request_the_model_rejects_is_not_repeated_soon(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, ModelRefused("no"), engine={"retry_base_s": 5.0}) as one, one.working():
        await one.say(text="question")
        await until_notice(one)
        assert len(one.llm.asked) == 1
