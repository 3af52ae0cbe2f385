"""Tools in turns: plans of code, calls of the model, what needs a yes, and what is told of each result."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from server.engine.acting import CALL_CHARACTERS
from server.engine.attempt import CALL_TOKENS
from server.tools.contract import Caller, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.customer_words import MARK
from server.tools.plans import Ask, Call, Confirmed, Declined, Dialogue, Force, Say
from tests.places import Place, until
from tests.server.engine.bench import Desk, calling, desk
from tests.server.engine.toolrig import CountingTool


async def dialogue(one: Desk) -> Any:
    return await one.store.row("engine.dialogue", conversation_id="c1")


async def told(one: Desk, text: str = "question", turns: int = 1) -> list[str]:
    """Say something and return what the assistant said so far."""
    await one.say(text=text)
    await one.turns(turns)
    return await one.said("assistant")


async def test_a_call_of_code_is_answered_in_the_tools_own_words(place: Place, tmp_path: Path):
    tool = CountingTool(say="Order 1 is on its way.", replies=("Thanks",))
    plans = [Call("stock", {"item": "lamp"}, {"item": "lamp"})]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        assert await told(one) == ["Order 1 is on its way."]
        assert not one.llm.asked
        (step,) = await one.steps()
        assert (step["tool"], step["arguments"], step["state"], step["attempts"]) == (
            "stock",
            {"item": "lamp"},
            "done",
            1,
        )
        assert (step["key"], step["upto_seq"]) == ("c1:1:1", 1)
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"], turn["release_id"]) == ("answered", "tool", one.releases.live)
        assert (await one.events("message"))[-1]["replies"] == ["Thanks"]
        assert tool.calls == [({"item": "lamp"}, "c1:1:1")]


async def test_a_result_without_words_is_phrased_by_the_model(place: Place, tmp_path: Path):
    tool = CountingTool({"left": 3})
    async with desk(place, tmp_path, "three left", tools=[tool], plans=[Call("stock", {"item": "lamp"})]) as one:
        async with one.working():
            assert await told(one) == ["three left"]
        roles = [message.role for message in one.llm.prompts[0]]
        assert roles == ["system", "user", "assistant", "tool"]
        assert json.loads(one.llm.asked[0]) == {"ok": True, "left": 3}


async def test_a_question_of_code_keeps_the_slots(place: Place, tmp_path: Path):
    plans = [Ask("stock", "Which item?", {"size": "L"}, "item", ("item",), ("Lamp", "Chair"), tries=1), Say("Fine.")]
    async with desk(place, tmp_path, tools=[CountingTool()], plans=plans) as one, one.working():
        assert await told(one) == ["Which item?"]
        assert dict(await dialogue(one)) == {"tool": "stock", "slots": '{"size":"L"}', "asked": "item", "tries": 1}
        assert (await one.events("message"))[-1]["replies"] == ["Lamp", "Chair"]
        assert await told(one, "never mind", 2) == ["Which item?", "Fine."]
        assert await dialogue(one) is None
        assert one.planner.asked[1][2] == Dialogue("stock", {"size": "L"}, "item", 1)
        assert one.planner.asked[1][1] == ["Which item?"]


async def test_a_result_may_ask_on(place: Place, tmp_path: Path):
    tool = CountingTool({"ask": "date"}, say="That is taken. Which other day?")
    plans = [Call("stock", {"item": "lamp"}, {"item": "lamp", "half": "pm"})]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        await told(one)
        row = await dialogue(one)
        assert (row["tool"], json.loads(row["slots"]), row["asked"]) == (
            "stock",
            {"item": "lamp", "half": "pm"},
            "date",
        )


async def test_the_model_fills_in_what_code_does_not_know(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", parameters={"item": {"type": "string"}, "size": {"type": "string"}})
    script = [calling(("stock", {"item": "a lamp", "size": "XXL", "other": 1}))]
    plans = [Force("stock", {"size": "L"}, ("item",))]
    async with desk(place, tmp_path, *script, tools=[tool], plans=plans) as one, one.working():
        assert await told(one) == ["Done."]
        assert tool.calls == [({"item": "a lamp", "size": "L"}, "c1:1:1")]
        (how,) = one.llm.how
        assert how["tool_choice"] == "stock"
        (spec,) = how["tools"]
        assert list(spec.parameters["properties"]) == spec.parameters["required"] == ["item"]


async def test_a_forced_call_has_room_to_end_and_its_texts_are_held_short(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", parameters={"item": {"type": "string", "maxLength": 1_000}})
    script = [calling(("stock", {"item": "a lamp"})), "an answer"]
    plans = [Force("stock", {}, ("item",))]
    async with (
        desk(place, tmp_path, *script, tools=[tool], plans=plans, model={"answer_tokens": 16}) as one,
        one.working(),
    ):
        await told(one)
        await told(one, "another question", turns=2)
        forced, free = one.llm.how
        assert (forced["tool_choice"], forced["decoding"].max_tokens) == ("stock", CALL_TOKENS)
        assert forced["tools"][0].parameters["properties"]["item"]["maxLength"] == CALL_CHARACTERS
        assert (free["tool_choice"], free["decoding"].max_tokens) == (None, 16)
        assert free["tools"][0].parameters["properties"]["item"]["maxLength"] == 1_000


NOTE = {"item": {"type": "string", "enum": ["lamp", "bowl"]}, "note": {"type": "string", MARK: True}}


async def test_the_customers_words_are_filled_in_by_code(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", parameters=NOTE)
    script = [calling(("stock", {"item": "bowl", "note": "Auctioneer's Service, 19th March"}))]
    async with desk(place, tmp_path, *script, tools=[tool], plans=[Force("stock", {}, ("item",))]) as one:
        async with one.working():
            assert await told(one, "the blue bowl is chipped") == ["Done."]
        assert tool.calls == [({"item": "bowl", "note": "the blue bowl is chipped"}, "c1:1:1")]
        assert list(one.llm.how[0]["tools"][0].parameters["properties"]) == ["item"]


async def test_the_model_is_not_asked_where_nothing_is_left(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", parameters=NOTE)
    plans = [Force("stock", {"item": "bowl"}, ("note",))]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        assert await told(one, "the blue bowl is chipped") == ["Done."]
        assert tool.calls == [({"item": "bowl", "note": "the blue bowl is chipped"}, "c1:1:1")]
        assert not one.llm.asked


async def test_a_wish_that_tells_nothing_is_asked_about(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", parameters=NOTE)
    force = Force("stock", {"item": "bowl"}, (), otherwise=Ask("stock", "What about?", {}, "note", ("note",)))
    async with desk(place, tmp_path, tools=[tool], plans=[force, force, force]) as one, one.working():
        assert await told(one, "please open a ticket") == ["What about?"]
        assert (await dialogue(one))["asked"] == "note"
        assert await told(one, "it is chipped", 2) == ["What about?", "Done."]
        assert await told(one, "open another ticket", 3) == ["What about?", "Done.", "Done."]
        assert [call["note"] for call, _ in tool.calls] == ["it is chipped", "it is chipped"]


async def test_a_free_call_carries_the_customers_words_too(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", parameters=NOTE)
    script = [calling(("stock", {"item": "lamp", "note": "made up"}))]
    async with desk(place, tmp_path, *script, tools=[tool]) as one, one.working():
        assert await told(one, "my lamp hums") == ["Done."]
        assert tool.calls == [({"item": "lamp", "note": "my lamp hums"}, "c1:1:1")]
        assert list(one.llm.how[0]["tools"][0].parameters["properties"]) == ["item"]


async def test_a_model_that_does_not_fill_in_just_answers(place: Place, tmp_path: Path):
    plans = [Force("stock", {}, ("item",))]
    async with desk(place, tmp_path, "no call", "an answer", tools=[CountingTool()], plans=plans) as one, one.working():
        assert await told(one) == ["an answer"]
        assert await one.steps() == []


async def test_the_model_calls_and_reads_the_results_in_order(place: Place, tmp_path: Path):
    slow = CountingTool({"slow": 1}, name="slow", delay_s=0.05)
    fast = CountingTool({"fast": 1}, name="fast")
    script = [calling(("slow", {"item": "a"}), ("fast", {"item": "b"})), "both known"]
    async with desk(place, tmp_path, *script, tools=[slow, fast]) as one, one.working():
        assert await told(one) == ["both known"]
        calls = one.llm.prompts[1][-3]
        assert [call.name for call in calls.tool_calls] == ["slow", "fast"]
        assert [(message.tool_call_id, json.loads(message.content)) for message in one.llm.prompts[1][-2:]] == [
            ("call-0", {"ok": True, "slow": 1}),
            ("call-1", {"ok": True, "fast": 1}),
        ]
        assert [(step["round"], step["call_id"], step["state"]) for step in await one.steps()] == [
            (0, "call-0", "done"),
            (0, "call-1", "done"),
        ]
        (turn,) = await one.turns()
        assert (turn["prompt_tokens"], turn["completion_tokens"], turn["attempt"]) == (10, 7, 1)


async def test_calls_that_do_not_fit_are_told_to_the_model_and_never_run(place: Place, tmp_path: Path):
    tool = CountingTool({"ok": 1})
    wrong = [("stock", {}), ("stock", {"item": {"a": 1}}), ("nowhere", {"item": "x"}), ("stock", {"item": "too many"})]
    script = [calling(*wrong), "sorry"]
    async with desk(place, tmp_path, *script, tools=[tool], limits={"calls": 3}) as one, one.working():
        assert await told(one) == ["sorry"]
        assert tool.calls == []
        steps = await one.steps()
        assert {step["state"] for step in steps} == {"failed"}
        assert [step["result"]["error"] for step in steps] == ["refused"] * 4
        assert "at most 3 calls" in steps[-1]["result"]["message"]


async def test_after_its_last_round_the_model_is_offered_nothing(place: Place, tmp_path: Path):
    script = [calling(("stock", {"item": "a"})), calling(("stock", {"item": "b"})), "enough"]
    async with desk(place, tmp_path, *script, tools=[CountingTool({"n": 1})], limits={"rounds": 2}) as one:
        async with one.working():
            assert await told(one) == ["enough"]
        assert [bool(how["tools"]) for how in one.llm.how] == [True, True, False]
        assert [step["round"] for step in await one.steps()] == [0, 1]


async def test_tools_that_code_plans_are_not_offered(place: Place, tmp_path: Path):
    tools = [CountingTool(name="order_status"), CountingTool(name="stock")]
    script = [calling(("order_status", {"item": "x"})), "no such tool"]
    async with desk(place, tmp_path, *script, tools=tools) as one, one.working():
        assert await told(one) == ["no such tool"]
        assert [spec.name for spec in one.llm.how[0]["tools"]] == ["stock"]
        assert tools[0].calls == []


async def test_words_before_a_call_are_replaced(place: Place, tmp_path: Path):
    script = [calling(("stock", {"item": "x"}), words="Let me see. "), "Three are left."]
    async with desk(place, tmp_path, *script, tools=[CountingTool({"left": 3})]) as one, one.working():
        assert await told(one) == ["Three are left."]
        assert [row["state"] for row in await one.rows("drafts", id="c1")] == ["replaced", "final"]


async def test_a_yes_runs_exactly_what_was_asked(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write", confirm=True)
    plans = [Call("stock", {"item": "lamp"}, summary="Book the lamp?", replies=("Yes", "No"))]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        assert await told(one) == ["Book the lamp?"]
        assert tool.calls == []
        (request,) = await one.rows("requests", id="c1")
        assert (request["state"], request["kind"], request["summary"]) == ("waiting", "confirm", "Book the lamp?")
        assert [step["state"] for step in await one.steps()] == ["waiting"]
        assert (await one.events("message"))[-1]["replies"] == ["Yes", "No"]
        one.planner.plans.append(Confirmed(request["id"]))
        assert await told(one, "yes", 2) == ["Book the lamp?", "Booked."]
        assert one.planner.asked[1][3].arguments == {"item": "lamp"}
        assert tool.calls == [({"item": "lamp"}, "c1:1:1")]
        assert [(step["state"], step["key"]) for step in await one.steps()] == [("done", "c1:1:1")] * 2
        (request,) = await one.rows("requests", id="c1")
        assert (request["state"], json.loads(request["result"])["say"]) == ("done", "Booked.")


async def test_a_second_yes_finds_nothing_open(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write", confirm=True)
    plans = [Call("stock", {"item": "lamp"}, summary="Book?")]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        await told(one)
        (request,) = await one.rows("requests", id="c1")

        async def too_late(*_given: Any) -> Any:
            decided = {"id": request["id"], "state": "refused", "decided_by": "staff", "now": 0.0}
            await one.store.write(lambda tx: tx.run("tools.decide_request", **decided))
            return Confirmed(request["id"])

        one.runner._tools._planner = too_late
        said = await told(one, "yes", 2)
        assert "no longer open" in said[-1]
        assert tool.calls == []


async def test_a_no_does_nothing(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write", confirm=True)
    plans = [Call("stock", {"item": "lamp"}, summary="Book?")]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        await told(one)
        (request,) = await one.rows("requests", id="c1")
        one.planner.plans.append(Declined(request["id"], "Left alone."))
        assert await told(one, "no", 2) == ["Book?", "Left alone."]
        assert [row["state"] for row in await one.rows("requests", id="c1")] == ["refused"]
        assert [step["state"] for step in await one.steps()] == ["failed"]
        assert tool.calls == []


async def test_a_correction_takes_the_place_of_the_question(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write", confirm=True)
    plans = [Call("stock", {"item": "lamp"}, summary="Lamp?")]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        await told(one)
        (request,) = await one.rows("requests", id="c1")
        one.planner.plans.append(Call("stock", {"item": "chair"}, summary="Chair?", replaces=request["id"]))
        assert await told(one, "no, the chair", 2) == ["Lamp?", "Chair?"]
        assert [row["state"] for row in await one.rows("requests", id="c1")] == ["refused", "waiting"]


async def test_a_call_of_the_model_that_needs_a_yes_asks_with_its_arguments(place: Place, tmp_path: Path):
    read, write = CountingTool({"left": 1}, say="One is left."), CountingTool(name="buy", effect="write", confirm=True)
    script = [calling(("stock", {"item": "x"}), ("buy", {"item": "lamp"}), ("buy", {"item": "chair"}))]
    async with desk(place, tmp_path, *script, tools=[read, write]) as one, one.working():
        (text,) = await told(one)
        assert text.splitlines()[0] == "One is left."
        assert "- item: lamp" in text
        assert "chair" not in text
        assert (await one.events("message"))[-1]["replies"] == ["Yes", "No"]
        assert [step["state"] for step in await one.steps()] == ["done", "waiting", "failed"]
        assert write.calls == []


async def test_staff_are_asked_and_the_customer_is_told_so(place: Place, tmp_path: Path):
    tool = CountingTool(effect="write", approve=True)
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "lamp"})]) as one, one.working():
        (text,) = await told(one)
        assert "person has to approve" in text
        (request,) = await one.rows("requests", id="c1")
        assert (request["kind"], request["state"]) == ("approve", "waiting")
        assert request["expires_at"] - request["created_at"] > 86_400
        assert tool.calls == []


@pytest.mark.parametrize(("reason", "kept"), [("customer_asked", "customer_asked"), ("the tool says so", "tool")])
async def test_a_result_hands_over(place: Place, tmp_path: Path, reason: str, kept: str):
    tool = CountingTool(say="Somebody comes.", handoff=reason)
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        assert await told(one) == ["Somebody comes."]
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("handed_over", kept)
        row = await one.conversation()
        assert (row["status"], row["reason"]) == ("waiting", kept)


async def test_a_write_without_an_answer_is_repeated_once_with_its_key(place: Place, tmp_path: Path):
    tool = CountingTool(say="Booked.", effect="write", errors=(ToolTimeout("late"),))
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        assert await told(one) == ["Booked."]
        assert tool.calls == [({"item": "x"}, "c1:1:1")] * 2


async def test_a_write_nobody_knows_about_is_told_honestly(place: Place, tmp_path: Path):
    tool = CountingTool(effect="write", errors=(ToolTimeout("late"), ToolTimeout("late")))
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        (text,) = await told(one)
        assert "could not find out" in text
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("graceful", "tool_unknown")
        assert (await one.conversation())["reason"] == "tool"
        (step,) = await one.steps()
        assert (step["state"], step["result"]["error"]) == ("failed", "timeout")


@pytest.mark.parametrize("error", [ToolTimeout("late"), ToolUnavailable("away"), ToolRefused("enough"), ToolError("x")])
async def test_the_failure_of_a_call_of_code_is_told_and_not_repeated(place: Place, tmp_path: Path, error: ToolError):
    tool = CountingTool(errors=(error,))
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        (text,) = await told(one)
        assert "did not work" in text
        assert len(tool.calls) == 1
        assert not one.llm.asked


async def test_the_failure_of_a_call_of_the_model_is_read_by_it(place: Place, tmp_path: Path):
    tool = CountingTool(errors=(ToolUnavailable("the stock is closed"),))
    async with desk(place, tmp_path, calling(("stock", {"item": "x"})), "sorry", tools=[tool]) as one, one.working():
        assert await told(one) == ["sorry"]
        assert json.loads(one.llm.asked[-1]) == {"error": "unavailable", "message": "the stock is closed"}


async def test_a_personal_tool_first_asks_who_it_is(place: Place, tmp_path: Path):
    tool = CountingTool(say="Yours.", personal=True)
    plans = [Call("stock", {"item": "x"}), Call("stock", {"item": "x"})]
    async with desk(place, tmp_path, tools=[tool], plans=plans) as one, one.working():
        (text,) = await told(one)
        assert "order number" in text
        assert (await dialogue(one))["tool"] == "order_status"
        assert tool.calls == []
        await one.change("verify", id="c1", subject="s1")
        assert (await told(one, "again", 2))[-1] == "Yours."


async def test_a_shop_that_does_not_say_who_it_is_leaves_the_model_alone(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, "hi", tools=[CountingTool()], plans=[Say("planned")]) as one:

        async def away(_conversation: str) -> Caller:
            raise ToolUnavailable("the shop is away")

        one.runner._tools._callers = away
        async with one.working():
            assert await told(one) == ["hi"]
        assert one.llm.how[0]["tools"] == ()
        assert one.planner.asked == []


async def test_a_newer_message_before_the_call_joins_it(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.")
    async with desk(place, tmp_path, tools=[tool]) as one:
        asked: list[str] = []

        async def slowly(question: str, *_rest: Any) -> Any:
            asked.append(question)
            if len(asked) == 1:
                await one.say(text="two")
            return Call("stock", {"item": question})

        one.runner._tools._planner = slowly
        async with one.working():
            assert await told(one, "one") == ["Done."]
        assert asked == ["one", "one\ntwo"]
        assert tool.calls == [({"item": "one\ntwo"}, "c1:1:1")]
        assert [(turn["first_seq"], turn["last_seq"]) for turn in await one.turns()] == [(1, 2)]


async def test_a_newer_message_after_the_call_is_the_next_turn(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    tool = CountingTool(say="Done.", gate=gate)
    async with (
        desk(place, tmp_path, "and this", tools=[tool], plans=[Call("stock", {"item": "x"})]) as one,
        one.working(),
    ):
        await one.say(text="one")
        await until(lambda: tool.calls)
        await one.say(text="two")
        gate.set()
        turns = await one.turns(2)
        assert [(turn["first_seq"], turn["last_seq"]) for turn in turns] == [(1, 1), (2, 2)]
        assert await one.said("assistant") == ["Done.", "and this"]
        assert len(tool.calls) == 1


async def test_a_claim_while_a_call_runs_keeps_its_result_and_says_nothing(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    tool = CountingTool(say="Done.", gate=gate, effect="write")
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        await one.say(text="one")
        await until(lambda: tool.calls)
        await one.handoff.claim("c1", "ana")
        gate.set()
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "claimed")
        assert [step["state"] for step in await one.steps()] == ["done"]
        assert await one.said("assistant") == []


async def test_a_claim_between_proposal_and_call_prevents_it(place: Place, tmp_path: Path):
    tool = CountingTool(say="Done.", effect="write")
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one:
        steps = one.runner._tools._steps
        run = steps.run

        async def claimed_first(*given: Any) -> Any:
            await one.handoff.claim("c1", "ana")
            return await run(*given)

        steps.run = claimed_first
        async with one.working():
            await one.say()
            (turn,) = await one.turns()
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "claimed")
        assert tool.calls == []
        (step,) = await one.steps()
        assert (step["state"], step["result"]["message"]) == ("failed", "it was not begun")


async def test_a_stop_while_a_call_runs_still_tells_its_result(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    tool = CountingTool(say="Done.", gate=gate, effect="write")
    async with desk(place, tmp_path, tools=[tool], plans=[Call("stock", {"item": "x"})]) as one, one.working():
        await one.say(text="one")
        await until(lambda: tool.calls)
        await one.handoff.stop("c1")
        gate.set()
        await one.turns()
        assert await one.said("assistant") == ["Done."]
