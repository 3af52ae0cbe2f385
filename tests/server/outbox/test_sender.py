"""The loop: who holds a lane, what is left after a kill, and how it stops."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Limited, Pace, Unavailable, Unknown
from server import lanes
from server.outbox import access, pace
from server.outbox.delivery import Delivery
from server.outbox.job import read
from server.outbox.pace import Bucket
from server.outbox.records import Marked, Plan, Records
from server.outbox.sender import Sender
from server.store.contract import Fenced, Tx
from tests.channel_double import PLAIN, After, ChannelDouble
from tests.places import Place, until
from tests.server.engine.bench import TENANT, ShakyStore, settings_for
from tests.server.outbox.post import Post, post


async def mark(one: Post) -> Marked:
    """A sender that took the lane, marked the first part, and was killed."""
    lease = await one.lease()
    job = await read(one.store, str(lease.head.body["outbox"]))
    assert job is not None
    plan = Plan(one.double.limits, one.double.render(type("Text", (), {"text": job.row["text"]})()))
    marked = await one.store.write(lambda tx: Records(one.settings.outbox).mark(tx, lease, job, plan), order="c1")
    assert isinstance(marked, Marked)
    return marked


async def test_a_kill_between_mark_and_call_sends_once(one: Post):
    await one.bot("hello")
    await mark(one)
    one.clock.pass_s(31)
    await one.run(2)
    assert one.double.texts == ["hello"]
    assert len(one.double.found) == 1


async def test_a_kill_between_call_and_record_sends_once(one: Post):  # W18
    await one.bot("hello")
    marked = await mark(one)
    one.double._do(type("Out", (), {"draft": "", "payload": {"text": "hello"}, "id": marked.part["id"]})())
    one.clock.pass_s(31)
    await one.run(2)
    assert one.double.texts == ["hello"]
    assert not one.double.sends
    assert await one.states() == [("sent", None)]


@pytest.mark.parametrize("effect", [False, True])
async def test_a_kill_without_a_look_up_repeats_once_and_says_so(place: Place, tmp_path: Path, effect: bool):
    limits = replace(PLAIN, look_up=False, proof_s=5.0)
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as one:
        await one.bot("hello")
        marked = await mark(one)
        if effect:
            one.double._do(type("Out", (), {"draft": "", "payload": {"text": "hello"}, "id": marked.part["id"]})())
        one.clock.pass_s(31)
        await one.run(10)
        assert one.double.texts == ["hello"] * (1 + effect)
        assert (await one.parts())[0]["repeats"] == 1


async def test_two_senders_on_one_lane_send_once(one: Post):
    other, _ = one.another()
    await one.bot("hello")
    one.double.gate.clear()
    first = asyncio.create_task(one.step())
    await one.double.started.wait()
    one.clock.pass_s(31)  # the first one's lease runs out during its call
    lease = await one.lease()
    assert lease.epoch == 2
    one.double.gate.set()
    await first
    assert (await one.parts())[0]["state"] == "sent", "known although the lane is somebody else's"
    await one.store.write(lambda tx: lanes.release(tx, lease))
    await one.step(other)
    assert one.double.texts == ["hello"]
    assert len(one.double.sends) == 1
    assert await one.states() == [("sent", None)]


async def test_a_stale_sender_marks_nothing(one: Post):
    await one.bot("hello")
    lease = await one.lease()
    job = await read(one.store, str(lease.head.body["outbox"]))
    assert job is not None
    one.clock.pass_s(31)
    await one.step()
    records = Records(one.settings.outbox)
    with pytest.raises(Fenced):
        await one.store.write(lambda tx: records.mark(tx, lease, job, Plan(PLAIN, [{"text": "hello"}])))
    assert one.double.texts == ["hello"]


async def test_a_claim_between_plan_and_mark_wins(one: Post):
    await one.bot("hello")
    lease = await one.lease()
    job = await read(one.store, str(lease.head.body["outbox"]))
    assert job is not None
    await one.handoff.claim("c1", "ana")
    records = Records(one.settings.outbox)
    assert await one.store.write(lambda tx: records.mark(tx, lease, job, Plan(PLAIN, [{"text": "x"}]))) == "cancelled"
    assert not await one.parts()


async def test_a_message_that_kills_senders_is_parked(one: Post):
    await one.bot("poison")
    await one.bot("good")
    for _ in range(8):
        await one.lease()
        one.clock.pass_s(31)
    await one.run(1)
    assert one.double.texts == ["good"]
    assert (await one.states())[0] == ("parked", "lost_leases")


async def test_an_accounts_pace_is_shared_by_all_its_lanes(place: Place, tmp_path: Path):
    limits = replace(PLAIN, account_pace=Pace(1.0, 2))
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as one:
        for number in range(5):
            await one.meet(f"d{number}")
            await one.bot("hello", f"d{number}")
        await one.step()
        assert len(one.double.sends) == 2
        await one.run(1.5)
        assert len(one.double.sends) == 3
        await one.run(5)
        assert len(one.double.sends) == 5
        await one.bot("a" * 100, "d0")
        one.clock.pass_s(10)
        await one.run(0.5)
        assert len(one.double.sends) == 7
        await one.run(2)
        assert len(one.double.sends) == 8


async def test_no_more_lanes_than_allowed(place: Place, tmp_path: Path):
    async with post(place, tmp_path, outbox={"concurrency": 2}) as one:
        one.double.gate.clear()
        for number in range(4):
            await one.meet(f"d{number}")
            await one.bot("hello", f"d{number}")
        await one.sender.take()
        await one.sender.take()
        assert one.sender.active == 2
        one.double.gate.set()
        await until(lambda: one.sender.active == 0)


async def test_an_erased_conversation_leaves_nothing_behind(one: Post):
    async def unit(tx: Tx) -> None:
        await lanes.put(tx, "default", "out", "gone", {"outbox": "gone", "channel": "telegram", "account": "default"})

    await one.write(unit)
    assert await one.step() == 1
    assert await one.queued("gone") == 0


async def test_it_runs_by_itself_and_drains(place: Place, tmp_path: Path):
    async with post(place, tmp_path, http={"drain_s": 5}) as one:
        async with one.sender.running():
            await one.bot("hello")
            await until(lambda: one.double.texts == ["hello"])
            one.double.gate.clear()
            one.double.started.clear()
            await one.bot("last")
            await one.double.started.wait()
            asyncio.get_running_loop().call_later(0.05, one.double.gate.set)
        assert one.double.texts == ["hello", "last"]
        assert await one.states() == [("sent", None)] * 2


async def test_a_call_that_outlasts_the_drain_is_left_marked(place: Place, tmp_path: Path):
    async with post(place, tmp_path, http={"drain_s": 0.05}) as one:
        one.double.gate.clear()
        async with one.sender.running():
            await one.bot("hello")
            await one.double.started.wait()
        assert (await one.parts())[0]["state"] == "sending"
        one.double.gate.set()
        other, _ = one.another()
        while not one.double.texts:
            one.clock.pass_s(0.5)
            await one.step(other)
        assert one.double.texts == ["hello"]
        assert len(one.double.found) == 1


async def test_while_the_database_is_away_nothing_is_lost(place: Place, tmp_path: Path):
    async with post(place, tmp_path) as one:
        shaky = ShakyStore(one.store)
        one.store = shaky  # type: ignore[assignment]
        sender, _ = one.another()
        await one.bot("hello")
        one.double.gate.clear()
        async with sender.running():
            await one.double.started.wait()
            shaky.away = True
            one.double.gate.set()
            await until(lambda: one.double.texts == ["hello"])
            await until(lambda: shaky.refused > 0)
            shaky.away = False
            one.clock.pass_s(1.1)
            await until(lambda: len(one.double.found) == 1 or len(one.double.sends) > 1, 10)
            await until(lambda: sender.active == 0)
        assert one.double.texts == ["hello"]
        assert await one.states() == [("sent", None)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_senders_and_a_bad_platform_still_send_everything_once_and_in_order(
    place: Place, tmp_path: Path, seed: int
):
    chance = random.Random(seed)
    outbox = {"retry_base_s": 0.02, "retry_max_s": 0.05, "breaker_failures": 50, "max_errors": 50}
    wrong = [None, None, None, Unknown("reset"), After(Unknown("reset")), Unavailable("500"), Limited("429", 0.05)]
    limits = replace(PLAIN, account_pace=Pace(200.0, 5), chat_pace=Pace(50.0, 2))
    async with place.open(real_clock=True) as store:
        one = Post(store, settings_for(tmp_path, outbox=outbox), double=ChannelDouble(limits=limits))
        one.double.script.extend(chance.choice(wrong) for _ in range(60))
        names = [f"d{number}" for number in range(6)]
        for name in names:
            await one.meet(name)
        (first, _), (second, _) = one.another(), one.another()
        async with first.running(), second.running():
            for number in range(5):
                await asyncio.gather(*(one.bot(f"{name}:{number} " + "x" * 50, name) for name in names))
            async with asyncio.timeout(60):
                while sum([await one.queued(name) for name in names]):
                    await asyncio.sleep(0.05)
    for name in names:
        texts = [one.double.shown[one.double.by_part[part]] for part in by_order(one, name)]
        assert texts == [cut for number in range(5) for cut in pieces(f"{name}:{number} " + "x" * 50)]


def pieces(text: str) -> list[str]:
    return [text[:40], text[40:]]


def by_order(one: Post, name: str) -> list[str]:
    """Parts of a conversation in the order in which the platform did them."""
    done = {provider_id: part for part, provider_id in one.double.by_part.items()}
    assert len(done) == len(one.double.shown), "nothing was shown twice"
    chats = {out.id: out.route["chat"] for out in one.double.sends}
    return [done[provider_id] for provider_id in one.double.shown if chats[done[provider_id]] == f"chat-{name}"]


async def test_an_account_that_must_wait_does_not_hold_up_another(place: Place, tmp_path: Path):
    async with post(place, tmp_path, outbox={"concurrency": 4}) as one:
        slow = ChannelDouble(account="slow")
        doubles = {"default": one.double, "slow": slow}
        delivery = Delivery(one.store, lambda _channel, account: doubles[account], one.metrics, one.settings)
        for number in range(20):
            await one.say(f"s{number}", channel="telegram", account="slow")
            await one.bot("hello", f"s{number}")
        await one.bot("hello")
        await one.write(lambda tx: pace.block(tx, Bucket(TENANT, "telegram", "slow"), 60.0))
        sender = Sender(one.store, delivery, one.settings)
        async with sender.running():
            await until(lambda: one.double.texts == ["hello"], 2.0)
        assert not slow.sends


async def test_a_call_cut_off_a_moment_ago_is_not_looked_up_yet(one: Post):
    await one.bot("hello")
    await mark(one)
    lane = await one.store.row("bench.lane", kind="out", key="c1")
    assert lane is not None
    await one.store.write(lambda tx: tx.run("lanes.free_holder", holder=lane["holder"]))
    await one.step()
    assert not one.double.found, "what left just now may not be listed yet"
    one.clock.pass_s(1.1)
    await one.step()
    assert len(one.double.found) == 1
    assert one.double.texts == ["hello"]


@pytest.mark.parametrize("why", ["gone", "revoked", "breaker"])
async def test_lanes_of_an_account_that_is_away_do_not_hold_up_another(place: Place, tmp_path: Path, why: str):  # R13
    async with post(place, tmp_path, outbox={"concurrency": 4, "breaker_failures": 2, "breaker_pause_s": 60}) as one:
        slow = ChannelDouble(account="slow")
        doubles = {"default": one.double, "slow": None if why == "gone" else slow}
        delivery = Delivery(
            one.store, lambda _channel, account: doubles[account], one.metrics, one.settings,
            clock=one.clock.lease_s, wall=one.clock.wall_s,
        )  # fmt: skip
        sender = Sender(one.store, delivery, one.settings)
        if why == "revoked":
            await one.store.write(lambda tx: access.revoke(tx, TENANT, "telegram", "slow", "gone"), order="~")
        if why == "breaker":
            delivery._failures.breaker("telegram", "slow").failed()
            delivery._failures.breaker("telegram", "slow").failed()
        for number in range(20):
            await one.say(f"s{number}", channel="telegram", account="slow")
            await one.bot("hello", f"s{number}")
        await one.bot("hello")
        async with sender.running():
            await until(lambda: one.double.texts == ["hello"], 2.0)
        assert not slow.sends
        doubles["slow"] = slow
        await one.store.write(lambda tx: access.restore(tx, TENANT, "telegram", "slow"), order="~")
        one.clock.pass_s(120.0)
        later = Sender(one.store, delivery, one.settings)
        for _ in range(15):
            while await one.step(later):
                pass
            one.clock.pass_s(10.0)
        assert slow.texts == ["hello"] * 20
