"""How one turn ends, with a scripted model behind a real worker and store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models.chat import Delta, ModelBusy, ModelProtocolError, ModelUnavailable, Usage
from server.conversation import Reason
from tests.places import Place, until
from tests.server.engine.bench import Desk, desk, slowly

QUICK = {"first_token_timeout_s": 0.4}  # and with it the patience before the customer is told


def outcomes(rows: object) -> list[tuple[str, str | None]]:
    return [(row["outcome"], row["reason"]) for row in rows]  # type: ignore[attr-defined]


async def until_notice(one: Desk, conversation: str = "c1", timeout_s: float = 10.0) -> str:
    async with asyncio.timeout(timeout_s):
        while not (said := await one.said("notice", conversation)):
            await asyncio.sleep(0.01)
    return said[0]


async def test_messages_of_a_burst_are_one_question(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, engine={"settle_s": 0.2}) as one, one.working():
        for text in ("one", "two"):
            await one.say(text=text)
        (turn,) = await one.turns()
        assert one.llm.asked == ["one\ntwo"]
        assert (turn["first_seq"], turn["last_seq"]) == (1, 2)


async def test_a_claim_ends_the_settling(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, engine={"settle_s": 1.2}) as one, one.working():
        await one.say()
        await until(lambda: one.worker.active)
        await one.handoff.claim("c1", "ana")
        assert outcomes(await one.turns()) == [("handed_over", "claimed")]
        assert not one.llm.asked


async def test_newer_messages_join_until_the_limit(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "thinking"), engine={"max_merges": 1}) as one, one.working():
        await one.say(text="one")
        await until(lambda: one.hub.draft("c1") is not None)
        await one.say(text="two")
        await until(lambda: one.llm.asked[-1:] == ["one\ntwo"] and one.hub.draft("c1") is not None)
        await one.say(text="three")
        gate.set()
        turns = await one.turns(2)
        assert [(turn["first_seq"], turn["last_seq"]) for turn in turns] == [(1, 2), (3, 3)]
        assert [row["state"] for row in await one.rows("drafts", id="c1")] == ["replaced", "final", "final"]


async def test_a_message_that_arrives_during_the_commit_joins(place: Place, tmp_path: Path):
    async with desk(place, tmp_path) as one:

        async def interrupted() -> AsyncIterator[Delta]:
            yield Delta(text="early")
            await one.say(text="two")  # committed before the answer is
            one.llm.script.append("late")
            yield Delta(finish_reason="stop")

        one.llm.script.clear()
        one.llm.script.append(interrupted)
        one.llm.script.append("whole")
        async with one.working():
            await one.say(text="one")
            (turn,) = await one.turns()
        assert (turn["first_seq"], turn["last_seq"]) == (1, 2)
        assert one.llm.asked[-1] == "one\ntwo"


async def test_a_stop_before_any_word(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, slowly(asyncio.Event())) as one, one.working():
        await one.say()
        await until(lambda: one.llm.asked)
        assert await one.handoff.stop("c1")
        assert outcomes(await one.turns()) == [("answered", "stopped")]
        assert await one.said("notice") == ["Stopped."]
        assert await one.said("assistant") == []


async def test_a_stop_keeps_the_words_and_says_so(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, slowly(asyncio.Event(), "half", "an")) as one, one.working():
        await one.say()
        await until(lambda: (draft := one.hub.draft("c1")) is not None and draft.text == "half an ")
        await one.handoff.stop("c1")
        assert outcomes(await one.turns()) == [("answered", "stopped")]
        assert await one.said("assistant") == ["half an"]
        assert (await one.events("message"))[-1]["stopped"] is True


async def test_a_question_that_can_never_fit_is_answered_gracefully(place: Place, tmp_path: Path):
    async with desk(place, tmp_path) as one, one.working():
        await one.say(text="x" * 600_000)
        assert outcomes(await one.turns()) == [("graceful", "too_long")]
        assert "too long" in (await one.said("notice"))[0]
        assert not one.llm.asked
        await one.say(text="short")
        assert outcomes(await one.turns(2))[1] == ("answered", None)


async def test_an_answer_cut_by_its_length_says_so_in_the_record(place: Place, tmp_path: Path):
    async def cut() -> AsyncIterator[Delta]:
        yield Delta(text="one two")
        yield Delta(finish_reason="length", usage=Usage(3, 2))

    async with desk(place, tmp_path, cut) as one, one.working():
        await one.say()
        (turn,) = await one.turns()
        assert (turn["reason"], turn["prompt_tokens"], turn["completion_tokens"]) == ("length", 3, 2)


async def test_without_usage_the_prompt_is_counted_here(place: Place, tmp_path: Path):
    async def bare() -> AsyncIterator[Delta]:
        yield Delta(text="yes")
        yield Delta(finish_reason="stop")

    async with desk(place, tmp_path, bare) as one, one.working():
        await one.say()
        (turn,) = await one.turns()
        assert turn["prompt_tokens"] > 0
        assert turn["completion_tokens"] == 0


@pytest.mark.parametrize("error", [ModelUnavailable("gone"), ModelProtocolError("cut"), ModelBusy("full", 0.01)])
async def test_a_short_fault_is_not_noticed(place: Place, tmp_path: Path, error: Exception):
    async with desk(place, tmp_path, error, "fine") as one, one.working():
        await one.say()
        assert outcomes(await one.turns()) == [("answered", None)]
        assert await one.said("notice") == []
        assert one.llm.asked == ["hello", "hello"]


async def test_a_stop_while_waiting_to_try_again(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, ModelBusy("full", 5.0)) as one, one.working():
        await one.say()
        await until(lambda: one.llm.asked)
        await asyncio.sleep(0.05)
        await one.handoff.stop("c1")
        assert outcomes(await one.turns()) == [("answered", "stopped")]
        assert len(one.llm.asked) == 1


async def test_a_longer_fault_costs_one_notice_and_the_answer_comes_later(place: Place, tmp_path: Path):
    script = [ModelUnavailable("gone")] * 4
    async with desk(place, tmp_path, *script, "fine", model=QUICK, engine={"breaker_failures": 100}) as one:
        async with one.working():
            await one.say(profile={"locale": "de"})
            assert "leider" in await until_notice(one)
            assert outcomes(await one.turns()) == [("answered", None)]
        assert len(await one.said("notice")) == 1
        assert await one.said("assistant") == ["fine"]
        states = [(event["status"], event["reason"]) for event in await one.events("state")]
        assert states == [("waiting", "model_down"), ("bot", None)]


async def test_a_busy_model_does_not_open_the_breaker(place: Place, tmp_path: Path):
    engine = {"breaker_failures": 1}
    async with desk(place, tmp_path, ModelBusy("full", 10.0), model=QUICK, engine=engine) as one, one.working():
        await one.say()
        await until_notice(one)
        assert not one.breaker.open


async def test_an_open_breaker_tells_at_once_without_asking(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, engine={"breaker_failures": 1}) as one:
        one.breaker.failed()
        async with one.working():
            await one.say()
            await until_notice(one)
        assert not one.llm.asked


async def test_a_model_that_stays_away_ends_the_turn_in_the_end(place: Place, tmp_path: Path):
    engine = {"breaker_failures": 1, "breaker_pause_s": 0.01, "answer_deadline_s": 0.1}
    async with desk(place, tmp_path, ModelUnavailable("gone"), model=QUICK, engine=engine) as one:
        one.breaker._clock = asyncio.get_running_loop().time
        async with one.working():
            await one.say()
            assert outcomes(await one.turns()) == [("graceful", "model_down")]
        assert len(await one.said("notice")) == 1
        assert (await one.conversation())["reason"] == "model_down", "a person still looks at it"


async def test_while_a_person_is_awaited_the_bot_may_be_told_to_keep_silent(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, engine={"answer_while_waiting": False}) as one, one.working():
        await one.say()
        await one.turns()
        await one.handoff.ask("c1", Reason.CUSTOMER_ASKED)
        await one.say()
        assert outcomes(await one.turns(2))[1] == ("handed_over", "waiting")
        assert len(one.llm.asked) == 1


async def test_a_claim_between_answer_and_commit_wins(place: Place, tmp_path: Path):
    async with desk(place, tmp_path) as one:

        async def claimed_meanwhile() -> AsyncIterator[Delta]:
            yield Delta(text="words nobody may see")
            await one.handoff.claim("c1", "ana")
            yield Delta(finish_reason="stop")

        one.llm.script.clear()
        one.llm.script.append(claimed_meanwhile)
        async with one.working():
            await one.say()
            assert outcomes(await one.turns()) == [("handed_over", "claimed")]
        assert await one.said("assistant") == []


async def test_timings_are_kept(place: Place, tmp_path: Path):
    async with desk(place, tmp_path) as one, one.working():
        await one.say()
        (turn,) = await one.turns()
        assert '"first_token"' in turn["timings"]
        await until(lambda: one.worker.active == 0)
        text = one.metrics.render()[0].decode()
        assert 'frontdesk_turns_total{outcome="answered",reason=""} 1.0' in text
        assert "frontdesk_turn_seconds_count 1.0" in text
