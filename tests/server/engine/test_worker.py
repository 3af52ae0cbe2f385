"""The worker's loop on a real store: who gets a lease, who loses it, and what is left when it stops."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.chat import ModelState, ModelUnavailable
from server import lanes
from server.routes import Principal, Role
from server.store.contract import Fenced
from server.switch import BotSwitch
from tests.places import Place, until
from tests.server.engine.bench import Desk, ScriptedLLM, ShakyStore, desk, settings_for, slowly

ADMIN = Principal("default", "cli", "tester", Role.ADMIN)


async def until_row(one: Desk, key: str, value: object, conversation: str = "c1", timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while (await one.row("lane", kind="in", key=conversation))[key] != value:
            await asyncio.sleep(0.01)


async def until_said(one: Desk, role: str, count: int = 1, conversation: str = "c1", timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while len(await one.said(role, conversation)) < count:
            await asyncio.sleep(0.01)


async def test_a_message_becomes_an_answer(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, "hello there") as one, one.working():
        await one.say()
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["completion_tokens"]) == ("answered", 2)
        assert await one.said("assistant") == ["hello there"]
        await until(lambda: one.worker.active == 0)


async def test_an_unexpected_error_is_counted_and_the_message_parked_at_last(place: Place, tmp_path: Path):
    engine = {"max_errors": 2, "retry_base_s": 0.01}
    async with desk(place, tmp_path, RuntimeError("a bug"), engine=engine) as one, one.working():
        await one.say(text="poison")
        (turn,) = await one.turns(timeout_s=30.0)  # each traceback is rendered with every local
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "parked: errors")
        (item,) = await one.rows("items", kind="in", key="c1")
        assert (item["errors"], item["dead"]) == (2, "errors")
        assert one.llm.asked == ["poison"] * 2
        assert len(await one.said("notice")) == 1
        row = await one.conversation()
        assert (row["status"], row["reason"]) == ("waiting", "repeated_failure")
        one.llm.script.clear()
        one.llm.script.append("fine again")
        await one.say(text="good")
        await one.turns(2)
        assert await one.said("assistant") == ["fine again"], "the lane went on behind it"


async def test_a_message_that_kills_workers_is_parked(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, engine={"max_lost_leases": 2}) as one:
        await one.say(text="poison")
        for _ in range(2):  # two workers take it and die
            await one.store.write(lambda tx: lanes.take(tx, "in", 1, 0.001, "a-worker-of-the-past"))
            await asyncio.sleep(0.01)
        async with one.working():
            (turn,) = await one.turns()
        assert turn["reason"] == "parked: lost_leases"
        assert not one.llm.asked


async def test_nothing_is_dispatched_while_the_model_loads(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, engine={"busy_after_s": 0.05}) as one:
        one.state = ModelState.LOADING
        async with one.working():
            await one.say(profile={"locale": "de"})
            await until_said(one, "notice")
            assert not one.llm.asked
            assert "startet gerade" in (await one.said("notice"))[0]
            assert one.hub.model_state == "loading"
            one.state = ModelState.READY
            one.worker.model_changed()
            await one.turns()
            await until(lambda: one.hub.model_state == "ready")
            assert len(await one.said("notice")) == 1


async def test_only_as_many_turns_as_the_model_has_sequences(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    model = {"max_sequences": 2}
    engine = {"busy_after_s": 0.05}
    async with desk(place, tmp_path, slowly(gate, "one"), model=model, engine=engine) as one, one.working():
        for number in range(3):
            await one.say(f"c{number}")
        await until(lambda: one.worker.active == 2)
        await until_said(one, "notice", conversation="c2")
        assert one.hub.model_state == "busy"
        assert len(one.llm.asked) == 2
        assert "waits" not in str(await one.said("notice", "c0"))
        gate.set()
        for number in range(3):
            await one.turns(1, f"c{number}")
        assert (await one.conversation("c2"))["status"] == "bot"


async def test_a_lost_lease_interrupts_and_stores_nothing(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "mine"), engine={"lease_s": 0.5}) as one, one.working():
        await one.say()
        await until(lambda: one.hub.draft("c1") is not None)

        async def steal(tx: object) -> int:
            return int(await tx.run("bench.steal", key="c1"))  # type: ignore[attr-defined]

        assert await one.store.write(steal) == 1
        await until(lambda: one.worker.active == 0)
        assert one.hub.draft("c1") is None
        assert await one.said("assistant") == []
        assert (await one.row("lane", kind="in", key="c1"))["holder"] == "somebody-else"


async def test_a_long_answer_keeps_its_lease(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "long"), engine={"lease_s": 0.5}) as one, one.working():
        await one.say()
        await until(lambda: one.hub.draft("c1") is not None)
        first = await one.row("lane", kind="in", key="c1")
        deadline = first["ready_at"]
        async with asyncio.timeout(10):
            while time.monotonic() <= deadline:  # the lease that it was taken with is over
                await asyncio.sleep(0.02)
        now = await one.row("lane", kind="in", key="c1")
        assert (now["lease_epoch"], now["holder"]) == (first["lease_epoch"], one.store.worker_id)
        assert now["ready_at"] > deadline
        gate.set()
        (turn,) = await one.turns()
        assert turn["attempt"] == 1


async def test_stopping_finishes_what_ends_in_time(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "almost"), http={"drain_s": 10}) as one:
        async with one.working():
            await one.say()
            await until(lambda: one.hub.draft("c1") is not None)
            asyncio.get_running_loop().call_later(0.05, gate.set)
        assert await one.said("assistant") == ["almost end"]


async def test_stopping_gives_the_rest_back_at_once(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, slowly(asyncio.Event(), "never"), http={"drain_s": 0.05}) as one:
        async with one.working():
            await one.say()
            await until(lambda: one.hub.draft("c1") is not None)
        lane = await one.row("lane", kind="in", key="c1")
        assert (lane["holder"], lane["done"]) == (None, 0)
        lease = await one.take_one()
        assert (lease.head.errors, lease.head.lost_leases, lease.head.attempts) == (0, 0, 1), "an orderly stop is free"


async def test_the_lanes_of_a_dead_worker_are_taken_over(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, "saved") as one:
        await one.say()
        await one.store.write(lambda tx: lanes.take(tx, "in", 1, 600, "long-dead"))
        async with one.working():
            await one.turns()
        assert await one.said("assistant") == ["saved"]


async def test_a_claim_and_a_stop_reach_the_running_turn(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "some", "words")) as one, one.working():
        for conversation in ("c1", "c2"):
            await one.say(conversation)
        await until(lambda: all(one.hub.draft(name) for name in ("c1", "c2")))
        await one.handoff.claim("c1", "ana")
        (turn,) = await one.turns(1, "c1")
        assert (turn["outcome"], turn["reason"]) == ("handed_over", "claimed")
        assert await one.handoff.stop("c2")
        (turn,) = await one.turns(1, "c2")
        assert turn["reason"] == "stopped"
        assert await one.said("assistant", "c2") == ["some words"]


async def test_the_switch_silences_running_turns_of_its_place_only(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "some")) as one, one.working():
        await one.say("c1")
        await one.say("c2", account="shop")
        await until(lambda: all(one.hub.draft(name) for name in ("c1", "c2")))
        await BotSwitch(one.store, "default").set(ADMIN, "web", "default", True)
        (turn,) = await one.turns(1, "c1")
        assert turn["reason"] == "bot_off"
        assert one.hub.draft("c2") is not None
        gate.set()
        await one.turns(1, "c2")
        assert await one.said("assistant", "c2") == ["some end"]


@pytest.mark.parametrize("payload", ["", json.dumps({"conversation": "unknown", "do": "stop"})])
async def test_orders_for_nobody_are_ignored(place: Place, tmp_path: Path, payload: str):
    async with desk(place, tmp_path) as one, one.working():
        await one.store.publish("control", payload)
        await one.store.publish("lane:in", "")
        await one.say()
        assert len(await one.turns()) == 1


async def test_a_turn_whose_conversation_was_erased_is_tried_again_later(place: Place, tmp_path: Path):
    async with desk(place, tmp_path) as one, one.working():
        await one.store.write(lambda tx: lanes.put(tx, "default", "in", "erased", {"message_id": "m"}))
        async with asyncio.timeout(10):
            while True:
                (item,) = await one.rows("items", kind="in", key="erased")
                if item["errors"]:
                    break
                await asyncio.sleep(0.01)
        await one.say()
        assert len(await one.turns()) == 1, "others are not held up"


async def test_a_worker_that_takes_its_own_expired_lane_again_drops_the_old_turn(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(place, tmp_path, slowly(gate, "old"), "new", engine={"lease_s": 30}) as one, one.working():
        await one.say()
        await until(lambda: one.hub.draft("c1") is not None)

        async def expire(tx: object) -> int:
            return int(await tx.run("bench.expire", key="c1"))  # type: ignore[attr-defined]

        await one.store.write(expire)
        one.worker.model_changed()
        (turn,) = await one.turns()
        assert (turn["outcome"], turn["attempt"]) == ("answered", 2)
        assert await one.said("assistant") == ["new"]
        await until(lambda: one.worker.active == 0)


async def test_a_failing_model_is_no_error_of_the_message(place: Place, tmp_path: Path):
    engine = {"breaker_failures": 1, "breaker_pause_s": 0.05}
    async with desk(place, tmp_path, ModelUnavailable("gone"), engine=engine) as one, one.working():
        await one.say()
        await until_said(one, "notice")
        (item,) = await one.rows("items", kind="in", key="c1")
        assert (item["errors"], item["dead"]) == (0, None)


async def test_a_fenced_turn_is_left_to_whoever_has_it(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, Fenced("taken")) as one, one.working():
        await one.say()
        await until(lambda: one.llm.asked)
        await until(lambda: one.worker.active == 0)
        (item,) = await one.rows("items", kind="in", key="c1")
        assert item["errors"] == 0


async def test_a_turn_survives_a_database_that_was_away(place: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with place.open(real_clock=True) as store:
        shaky: Any = ShakyStore(store)
        one = Desk(shaky, settings_for(tmp_path), llm=ScriptedLLM(slowly(gate, "first"), "second"))
        async with one.working():
            await one.say()
            await until(lambda: one.hub.draft("c1") is not None)
            shaky.away = True
            gate.set()
            await until(lambda: one.hub.draft("c1") is None)
            refused = shaky.refused
            await until(lambda: shaky.refused >= refused + 2)
            shaky.away = False
            (turn,) = await one.turns()
            assert (turn["outcome"], turn["attempt"]) == ("answered", 2)
            assert await one.said("assistant") == ["second"]
            assert await one.said("customer") == ["hello"]


async def test_a_bug_in_a_loop_is_logged_and_the_loop_goes_on(place: Place, tmp_path: Path):
    async with desk(place, tmp_path) as one:
        well = one.worker._model_state

        def broken() -> ModelState:
            raise LookupError("a bug")

        one.worker._model_state = broken
        with capture_logs() as logs:
            async with one.working():
                await until(lambda: {entry.get("loop") for entry in logs} >= {"take", "overdue"})
                one.worker._model_state = well
                await one.say()
                assert len(await one.turns()) == 1
    assert {entry["event"] for entry in logs if entry["log_level"] == "error"} == {"step_failed"}
