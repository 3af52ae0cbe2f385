"""What happened becomes candidates, once."""

from __future__ import annotations

from pathlib import Path

from server.conversation import Reason
from server.store.contract import Event, Tx
from server.tools.plans import Call
from tests.server.engine.bench import Shelf, calling
from tests.server.engine.toolrig import CountingTool
from tests.server.loop_bench import loop_bench


async def test_a_thumb_confirms_an_answer_until_it_is_taken_back(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "three days") as one:
        answer = await one.ask()
        await one.thumb(answer)
        (example,) = await one.collected()
        assert (example["origin"], example["status"], example["kind"]) == ("confirmed", "pending", "sft")
        assert example["target"] == {"content": "three days", "tool_calls": []}
        assert (example["basis"], example["exact"], example["question"]) == ("contract", 1, "how long?")
        await one.thumb(answer, None)
        (example,) = await one.collected()
        assert (example["status"], example["reasons"]) == ("withdrawn", {"codes": ["not_confirmed"]})


async def test_looking_twice_finds_nothing_twice(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "three days") as one:
        await one.thumb(await one.ask())
        assert len(await one.collected()) == 1
        await one.store.write(lambda tx: tx.run("loop.move_cursor", tenant="default", name="collect", number=1))
        assert await one.collector.step() == 0, "a cursor never goes back"
        assert len(await one.collected()) == 1


async def test_five_hundred_thumbs_of_one_visitor_change_nothing(store_url: str, tmp_path: Path):
    """Each answer gets hundreds of presses; few become candidates and none is trained on."""
    async with loop_bench(store_url, tmp_path, "yes", training={"customer_examples": 3}) as one:
        answers = [await one.ask(f"question {number}") for number in range(8)]
        for press in range(500):
            await one.thumb(answers[press % 8])
        assert len(await one.collected()) == 3
        assert [row async for row in one.examples.rows()] == []
        since = {"tenant": "default", "release": one.desk.releases.live, "since": 0.0, "until": 4e9}
        assert len(await one.store.rows("loop.thumbs", **since)) == 1, "one voice"


async def test_a_downvote_of_anybody_outweighs_the_thumb(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        answer = await one.ask()
        await one.thumb(answer)
        await one.thumb(answer, "down", giver="somebody else")
        assert await one.collected() == []


async def test_an_account_that_must_not_train_makes_no_examples(store_url: str, tmp_path: Path):
    channels = {"web": {"default": {"trainable": "no"}}}
    async with loop_bench(store_url, tmp_path, "yes", channels=channels) as one:
        answer = await one.ask()
        await one.thumb(answer)
        assert await one.collected() == []
        _, example = await one.correct(answer, "no, better")
        assert example is None


async def test_one_untrainable_message_in_the_prompt_bars_it(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        await one.change("change_policy", trainable="no")
        await one.ask("hello")
        await one.change("change_policy", trainable="consent")
        await one.thumb(await one.ask("and now?"))
        assert await one.collected() == [], "its history came in when nothing might train"


async def test_asking_for_a_person_later_takes_the_confirmation_back(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        await one.thumb(await one.ask())
        assert len(await one.collected()) == 1
        await one.desk.handoff.ask("c1", Reason.CUSTOMER_ASKED)
        (example,) = await one.collected()
        assert (example["status"], example["reasons"]) == ("withdrawn", {"codes": ["handed_over"]})


async def test_what_staff_answer_is_a_candidate_that_grows_until_the_customer_speaks(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "I do not know") as one:
        await one.ask("can I pay by card?")
        await one.desk.handoff.claim("c1", "ana")
        await one.desk.say("c1", "hello, is somebody there?")
        await one.desk.handoff.say("c1", "ana", "Yes, by card.")
        (example,) = await one.collected()
        assert (example["origin"], example["person"]) == ("staff_reply", "ana")
        await one.desk.handoff.say("c1", "ana", "And by invoice.")
        (example,) = await one.collected()
        assert example["target"]["content"] == "Yes, by card.\n\nAnd by invoice."
        roles = [(message["role"], message["content"]) for message in example["prompt"][1:]]
        assert roles == [
            ("user", "can I pay by card?"), ("assistant", "I do not know"), ("user", "hello, is somebody there?"),
        ]  # fmt: skip


async def test_a_handoff_the_customer_asked_for_is_a_call(store_url: str, tmp_path: Path):
    tool = CountingTool(
        name="handoff_to_staff",
        say="Somebody comes.",
        handoff="customer_asked",
        parameters={"reason": {"type": "string"}},
    )
    plans = [Call("handoff_to_staff", {"reason": "customer_asked"})]
    async with loop_bench(store_url, tmp_path, "yes", tools=[tool], plans=plans) as one:
        await one.ask("I want a person")
        (example,) = await one.collected()
        assert (example["origin"], example["behaviour"], example["exact"]) == ("handoff", "handoff", 0)
        assert example["target"]["tool_calls"][0]["name"] == "handoff_to_staff"
        assert [tool["name"] for tool in example["tools"]] == ["handoff_to_staff"]


async def test_calls_that_worked_are_examples_and_failed_ones_are_not(store_url: str, tmp_path: Path):
    script = (calling(("stock", {"item": "lamp"})), "three left")
    async with loop_bench(store_url, tmp_path, *script, tools=[CountingTool({"left": 3})]) as one:
        await one.ask("is the lamp there?")
        (example,) = await one.collected()
        assert (example["origin"], example["behaviour"], example["exact"]) == ("tool_call", "tool_call", 1)
        assert example["target"]["tool_calls"] == [{"name": "stock", "arguments": {"item": "lamp"}}]
        assert example["prompt"][-1]["role"] == "user"


async def test_a_refusal_is_an_example_with_the_passages_that_did_not_answer(store_url: str, tmp_path: Path):
    shelf = Shelf("Parcels take 3 days.", confidence=0.1)
    async with loop_bench(store_url, tmp_path, "never asked", shelf=shelf) as one:
        await one.ask("what about the moon?")
        (example,) = await one.collected()
        assert (example["origin"], example["behaviour"]) == ("refusal", "refusal")
        assert "Parcels take 3 days." in example["prompt"][0]["content"]


async def test_an_odd_event_is_passed_over(store_url: str, tmp_path: Path):
    async with loop_bench(store_url, tmp_path, "yes") as one:
        await one.store.write(_emit)
        await one.thumb(await one.ask())
        assert len(await one.collected()) == 1


async def _emit(tx: Tx) -> None:
    tx.emit(Event("default", "feedback", {"nothing": "useful"}))
