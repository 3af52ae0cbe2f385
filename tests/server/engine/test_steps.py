"""The journal in turns that are taken again: same arguments, same keys, and never a round asked for twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server import lanes
from server.engine.control import Control
from server.engine.steps import turn_of
from server.store.contract import Tx
from server.tools import journal
from server.tools.contract import Result, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.journal import Proposal
from server.tools.plans import Call
from tests.places import Place, until
from tests.server.engine.bench import Desk, calling, desk
from tests.server.engine.toolrig import CountingTool

STOCK = Proposal("stock", {"item": "lamp"}, "call-7")
PLANNED = Proposal("stock", {"item": "lamp"})


async def left_behind(one: Desk, *calls: Proposal, begun: int = 0, ends: dict[int, Any] | None = None) -> None:
    """A worker died in this turn: its calls are written down, begun so often, and some have ended."""
    await one.releases.publish_configured()
    await one.say(text="question")
    lease = await one.take_one()
    turn = turn_of(lease)

    async def unit(tx: Tx) -> None:
        await journal.propose(tx, turn, 0, calls)
        key = {"conversation_id": "c1", "first_seq": 1, "round": 0}
        await tx.run("engine.note_steps_reach", **key, upto_seq=lease.tail)
        for _ in range(begun):
            for number in range(1, len(calls) + 1):
                await journal.begin(tx, turn, number)
        for number, end in (ends or {}).items():
            await journal.finish(tx, turn, number, end)
        await lanes.release(tx, lease)

    await one.write(unit)


@pytest.mark.parametrize("begun", [0, 1, 3])
async def test_a_call_that_was_written_down_is_run_as_it_stands(either: Place, tmp_path: Path, begun: int):
    tool = CountingTool(say="Booked.", effect="write")
    other = [Call("stock", {"item": "something else"})]
    async with desk(either, tmp_path, tools=[tool], plans=other) as one:
        await left_behind(one, PLANNED, begun=begun)
        async with one.working():
            await one.turns()
        assert await one.said("assistant") == ["Booked."]
        assert tool.calls == [({"item": "lamp"}, "c1:1:1")]
        assert [step["attempts"] for step in await one.steps()] == [begun + 1]
        assert one.planner.asked == []


async def test_a_stored_round_of_the_model_is_not_asked_for_again(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    async with desk(place, tmp_path, "three left", tools=[tool]) as one:
        await left_behind(
            one, STOCK, Proposal("stock", {"item": "chair"}, "call-8"), begun=1, ends={1: Result({"left": 1})}
        )
        async with one.working():
            await one.turns()
        assert await one.said("assistant") == ["three left"]
        assert tool.calls == [({"item": "chair"}, "c1:1:2")]
        texts = [json.loads(message.content) for message in one.llm.prompts[0] if message.role == "tool"]
        assert texts == [{"ok": True, "left": 1}, {"ok": True, "left": 3}]
        assert len(one.llm.asked) == 1


async def test_what_ended_is_told_without_running_anything(place: Place, tmp_path: Path):
    tool = CountingTool(say="not again")
    async with desk(place, tmp_path, tools=[tool]) as one:
        await left_behind(one, PLANNED, begun=1, ends={1: Result(say="Booked.", replies=("Thanks",))})
        async with one.working():
            await one.turns()
        assert await one.said("assistant") == ["Booked."]
        assert tool.calls == []


async def test_what_came_later_is_the_next_turn(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write")
    async with desk(place, tmp_path, "and this", tools=[tool]) as one:
        await left_behind(one, PLANNED, begun=1)
        await one.say(text="later")
        async with one.working():
            turns = await one.turns(2)
        assert [(turn["first_seq"], turn["last_seq"]) for turn in turns] == [(1, 1), (2, 2)]
        assert await one.said("assistant") == ["Booked.", "and this"]
        assert len(tool.calls) == 1


async def test_a_call_that_seems_to_kill_workers_is_given_up_honestly(place: Place, tmp_path: Path):
    tool = CountingTool(say="never", effect="write")
    async with desk(place, tmp_path, tools=[tool]) as one:
        await left_behind(one, PLANNED, begun=journal.MAX_ATTEMPTS)
        async with one.working():
            await one.turns()
        assert "could not find out" in (await one.said("assistant"))[0]
        assert tool.calls == []


@pytest.mark.parametrize("error", [ToolUnavailable("away"), ToolRefused("no")])
async def test_a_repeated_write_that_fails_may_have_worked_before(place: Place, tmp_path: Path, error: Exception):
    tool = CountingTool(effect="write", errors=(error,))  # type: ignore[arg-type]
    async with desk(place, tmp_path, tools=[tool]) as one:
        await left_behind(one, PLANNED, begun=1)
        async with one.working():
            await one.turns()
        assert "could not find out" in (await one.said("assistant"))[0]


async def test_a_repetition_within_the_call_that_fails_may_have_worked_before(place: Place, tmp_path: Path):
    tool = CountingTool(effect="write", errors=(ToolTimeout("late"), ToolUnavailable("away")))
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        await one.say()
        await one.turns()
        assert "could not find out" in (await one.said("assistant"))[0]


async def test_a_claim_before_the_turn_was_taken_again_ends_its_calls(place: Place, tmp_path: Path):
    tool = CountingTool(effect="write")
    async with desk(place, tmp_path, tools=[tool]) as one:
        await left_behind(one, PLANNED, begun=1)
        await one.handoff.claim("c1", "ana")
        async with one.working():
            (turn,) = await one.turns()
        assert turn["reason"] == "claimed"
        (step,) = await one.steps()
        assert (step["state"], step["result"]["error"]) == ("failed", "timeout")
        assert tool.calls == []


async def test_a_parked_turn_leaves_no_call_open(place: Place, tmp_path: Path):
    tool = CountingTool(effect="write")
    async with desk(place, tmp_path, tools=[tool], engine={"max_errors": 1}) as one:
        await left_behind(one, PLANNED, begun=1)
        lease = await one.take_one()
        await one.write(lambda tx: lanes.nack(tx, lease, 0.0, error=True))
        async with one.working():
            (turn,) = await one.turns()
        assert turn["reason"] == "parked: errors"
        assert [step["state"] for step in await one.steps()] == ["failed"]
        assert tool.calls == []


async def test_a_question_for_a_yes_is_asked_again_as_it_was_planned(place: Place, tmp_path: Path):
    tool = CountingTool(effect="write", confirm=True)
    plans = [Call("stock", {"item": "lamp"}, summary="Book the lamp?", replies=("Sure", "No"))]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one:
        await left_behind(one, PLANNED)
        async with one.working():
            await one.turns()
        assert await one.said("assistant") == ["Book the lamp?"]
        (request,) = await one.rows("requests", id="c1")
        assert (request["number"], request["state"]) == (1, "waiting")
        assert tool.calls == []


async def test_a_confirmed_call_that_was_cut_off_keeps_its_key_and_ends_its_request(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write", confirm=True)
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "lamp"}, summary="Lamp?")]) as one:
        async with one.working():
            await one.say(text="book")
            await one.turns()
            await until(lambda: one.worker.active == 0)
        (request,) = await one.rows("requests", id="c1")
        await one.say(text="yes")
        lease = await one.take_one()

        async def died_running(tx: Tx) -> None:
            await tx.run("tools.decide_request", id=request["id"], state="granted", decided_by="customer", now=0.0)
            await journal.propose(tx, turn_of(lease), 0, [Proposal("stock", {"item": "lamp"}, key="c1:1:1")])
            await journal.begin(tx, turn_of(lease), 1)
            await lanes.release(tx, lease)

        await one.write(died_running)
        await one.runner.run(await one.take_one(), Control())
        assert tool.calls == [({"item": "lamp"}, "c1:1:1")]
        assert [row["state"] for row in await one.rows("requests", id="c1")] == ["done"]
        assert [step["state"] for step in await one.steps()] == ["done", "done"]


async def test_a_lost_lease_stores_no_result(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, calling(("stock", {"item": "x"})), "never") as one:

        class Stolen(CountingTool):
            async def run(self, *given: Any) -> Result:
                await one.change("steal", key="c1")
                return await super().run(*given)

        tool = Stolen({"left": 1})
        one.tools = [tool]
        one.__post_init__()
        async with one.working():
            await one.say()
            await until(lambda: tool.calls)
            await until(lambda: one.worker.active == 0)
        assert [step["state"] for step in await one.steps()] == ["running"]
        assert await one.said("assistant") == []
