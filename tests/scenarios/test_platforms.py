"""Conformance cases that all messaging platforms share (W01-W45 of the channel contracts; S and T are the same ones).

Kills (W16-W18) are in ``tests/drill``, forged requests and the platforms' own cases in the files beside this one.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.engine.words import Notice, say
from tests.doubles.platform import Fault
from tests.model_double import ModelDouble, Pace
from tests.scenarios.platforms import PLATFORMS, Customer, rig

QUESTION = "where is my parcel?"
ANSWER = f"answer to: {QUESTION}"
DOWN = say(Notice.MODEL_DOWN, "en")
QUICK_MODEL = {"first_token_timeout_s": 0.3, "gap_timeout_s": 0.3, "total_timeout_s": 2.0}
QUICK_RETRY = {"retry_base_s": 0.1, "breaker_pause_s": 0.1}
RETRY_AFTER_S = 1.0  # what the doubles say in a 429
REPORTS: dict[str, dict[str, Any]] = {"twilio": {"callbacks": "ordered"}, "meta": {"statuses": "ordered"}}
"""How the doubles of platforms that report what became of a message are told to do so."""


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_w01_a_message_is_taken_on_within_a_second_and_answered_once(
    platform: str, store_url: str, tmp_path: Path
) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        delivered = await ana.says(QUESTION)
        assert [status // 100 for status in delivered.statuses] == [2]
        assert delivered.ack_s is not None
        assert delivered.ack_s < 1.0
        assert await desk.answered(ana) == [ANSWER]
        await desk.laws(ana)
        assert (desk.model.stats.requests, desk.sends) == (1, 1)


async def test_w06_the_same_delivery_five_times(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        message = ana.message(QUESTION)
        for _ in range(5):
            assert (await desk.line.deliver(message)).accepted
        await desk.answered(ana)
        assert (await desk.line.deliver(message)).accepted, "even when it was answered long ago"
        await desk.laws(ana)
        assert ana.visible() == [ANSWER]
        assert desk.model.stats.requests == 1


async def test_w07_the_same_delivery_ten_times_at_once(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        message = ana.message(QUESTION)
        delivered = await asyncio.gather(*(desk.line.deliver(message) for _ in range(10)))
        assert all(each.accepted for each in delivered)
        assert {len(each.statuses) for each in delivered} == {1}, "no delivery had to be repeated"
        await desk.answered(ana)
        await desk.laws(ana)
        assert ana.visible() == [ANSWER]
        assert (desk.model.stats.requests, desk.sends) == (1, 1)


async def test_w08_twenty_quick_messages_are_answered_in_order(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path, pace=Pace(first_token_s=0.15)) as desk:
        ana = desk.customer("ana")
        words = [f"m{number:02}" for number in range(20)]
        for word in words:
            assert (await ana.says(word)).accepted
        await desk.laws(ana)
        assert re.findall(r"m\d\d", " ".join(ana.visible())) == words
        assert all(text.startswith("answer to: ") for text in ana.visible())


async def test_w09_a_long_answer_comes_whole_in_parts(platform: str, store_url: str, tmp_path: Path) -> None:
    roomy = {"answer_tokens": 8_000, "context_tokens": 16_000}
    async with rig(platform, store_url, tmp_path, model=roomy) as desk:
        words = [f"word{number:04}" for number in range(desk.line.limit * 5 // 2 // 9)]
        desk.model.say_next(" ".join(words))
        ana = desk.customer("ana")
        await ana.says(QUESTION)
        await desk.laws(ana)
        seen = ana.visible()
        assert len(seen) >= 3
        assert max(map(len, seen)) <= desk.line.limit
        assert re.findall(r"word\d{4}", " ".join(seen)) == words
        await ana.says("and now?")
        assert await desk.answered(ana, len(seen) + 1) == [*seen, "answer to: and now?"]


async def test_w10_too_fast_is_waited_for(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        desk.fault(Fault.LIMITED)
        started = time.monotonic()
        await ana.says(QUESTION)
        assert await desk.answered(ana) == [ANSWER]
        assert time.monotonic() - started >= RETRY_AFTER_S
        await desk.laws(ana)
        assert desk.sends == 2
        (row,) = await ana.rows("outbox")
        assert (row["state"], row["reason"]) == ("sent", None)


async def test_w11_three_server_errors_and_one_message(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        desk.fault(*[Fault.ERROR_BEFORE] * 3)
        await ana.says(QUESTION)
        assert await desk.answered(ana) == [ANSWER]
        await desk.laws(ana)
        assert desk.sends == 4


async def test_w12_a_reset_before_the_effect(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path, double=REPORTS.get(platform)) as desk:
        ana = desk.customer("ana")
        desk.fault(Fault.RESET_BEFORE)
        await ana.says(QUESTION)
        assert await desk.answered(ana) == [ANSWER]
        await desk.laws(ana)
        assert desk.sends == 2


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.HANG_AFTER], ids=["w13_reset", "w14_hang"])
async def test_w13_w14_a_hidden_success_is_not_repeated(
    platform: str, store_url: str, tmp_path: Path, fault: Fault
) -> None:
    async with rig(platform, store_url, tmp_path, double=REPORTS.get(platform)) as desk:
        ana = desk.customer("ana")
        desk.fault(fault)
        await ana.says(QUESTION)
        await desk.answered(ana)
        await ana.says("thanks")
        await desk.until(lambda: "answer to: thanks" in ana.visible())
        blind = platform == "telegram"  # nothing can be asked there and nothing is reported: one marked repeat at most
        await desk.laws(ana, twice=int(blind))
        assert ana.visible() == [ANSWER] * (1 + blind) + ["answer to: thanks"]
        repeats = [part["repeats"] for part in await ana.rows("parts")]
        assert repeats == [int(blind), 0], "staff see which message may stand there twice"


async def test_w15_a_permanent_refusal_does_not_block_what_follows(
    platform: str, store_url: str, tmp_path: Path
) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        desk.fault(Fault.REFUSED)
        await ana.says(QUESTION)
        await desk.quiet()
        assert desk.sends <= 8
        assert ana.visible() == []
        (row,) = await ana.rows("outbox")
        (part,) = await ana.rows("parts")
        assert row["state"] == part["state"] == "failed"
        assert part["code"], "staff are shown the platform's code"
        conversation = await ana.conversation()
        if desk.line.channel == "whatsapp":  # the double's refusal: not a number that can be reached
            assert conversation["status"] == "closed"
        else:
            assert (conversation["status"], conversation["reason"]) == ("waiting", "undelivered")
        await ana.says("hello?")
        assert await desk.answered(ana) == ["answer to: hello?"]
        await desk.laws(ana)


async def test_w15_errors_without_end_are_given_up(platform: str, store_url: str, tmp_path: Path) -> None:
    quick = {"retry_max_s": 0.05, "max_errors": 2}
    async with rig(platform, store_url, tmp_path, outbox=quick) as desk:
        ana = desk.customer("ana")
        desk.fault(*[Fault.ERROR_BEFORE] * 2)
        await ana.says(QUESTION)
        await desk.quiet()
        assert desk.sends == 2
        (row,) = await ana.rows("outbox")
        assert (row["state"], row["reason"]) == ("parked", "unknown" if desk.line.settles else "errors")
        conversation = await ana.conversation()
        assert conversation["status"] == "waiting"
        await ana.says("hello?")
        assert await desk.answered(ana) == ["answer to: hello?"]
        await desk.laws(ana)


MOODS = {
    "w20": "500", "w21": "hang", "w22": "stall", "w23": "cut", "w24": "garbage", "w25": "empty", "w26": "refuse",
    "w27": "429",
}  # fmt: skip


class Moody(ModelDouble):
    """A model that fails some questions, each in its own way, until it is well."""

    well = False
    _question = ""

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        self._question = str(body["messages"][-1]["content"])
        return await super()._answer(request, body)

    def _take_fault(self) -> str:
        return "ok" if self.well else MOODS.get(self._question, "ok")


async def test_w20_to_w27_and_w30_one_notice_never_half_an_answer_then_the_real_one(
    platform: str, store_url: str, tmp_path: Path
) -> None:
    shown = {"draft_after_s": 0.0}  # half answers are being shown where the platform can
    engine = QUICK_RETRY | {"breaker_failures": 100}
    model = Moody()
    async with rig(
        platform, store_url, tmp_path, double_of_model=model, model=QUICK_MODEL, engine=engine, outbox=shown
    ) as desk:
        crowd = {case: desk.customer(case) for case in MOODS}
        await asyncio.gather(*(one.says(case) for case, one in crowd.items()))
        notices = {case: (await desk.answered(one))[0] for case, one in crowd.items()}
        asked = Counter(model.stats.last_user_messages)
        assert all(notice.startswith(DOWN) for notice in notices.values()), notices
        await desk.until(
            lambda: all(count > asked[case] for case, count in Counter(model.stats.last_user_messages).items()),
            why="the model is tried again",
        )
        for case, one in crowd.items():
            assert one.visible() == [notices[case]], "one notice, however often the model fails"
        model.well = True
        for case, one in crowd.items():
            assert sorted(await desk.answered(one, 2)) == sorted([notices[case], f"answer to: {case}"]), case
        await desk.laws(*crowd.values())
        for case, one in crowd.items():
            assert len(one.visible()) == 2, case


async def test_w31_a_poisonous_message_is_set_aside(platform: str, store_url: str, tmp_path: Path) -> None:
    engine = {"retry_base_s": 0.05, "max_errors": 2}
    async with rig(platform, store_url, tmp_path, engine=engine) as desk:
        ana, bob = desk.customer("ana"), desk.customer("bob")
        desk.model.fail("400", times=2)
        await ana.says("the one it rejects")
        await desk.quiet()
        assert len(ana.visible()) == 1, "one message about it"
        assert (await ana.conversation())["status"] == "waiting"
        await asyncio.gather(ana.says("the next one"), bob.says(QUESTION))
        assert (await desk.answered(ana, 2))[1:] == ["answer to: the next one"]
        assert await desk.answered(bob) == [ANSWER]
        await desk.laws(ana, bob)


async def test_w32_a_burst_of_three_hundred(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path, hurry=5.0, pace=Pace(first_token_s=0.1)) as desk:
        crowd = [desk.customer(f"customer{number}") for number in range(30)]
        spoken = {one.name: [f"c{one.number:02}n{nth}" for nth in range(10)] for one in crowd}

        async def writes(one: Customer) -> list[float]:
            return [(await one.says(word)).took_s[0] for word in spoken[one.name]]

        def heard(one: Customer) -> list[str]:
            return re.findall(r"c\d\dn\d", " ".join(one.visible()))

        took_s = list(chain.from_iterable(await asyncio.gather(*map(writes, crowd))))
        assert statistics.median(took_s) < 1.0
        await desk.until(lambda: all(len(heard(one)) >= len(spoken[one.name]) for one in crowd), 30.0)
        await desk.laws(*crowd)
        for one in crowd:
            assert heard(one) == spoken[one.name]


async def test_w42_any_letters_come_through_unchanged(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        said = "Größe 42½ — 你好, مرحبا, नमस्ते 👩‍👩‍👧‍👦 e\u0301 𠮷"
        await ana.says(said)
        assert await desk.answered(ana) == [f"answer to: {said}"]
        assert desk.model.stats.last_user_messages == [said]
        (heard, _) = await ana.rows("messages")
        assert heard["text"] == said
        await desk.laws(ana)


@pytest.mark.parametrize("text", ["", " \n\t"], ids=["empty", "blank"])
async def test_w43_an_empty_message_is_no_question(platform: str, store_url: str, tmp_path: Path, text: str) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        assert (await ana.says(text)).accepted
        await desk.quiet()
        assert desk.model.stats.requests == 0
        assert ana.visible() in ([], [say(Notice.NOTHING_READABLE, "en")])
        async with desk.service.http.post(desk.url, data=b"") as nothing:
            assert nothing.status // 100 == 4, "nobody's signature covers that"
        before = len(ana.visible())
        await ana.says(QUESTION)
        assert (await desk.answered(ana, before + 1))[before:] == [ANSWER]
        await desk.laws(ana)


async def test_w45_an_answer_never_comes_in_the_acknowledgement(platform: str, store_url: str, tmp_path: Path) -> None:
    async with rig(platform, store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        message = ana.message(QUESTION)
        bodies = [(await desk.line.deliver(message)).body for _ in range(3)]
        assert await desk.answered(ana) == [ANSWER]
        bodies.append((await desk.line.deliver(message)).body)
        assert all(b"answer" not in body and b"<" not in body for body in bodies)
        await desk.laws(ana)
        assert desk.sends == 1
