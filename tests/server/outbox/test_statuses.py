"""Statuses as platforms send them: late, early, repeated and out of order."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Refused, Unknown
from tests.channel_double import PLAIN, After, ChannelDouble
from tests.places import Place
from tests.server.outbox.post import Post, post


async def sent(one: Post, text: str = "hello"):
    await one.bot(text)
    await one.step()
    return (await one.parts())[-1]


async def test_read_then_delivered_stays_read(one: Post):  # W47
    part = await sent(one)
    assert await one.status("read", part)
    assert not await one.status("delivered", part)
    assert not await one.status("read", part)
    assert not await one.status("failed", part, "63016")
    assert await one.states() == [("read", None)]
    assert await one.deliveries() == [("sent", None), ("read", None)]


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
async def test_any_order_ends_at_the_furthest(one: Post, order: tuple[str, ...]):
    part = await sent(one)
    for state in order:
        await one.status(state, part)
        await one.status(state, part)
    assert (await one.parts())[0]["state"] == "read"


async def test_found_by_the_platforms_id_within_its_account_only(one: Post):
    await sent(one)
    assert not await one.status("delivered", "", provider_id="unknown")
    assert not await one.status("delivered", "unknown")
    assert await one.status("delivered", "", provider_id="m1")
    assert (await one.parts())[0]["state"] == "delivered"


async def test_a_message_of_parts_is_as_far_as_its_last_one(one: Post):
    await sent(one, "a" * 60)
    first, second = await one.parts()
    await one.status("read", first)
    assert (await one.states())[0] == ("sent", None)
    await one.status("delivered", second)
    assert (await one.states())[0] == ("delivered", None)


async def test_a_failure_is_shown_with_its_code_and_asks_a_person(one: Post):  # W48
    part = await sent(one)
    assert await one.status("failed", part, "63024", detail="invalid recipient")
    assert not await one.status("failed", part, "63024")
    assert await one.states() == [("failed", "63024")]
    told = (await one.events("delivery"))[-1]
    assert (told["state"], told["code"], told["detail"]) == ("failed", "63024", "invalid recipient")
    row = await one.conversation()
    assert (row["status"], row["reason"]) == ("waiting", "undelivered")
    await one.run(5)
    assert len(one.double.sends) == 1


async def test_a_window_that_closed_behind_the_call_brings_one_template(one: Post):  # W46
    one.double.template_payload = {"text": "news"}
    first = await sent(one, "first")
    second = await sent(one, "second")
    for _ in range(3):
        await one.status("failed", first, "window_closed")
        await one.status("failed", second, "window_closed")
    await one.run(5)
    assert one.double.texts == ["first", "second", "news"]
    template = (await one.parts())[-1]
    await one.status("failed", template, "window_closed")
    await one.run(60)
    assert len(one.double.sends) == 3
    assert (await one.conversation())["reason"] == "undelivered"


async def test_no_template_is_sent_for_the_bot_after_a_claim(one: Post):
    one.double.template_payload = {"text": "news"}
    part = await sent(one)
    await one.handoff.claim("c1", "ana")
    await one.status("failed", part, "window_closed")
    await one.run(2)
    assert one.double.texts == ["hello"]
    assert (await one.conversation())["status"] == "claimed"


async def test_a_status_may_come_before_the_calls_own_answer(one: Post):
    one.double.gate.clear()
    await one.bot("hello")
    step = asyncio.create_task(one.step())
    await one.double.started.wait()
    part = (await one.parts())[0]
    assert await one.status("delivered", part)
    one.double.gate.set()
    await step
    (part,) = await one.parts()
    assert (part["state"], part["provider_id"]) == ("delivered", "m1")
    assert await one.states() == [("delivered", None)]
    assert await one.queued() == 0


async def test_a_failure_may_come_before_the_calls_own_answer(one: Post):
    one.double.gate.clear()
    await one.bot("a" * 60)
    step = asyncio.create_task(one.step())
    await one.double.started.wait()
    assert await one.status("failed", (await one.parts())[0], "30008")
    one.double.gate.set()
    await step
    assert await one.states() == [("failed", "30008")]
    assert len(one.double.sends) == 1
    assert await one.queued() == 0


async def test_a_failure_settles_an_uncertain_part(place: Place, tmp_path: Path):
    limits = replace(PLAIN, look_up=False, proof_s=20.0)
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as one:
        one.double.script.append(After(Unknown("timeout")))
        await one.bot("first")
        await one.bot("second")
        await one.step()
        assert await one.status("failed", (await one.parts())[0], "131026")
        await one.run(1)
        assert one.double.texts == ["first", "second"]
        assert await one.states() == [("failed", "131026"), ("sent", None)]


async def test_what_was_given_up_changes_only_when_it_arrived_after_all(one: Post):
    one.double.script.append(Refused("400"))
    await one.bot("hello")
    await one.step()
    part = (await one.parts())[0]
    assert not await one.status("sent", part), "a refusal is final"
    assert not await one.status("failed", part, "400")
