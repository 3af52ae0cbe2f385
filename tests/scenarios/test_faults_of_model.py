"""A4: a saturated or loading model is no fault; a faulty one costs one graceful message and never half an answer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.model_double import ModelDouble, Pace
from tests.scenario import Service, desk, model_is, settings_for

QUICK = {"first_token_timeout_s": 0.5, "gap_timeout_s": 0.5, "total_timeout_s": 2.0}
RETRY = {"retry_base_s": 0.2, "breaker_pause_s": 0.2}


@pytest.mark.parametrize("fault", ["500", "hang", "stall", "cut", "garbage", "empty", "429", "refuse"])
async def test_one_notice_then_the_real_answer(store_url: str, tmp_path: Path, fault: str) -> None:
    async with desk(store_url, tmp_path, model=QUICK, engine=RETRY) as service:
        service.double.fail(fault)
        visitor = await service.visitor()
        started = time.monotonic()
        await visitor.say("where is my parcel")
        await visitor.until(lambda me: me.said("notice"))
        assert time.monotonic() - started < 5
        assert not visitor.said("assistant"), "half an answer must never be final"
        assert visitor.of("state")[-1]["reason"] == "model_down"
        service.double.fail("ok")
        assert await visitor.answered() == ["answer to: where is my parcel"]
        await visitor.until(lambda me: me.of("state")[-1]["status"] == "bot")
        assert len(visitor.said("notice")) == 1
        starts, ends = visitor.of("draft_started"), visitor.of("draft_ended")
        assert [(d["turn"], d["attempt"]) for d in starts] == [(d["turn"], d["attempt"]) for d in ends]
        assert [d["how"] for d in ends].count("final") == 1
        await service.check_laws(visitor.conversation)


async def test_a_short_fault_is_not_even_noticed(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        service.double.fail("500", times=1)
        visitor = await service.visitor()
        await visitor.say("hello")
        await visitor.answered()
        assert not visitor.said("notice")
        assert not visitor.of("state")


async def test_the_turn_ends_gracefully_when_the_model_stays_away(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/desk.db"
    async with desk(url, tmp_path, model=QUICK, engine=RETRY | {"answer_deadline_s": 1.0}) as service:
        service.double.fail("500")
        visitor = await service.visitor()
        await visitor.say("anybody there")
        await visitor.until(lambda me: me.said("notice"))

        async def ended() -> bool:
            return bool(await service.turns(visitor.conversation))

        async with asyncio.timeout(10):
            while not await ended():
                await asyncio.sleep(0.05)
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("graceful", "model_down")
        assert len(visitor.said("notice")) == 1
        assert not visitor.said("assistant")
        service.double.fail("ok")
        await visitor.say("and now")
        assert await visitor.answered() == ["answer to: and now"]
        await service.check_laws(visitor.conversation)


async def test_saturated_model_is_no_fault(store_url: str, tmp_path: Path) -> None:
    pace = Pace(tokens_per_s=20, first_token_s=0.2)
    busy = {"busy_after_s": 0.4}
    async with desk(store_url, tmp_path, pace=pace, model={"max_sequences": 1}, engine=busy) as service:
        visitors = [await service.visitor() for _ in range(6)]
        for number, visitor in enumerate(visitors):
            await visitor.say(f"question {number}")
        for number, visitor in enumerate(visitors):
            assert await visitor.answered(timeout_s=30) == [f"answer to: question {number}"]
            assert len(visitor.said("notice")) <= 1
            assert not visitor.of("state"), "waiting for a free sequence is not a handoff"
        asked = service.double.stats.last_user_messages
        assert asked == [f"question {number}" for number in range(6)], "the longest waiting is served first"
        assert any(visitor.said("notice") for visitor in visitors)
        for visitor in visitors:
            await service.check_laws(visitor.conversation)
        metrics = await (await service.http.get(f"{service.base}/metrics")).text()
        assert "frontdesk_breaker_open 0.0" in metrics


async def test_messages_wait_while_the_model_loads(store_url: str, tmp_path: Path) -> None:
    double = ModelDouble()
    await double.start()
    await double.stop()  # its port is known, nobody listens yet
    service = Service(settings_for(store_url, tmp_path, double, engine={"busy_after_s": 0.2}), double)
    async with service.running():
        assert (await service.http.get(f"{service.base}/web/demo")).status == 200
        assert (await service.http.get(f"{service.base}/readyz")).status == 200
        visitor = await service.visitor()
        await visitor.say("first")
        await visitor.until(lambda me: me.said("notice"))
        await visitor.say("second")
        assert visitor.of("status")[0]["model"] == "loading"
        assert not visitor.of("state")
        await double.start()
        try:
            await model_is(service, "ready")
            assert await visitor.answered() == ["answer to: first\nsecond"]
            assert len(visitor.said("notice")) == 1
            await service.check_laws(visitor.conversation)
        finally:
            await double.stop()


async def test_the_breaker_spares_a_dead_model(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/desk.db"
    engine = {"retry_base_s": 0.2, "breaker_pause_s": 5.0, "breaker_failures": 2}
    async with desk(url, tmp_path, model=QUICK, engine=engine) as service:
        service.double.fail("500")
        visitors = [await service.visitor() for _ in range(5)]
        for visitor in visitors:
            await visitor.say("hello")
        for visitor in visitors:
            await visitor.until(lambda me: me.said("notice"))
        assert service.double.stats.requests <= 8, "an open breaker stops calling"
        metrics = await (await service.http.get(f"{service.base}/metrics")).text()
        assert "frontdesk_breaker_open 1.0" in metrics


async def test_a_request_the_model_rejects_is_set_aside_and_the_lane_goes_on(store_url: str, tmp_path: Path) -> None:
    engine = RETRY | {"retry_base_s": 0.05, "max_errors": 2}
    async with desk(store_url, tmp_path, engine=engine) as service:
        service.double.fail("400", times=2)
        visitor = await service.visitor()
        await visitor.say("the one it rejects")
        await visitor.until(lambda me: me.said("notice"))
        async with asyncio.timeout(10):
            while not await service.turns(visitor.conversation):
                await asyncio.sleep(0.05)
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "parked: errors")
        assert len(visitor.said("notice")) == 1
        assert visitor.of("state")[-1]["status"] == "waiting"
        metrics = await (await service.http.get(f"{service.base}/metrics")).text()
        assert "frontdesk_breaker_open 0.0" in metrics, "one bad request does not silence the model for others"
        await visitor.say("the next one")
        assert await visitor.answered() == ["answer to: the next one"]
        await service.check_laws(visitor.conversation)
