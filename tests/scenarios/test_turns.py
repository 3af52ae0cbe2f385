"""How turns are cut: bursts, merges, stop, a claim, the off switch; always one outcome and no draft left."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from server.conversation import Reason
from server.handoff import Handoff
from server.routes import Principal, Role
from server.switch import BotSwitch
from tests.model_double import Pace
from tests.scenario import Service, Visitor, desk

SLOW = Pace(tokens_per_s=15, first_token_s=0.2)
LONG = "tell me " + " ".join(f"word{number}" for number in range(40))
ADMIN = Principal("default", "cli", "tester", Role.ADMIN)


async def _drafting(visitor: Visitor) -> None:
    await visitor.until(lambda me: me.of("draft"))


def _ends(visitor: Visitor) -> list[str]:
    return [end["how"] for end in visitor.of("draft_ended")]


async def _ended(service: Service, visitor: Visitor, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(await service.turns(visitor.conversation)) < count:
            await asyncio.sleep(0.02)


async def test_a_burst_is_one_turn(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, engine={"settle_s": 0.3}) as service:
        visitor = await service.visitor()
        for part in ("hello", "my parcel", "is late"):
            await visitor.say(part)
        assert await visitor.answered() == ["answer to: hello\nmy parcel\nis late"]
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["first_seq"], turn["last_seq"]) == (1, 3)
        assert service.double.stats.requests == 1


async def test_a_newer_message_joins_the_running_turn(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, pace=SLOW) as service:
        visitor = await service.visitor()
        await visitor.say("one two three four five six")
        await _drafting(visitor)
        await visitor.say("and seven")
        assert await visitor.answered() == ["answer to: one two three four five six\nand seven"]
        await visitor.until(lambda me: len(_ends(me)) == 2)
        assert _ends(visitor) == ["replaced", "final"]
        await service.check_laws(visitor.conversation)
        assert len(await service.turns(visitor.conversation)) == 1


async def test_a_steady_writer_is_answered_too(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, pace=SLOW) as service:
        visitor = await service.visitor()
        for number in range(12):
            await visitor.say(f"message number {number} of a steady writer")
            await asyncio.sleep(0.35)
            if visitor.said("assistant"):
                break
        assert visitor.said("assistant"), "two merges are the limit"
        async with asyncio.timeout(15):
            while (await service.store.row("scenario.lane", conversation_id=visitor.conversation))["done"] <= number:  # type: ignore[index]
                await asyncio.sleep(0.05)
        await service.check_laws(visitor.conversation)


async def test_stop_keeps_what_was_written(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, pace=SLOW) as service:
        visitor = await service.visitor()
        await visitor.say(LONG)
        await visitor.until(lambda me: len(me.of("draft")) >= 4)
        assert (await visitor.post("stop")).status == 202
        (text,) = await visitor.answered()
        assert text.startswith("answer to: tell me")
        assert len(text) < len(LONG)
        assert visitor.of("message")[-1]["stopped"] is True
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("answered", "stopped")
        await service.check_laws(visitor.conversation)
        assert service.double.stats.cancelled == 1, "the model server is told at once"


async def test_stop_before_the_first_word(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, pace=Pace(first_token_s=5)) as service:
        visitor = await service.visitor()
        await visitor.say("hello")
        await visitor.until(lambda me: me.of("draft_started"))
        await visitor.post("stop")
        await visitor.until(lambda me: me.said("notice") == ["Stopped."])
        await visitor.until(lambda me: _ends(me) == ["withdrawn"])
        await service.check_laws(visitor.conversation)


async def test_nothing_of_the_bot_after_a_claim(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, pace=SLOW) as service:
        handoff = Handoff(service.store)
        visitor = await service.visitor()
        await visitor.say(LONG)
        await _drafting(visitor)
        answer = await handoff.claim(visitor.conversation, "ana")
        claimed_at = time.monotonic()
        assert answer["status"] == "claimed"
        assert answer["drafts_withdrawn"] == 1
        await visitor.until(lambda me: _ends(me) == ["withdrawn"])
        shown = len(visitor.of("draft"))
        await _ended(service, visitor)
        assert time.monotonic() - claimed_at < 5
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "claimed")
        assert not visitor.said("assistant")
        assert len(visitor.of("draft")) == shown, "no more text after the claim"

        await visitor.say("are you a person")
        await _ended(service, visitor, 2)
        assert service.double.stats.requests == 1, "staff hold it: the model is not even asked"
        await handoff.say(visitor.conversation, "ana", "Yes, I am Ana.")
        await visitor.until(lambda me: me.said("staff") == ["Yes, I am Ana."])
        await handoff.give_back(visitor.conversation, "ana")
        await visitor.say("thanks")
        await visitor.answered()
        roles = service.double.stats.prompts[-1]
        assert "Yes, I am Ana." in str(roles), "the bot sees the human part"
        await service.check_laws(visitor.conversation)


async def test_a_wish_for_a_person_waits_and_keeps_its_place(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        first, second = await service.visitor(), await service.visitor()
        answer = await (await first.post("handoff")).json()
        assert answer == {"status": "waiting", "position": 1}
        assert (await (await second.post("handoff")).json())["position"] == 2
        assert (await (await first.post("handoff")).json())["position"] == 1
        assert (await second.snapshot())["position"] == 2
        await Handoff(service.store).claim(first.conversation, "ana")
        assert (await second.snapshot())["position"] == 1
        await second.say("still here")
        await second.answered()
        assert (await second.snapshot())["reason"] == Reason.CUSTOMER_ASKED


async def test_the_off_switch_silences_within_a_second(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, pace=SLOW) as service:
        visitor = await service.visitor()
        await visitor.say(LONG)
        await _drafting(visitor)
        remote = BotSwitch(service.store, "default")  # as the command line does it: from outside
        started = time.monotonic()
        await remote.set(ADMIN, "*", "*", True)
        await visitor.until(lambda me: _ends(me) == ["withdrawn"])
        assert time.monotonic() - started < 3
        await _ended(service, visitor)
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "bot_off")
        assert visitor.of("state")[-1]["reason"] == "bot_off"
        await remote.set(ADMIN, "*", "*", False)
        await visitor.say("short")
        await visitor.until(lambda me: me.said("assistant"))
        await service.check_laws(visitor.conversation)


async def test_too_long_for_the_context_is_said(tmp_path: Path) -> None:
    model = {"context_tokens": 300, "answer_tokens": 64}
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, model=model) as service:
        visitor = await service.visitor()
        await visitor.say("word " * 1500)
        await visitor.until(lambda me: me.said("notice"))
        assert "too long" in visitor.said("notice")[0]
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("graceful", "too_long")
        assert service.double.stats.requests == 0


async def test_every_answer_stores_its_release_and_tokens(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        visitor = await service.visitor()
        await visitor.say("hello")
        await visitor.answered()
        (turn,) = await service.turns(visitor.conversation)
        assert turn["release_id"]
        assert turn["prompt_tokens"] > 0
        assert turn["completion_tokens"] > 0
        assert set(json.loads(turn["timings"])) == {"settle", "first_token", "total"}
        release = await service.store.row("releases.get", id=turn["release_id"])
        assert release is not None


async def test_a_bot_that_is_switched_off_in_the_settings_stays_silent(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, engine={"enabled": False}) as service:
        visitor = await service.visitor()
        await visitor.say("anybody there")
        await _ended(service, visitor)
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "bot_off")
        assert service.double.stats.requests == 0
        assert visitor.of("state")[-1]["status"] == "waiting"


async def test_closing_in_the_middle_of_an_answer_leaves_no_answer(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, pace=SLOW) as service:
        handoff = Handoff(service.store)
        visitor = await service.visitor()
        await visitor.say(LONG)
        await _drafting(visitor)
        await handoff.close(visitor.conversation, "ana")
        await _ended(service, visitor)
        (turn,) = await service.turns(visitor.conversation)
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "closed")
        assert not visitor.said("assistant")
        assert (await visitor.snapshot())["status"] == "closed"
        await visitor.say("one more thing")
        await visitor.answered()
        assert (await visitor.snapshot())["status"] == "bot", "writing opens it again"
        await service.check_laws(visitor.conversation)
