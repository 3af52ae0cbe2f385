"""What becomes of one message, whatever the platform does: every outcome, over both stores."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import (
    Failed,
    Limited,
    Limits,
    Moves,
    Pace,
    Refused,
    Unauthorized,
    Unavailable,
    Unknown,
    Unreachable,
    WindowClosed,
)
from server.outbox import access
from tests.channel_double import PLAIN, After, ChannelDouble
from tests.places import Place
from tests.server.outbox.post import Post, post

BLIND = replace(PLAIN, look_up=False, proof_s=20.0)
UNSURE = Unknown("timeout")


async def test_an_answer_arrives_once_and_is_recorded(one: Post):
    message_id = await one.bot("hello")
    assert await one.step() == 1
    assert one.double.texts == ["hello"]
    (row,), (part,) = await one.rows_of(), await one.parts()
    assert (row["state"], row["author"], row["message_id"], row["parts"]) == ("sent", "bot", message_id, 1)
    assert (part["state"], part["provider_id"], part["attempts"], part["repeats"]) == ("sent", "m1", 1, 0)
    assert await one.deliveries() == [("sent", None)]
    assert await one.queued() == 0
    assert one.double.sends[0].route == {"chat": "chat-c1"}
    assert one.double.rendered[0].feedback == (f"up:{message_id}", f"down:{message_id}")


async def test_messages_and_parts_keep_their_order(one: Post):
    await one.bot("a" * 100)
    await one.staff("second")
    await one.bot("third", role="notice", extra={"offer": "person"})
    await one.run(1)
    assert one.double.texts == ["a" * 40, "a" * 40, "a" * 20, "second", "third"]
    assert await one.states() == [("sent", None)] * 3
    assert [each.feedback for each in one.double.rendered[1:]] == [None, None]
    (button,) = one.double.rendered[2].buttons
    assert (button.label, button.payload) == ("Talk to a person", "person:c1")


async def test_web_customers_and_what_they_have_already_are_not_sent(one: Post):
    await one.say("c2")
    await one.bot("on the web", "c2")
    await one.bot("typed on the phone", role="staff", author="device", send=False)
    assert await one.step() == 0
    assert not await one.rows_of("c2")
    assert not await one.rows_of()


@pytest.mark.parametrize("times", [1, 3])
async def test_an_error_before_the_effect_is_repeated(one: Post, times: int):  # W11
    one.double.script.extend([Unavailable("500")] * times)
    await one.bot("hello")
    await one.run(20)
    assert one.double.texts == ["hello"]
    (part,) = await one.parts()
    assert (part["attempts"], part["repeats"], part["code"]) == (times + 1, 0, None)
    assert not one.double.found


@pytest.mark.parametrize("effect", [False, True])
async def test_an_unknown_outcome_is_looked_up(one: Post, effect: bool):  # W12, W13, W14
    one.double.script.append(After(UNSURE) if effect else UNSURE)
    await one.bot("first")
    await one.bot("second")
    await one.step()
    assert await one.deliveries() == [("uncertain", None)]
    await one.run(10)
    assert one.double.texts == ["first", "second"]
    assert len(one.double.found) == 1
    assert [part["repeats"] for part in await one.parts()] == [0, 0]
    assert (await one.deliveries())[1:] == [("sent", None)] * 2


async def test_a_look_up_knows_the_other_parts(one: Post):
    await one.bot("same")
    await one.step()
    one.double.script.append(UNSURE)
    await one.bot("same")
    await one.run(5)
    assert one.double.found[0].known == {"m1"}
    assert one.double.texts == ["same", "same"]


async def test_a_look_up_that_fails_is_repeated_and_one_that_is_refused_means_no_look_up(one: Post):
    one.double.script.append(UNSURE)
    one.double.finds.extend([Unknown("not now"), Unavailable("503")])
    await one.bot("first")
    await one.run(20)
    assert len(one.double.found) == 3
    one.double.script.append(UNSURE)
    one.double.finds.append(Refused("404"))
    await one.bot("second")
    await one.run(20)
    assert one.double.texts == ["first", "second"]
    assert [part["repeats"] for part in await one.parts()] == [0, 1]


async def test_a_message_that_was_found_failed_is_not_sent_again(one: Post):  # W46
    one.double.template_payload = {"text": "please write to us"}
    for error in (WindowClosed("window_closed"), Refused("63032", "not delivered"), Unauthorized("63020")):
        one.double.script.append(UNSURE)
        one.double.finds.append(Failed(error))
        await one.bot(error.code)
        await one.run(20)
    assert one.double.texts == ["please write to us"]
    assert len(one.double.sends) == 4
    rows = sorted((row["kind"], row["state"], row["reason"]) for row in await one.rows_of())
    assert rows == [
        ("message", "failed", "63020"),
        ("message", "failed", "63032"),
        ("message", "failed", "window_closed"),
        ("template", "sent", None),
    ]


async def test_a_hanging_call_is_cut_off_and_looked_up(place: Place, tmp_path: Path):
    async with post(place, tmp_path, outbox={"send_timeout_s": 0.05, "lease_s": 10}) as one:
        one.double.gate.clear()
        await one.bot("hello")
        await one.step()
        assert (await one.parts())[0]["code"] == "timeout"
        one.double.gate.set()
        await one.run(5)
        assert one.double.texts == ["hello"]


async def test_without_a_look_up_it_waits_for_proof_and_repeats_once(place: Place, tmp_path: Path):
    async with post(place, tmp_path, ChannelDouble(limits=BLIND)) as one:
        one.double.script.append(After(UNSURE))
        await one.bot("hello")
        await one.run(19)
        assert len(one.double.sends) == 1
        await one.run(5)
        assert one.double.texts == ["hello", "hello"]
        (part,) = await one.parts()
        assert (part["state"], part["repeats"]) == ("sent", 1)
        assert not one.double.found


async def test_a_status_is_proof_enough(place: Place, tmp_path: Path):
    async with post(place, tmp_path, ChannelDouble(limits=BLIND)) as one:
        one.double.script.append(After(UNSURE))
        await one.bot("first")
        await one.bot("second")
        await one.step()
        assert await one.status("delivered", (await one.parts())[0])
        await one.run(1)
        assert one.double.texts == ["first", "second"]
        assert await one.states() == [("delivered", None), ("sent", None)]


async def test_unknown_twice_stays_uncertain_and_the_lane_goes_on(place: Place, tmp_path: Path):
    async with post(place, tmp_path, ChannelDouble(limits=BLIND)) as one:
        one.double.script.extend([UNSURE, UNSURE])
        await one.bot("x" * 50)
        await one.bot("next")
        await one.run(60)
        assert one.double.texts == ["x" * 10, "next"]
        assert await one.states() == [("uncertain", "unknown"), ("sent", None)]
        assert not await one.status("sent", "nobody")
        assert await one.status("read", (await one.parts())[0])
        assert (await one.states())[0] == ("sent", None)


async def test_a_repeat_that_was_cut_off_is_not_repeated_again(place: Place, tmp_path: Path):
    async with post(place, tmp_path, ChannelDouble(limits=BLIND)) as one:
        one.double.script.append(UNSURE)
        await one.bot("hello")
        await one.bot("next")
        await one.step()
        part = (await one.parts())[0]
        await one.write(lambda tx: tx.run("outbox.mark_part", id=part["id"], repeat=1, now=tx.now_s))  # and dies here
        await one.run(60)
        assert one.double.texts == ["next"]
        assert await one.states() == [("uncertain", "unknown"), ("sent", None)]
        assert [each["repeats"] for each in await one.parts()] == [1, 0]


async def test_a_permanent_refusal_is_told_once_and_the_next_message_goes_out(one: Post):  # W15
    one.double.script.append(Refused("400", "bad request"))
    await one.bot("a" * 60)
    await one.bot("good")
    await one.run(5)
    assert one.double.texts == ["good"]
    assert len(one.double.sends) == 2
    assert await one.states() == [("failed", "400"), ("sent", None)]
    (told, _) = await one.events("delivery")
    assert (told["code"], told["detail"], told["part"]) == ("400", "bad request", 1)
    row = await one.conversation()
    assert (row["status"], row["reason"]) == ("waiting", "undelivered")


async def test_a_message_that_never_works_is_parked_whole(one: Post):  # W15 with a platform that says 500
    one.double.script.extend([Unavailable("500")] * 8)
    await one.bot("a" * 60)
    await one.bot("good")
    await one.run(300)
    assert one.double.texts == ["good"]
    assert len(one.double.sends) == 9
    assert await one.states() == [("parked", "errors"), ("sent", None)]
    assert (await one.conversation())["reason"] == "undelivered"
    (item,) = await one.rows("items", kind="out", key="c1")
    assert item["dead"] == "errors"


async def test_an_outage_of_the_platform_parks_nothing(one: Post):
    await one.meet("c2")
    one.double.script.extend([Unavailable("refused")] * 40)
    await one.bot("one")
    await one.bot("two", "c2")
    await one.run(200, 1.0)
    assert sorted(one.double.texts) == ["one", "two"] or len(one.double.sends) <= 41
    await one.run(400, 1.0)
    assert sorted(one.double.texts) == ["one", "two"]
    assert await one.states() == await one.states("c2") == [("sent", None)]


async def test_the_breaker_spares_a_platform_that_is_away(one: Post):
    one.double.script.extend([Unavailable("refused")] * 6)
    await one.bot("hello")
    await one.run(20, 0.25)
    breaker = one.delivery._failures.breaker("telegram", "default")
    assert len(one.double.sends) in {6, 7}
    assert one.metrics.registry.get_sample_value(
        "frontdesk_outbox_breaker_open", {"channel": "telegram", "account": "default"}
    ) == float(breaker.open)


async def test_limited_waits_as_long_as_the_platform_says(one: Post):  # W10
    one.double.script.append(Limited("429", 7.0))
    await one.bot("hello")
    await one.run(6.5)
    assert len(one.double.sends) == 1
    await one.run(1)
    assert one.double.texts == ["hello"]
    (part,) = await one.parts()
    assert (part["attempts"], part["repeats"]) == (2, 0)
    assert not await one.rows("items", kind="out", key="c1")


async def test_one_chats_limit_does_not_delay_another(one: Post):  # T52
    await one.meet("c2")
    one.double.script.append(Limited("429", 30.0))
    await one.bot("slow")
    await one.step()
    await one.bot("fast", "c2")
    await one.step()
    assert one.double.texts == ["fast"]


async def test_an_accounts_limit_delays_all_its_chats(one: Post):
    await one.meet("c2")
    one.double.script.append(Limited("429", 30.0, "account"))
    await one.bot("first")
    await one.step()
    await one.bot("second", "c2")
    await one.run(29)
    assert one.double.texts == []
    await one.run(3)
    assert sorted(one.double.texts) == ["first", "second"]


async def test_the_pace_of_a_chat_spaces_its_parts_only(place: Place, tmp_path: Path):
    limits = replace(PLAIN, chat_pace=Pace(1.0, 1), account_pace=Pace(30.0, 30))
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as one:
        await one.meet("c2")
        await one.bot("a" * 120)
        await one.bot("other", "c2")
        await one.run(0.5)
        assert sorted(one.double.texts) == ["a" * 40, "other"]
        await one.run(1)
        assert len(one.double.texts) == 3
        await one.run(1)
        assert len(one.double.texts) == 4


async def test_a_closed_window_brings_one_template(one: Post):  # W46
    one.double.template_payload = {"text": "we have news for you"}
    one.double.script.append(WindowClosed("63016"))
    await one.bot("first")
    await one.bot("second")
    one.double.script.append(WindowClosed("63016"))
    await one.run(5)
    assert one.double.texts == ["we have news for you"]
    assert [row["kind"] for row in await one.rows_of()] == ["message", "message", "template"]
    assert await one.states() == [("failed", "window_closed")] * 2 + [("sent", None)]
    assert (await one.conversation())["status"] == "bot"


async def test_without_a_template_a_closed_window_is_a_task_for_staff(one: Post):
    one.double.script.append(WindowClosed("63016"))
    await one.bot("first")
    await one.run(5)
    assert one.double.texts == []
    assert await one.states() == [("failed", "window_closed"), ("cancelled", "no_template")]
    assert (await one.conversation())["reason"] == "undelivered"
    assert len(one.double.sends) == 1


async def test_a_refused_template_is_not_tried_again(one: Post):
    one.double.template_payload = {"text": "news"}
    one.double.script.extend([WindowClosed("63016"), WindowClosed("63016")])
    await one.bot("first")
    await one.run(60)
    assert len(one.double.sends) == 2
    assert await one.states() == [("failed", "window_closed")] * 2
    assert (await one.conversation())["reason"] == "undelivered"


async def test_the_window_is_known_before_any_call(place: Place, tmp_path: Path):
    limits = replace(PLAIN, window_s=600.0)
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as one:
        one.double.template_payload = {"text": "news"}
        one.clock.pass_s(700)
        await one.bot("first")
        await one.bot("second")
        await one.run(2)
        assert one.double.texts == ["news"]
        assert len(one.double.sends) == 1
        await one.say(channel="telegram", sent_at=one.clock.wall)
        await one.bot("third")
        await one.run(2)
        assert one.double.texts == ["news", "third"]


async def test_who_blocked_us_is_left_alone(one: Post):  # T47
    one.double.script.append(Unreachable("403"))
    await one.bot("first")
    await one.bot("second")
    await one.staff("third")
    await one.run(5)
    assert len(one.double.sends) == 1
    assert await one.states() == [("failed", "unreachable"), ("cancelled", "blocked"), ("failed", "blocked")]
    row = await one.conversation()
    assert (row["status"], row["blocked_at"] is not None, row["case_id"]) == ("closed", True, None)


async def test_who_opted_out_hears_staff_but_not_the_bot(one: Post):  # W49
    await one.bot("first")
    await one.change(opted_out_at=1.0)
    await one.staff("second")
    await one.run(2)
    assert one.double.texts == ["second"]
    assert await one.states() == [("cancelled", "opted_out"), ("sent", None)]


async def test_a_lost_account_waits_and_loses_nothing(one: Post):  # S52
    one.double.script.append(Unauthorized("token_revoked"))
    await one.bot("hello")
    await one.run(30)
    assert len(one.double.sends) == 1
    (state,) = await one.store.rows("post.states")
    assert (state["state"], state["reason"]) == ("revoked", "token_revoked")
    rows = await one.store.rows("store.events_since", tenant="default", after=0, limit=100)
    assert [row["kind"] for row in rows].count("account") == 1
    assert await one.store.write(lambda tx: access.restore(tx, "default", "telegram", "default"))
    assert not await one.store.write(lambda tx: access.restore(tx, "default", "telegram", "default"))
    await one.run(10)
    assert one.double.texts == ["hello"]


async def test_an_account_that_is_not_running_is_waited_for(one: Post):
    one.there = False
    await one.bot("hello")
    await one.run(20)
    assert not one.double.sends
    one.there = True
    await one.run(10)
    assert one.double.texts == ["hello"]


async def test_an_answer_that_waited_too_long_is_not_sent(one: Post):
    one.there = False
    await one.bot("old")
    await one.staff("from a person")
    await one.run(3700, 100)
    one.there = True
    await one.run(10)
    assert one.double.texts == ["from a person"]
    assert await one.states() == [("expired", "expired"), ("sent", None)]
    assert (await one.conversation())["reason"] == "undelivered"


async def test_a_chat_that_moved_is_followed(one: Post):  # T48
    one.double.script.append(Moves("new-chat", {"chat": "-1001"}))
    await one.bot("first")
    await one.run(2)
    assert one.double.texts == ["first"]
    assert one.double.sends[1].route == {"chat": "-1001"}
    assert one.double.sends[0].id == one.double.sends[1].id
    assert (await one.conversation())["address"] == "new-chat"


async def test_a_chat_that_moved_to_a_known_one_keeps_its_address(one: Post):
    await one.meet("c2")
    one.double.script.append(Moves("visitor-c2", {"chat": "-1001"}))
    await one.bot("first")
    await one.run(2)
    assert one.double.sends[1].route == {"chat": "-1001"}
    assert (await one.conversation())["address"] == "visitor-c1"


async def test_a_claim_cancels_what_is_not_marked(one: Post):  # P4
    await one.bot("from the bot")
    answer = await one.handoff.claim("c1", "ana")
    assert answer["in_flight"] == []
    await one.staff("from ana")
    await one.run(2)
    assert one.double.texts == ["from ana"]
    assert await one.states() == [("cancelled", "claimed"), ("sent", None)]


async def test_a_claim_names_what_is_in_flight_and_stops_the_rest(one: Post):
    one.double.gate.clear()
    message_id = await one.bot("a" * 60)
    step = asyncio.create_task(one.step())
    await one.double.started.wait()
    answer = await one.handoff.claim("c1", "ana")
    (sending,) = answer["in_flight"]
    assert (sending["message_id"], sending["part"], sending["state"]) == (message_id, 1, "sending")
    one.double.gate.set()
    await step
    assert one.double.texts == ["a" * 40]
    assert await one.states() == [("cancelled", "claimed")]


async def test_after_a_claim_an_unknown_send_is_looked_up_but_not_repeated(one: Post):
    one.double.script.append(UNSURE)
    await one.bot("lost")
    await one.step()
    assert len((await one.handoff.claim("c1", "ana"))["in_flight"]) == 1
    await one.run(5)
    assert one.double.texts == []
    assert await one.states() == [("cancelled", "claimed")]


async def test_after_a_claim_what_cannot_be_looked_up_stays_uncertain(place: Place, tmp_path: Path):
    async with post(place, tmp_path, ChannelDouble(limits=BLIND)) as one:
        one.double.script.append(After(UNSURE))
        await one.bot("lost")
        await one.step()
        await one.handoff.claim("c1", "ana")
        await one.run(30)
        assert one.double.texts == ["lost"]
        assert await one.states() == [("uncertain", "claimed")]
        assert (await one.handoff.claim("c1", "ana"))["in_flight"] == []


async def test_a_fault_of_the_channel_is_counted_and_the_call_looked_up(one: Post):
    one.double.script.append(After(RuntimeError("a bug")))
    await one.bot("hello")
    await one.run(5)
    assert one.double.texts == ["hello"]
    assert (await one.parts())[0]["attempts"] == 1


async def test_an_empty_message_is_nothing_to_send(one: Post):
    await one.bot("")
    await one.step()
    assert await one.states() == [("sent", None)]
    assert not one.double.sends


def test_limits_of_an_account_that_is_not_there(one: Post):
    one.there = False
    assert one.delivery.limits("telegram", "default") is None
    one.there = True
    assert isinstance(one.delivery.limits("telegram", "default"), Limits)


@pytest.mark.parametrize("role", ["assistant", "notice"])
async def test_a_silenced_bot_sends_nothing_that_was_queued_before(one: Post, role: str):
    await one.bot("hello", role=role)
    await one.staff("from Ana")
    one.silent = True
    await one.run(1)
    assert one.double.texts == ["from Ana"]
    assert await one.states() == [("cancelled", "bot_off"), ("sent", None)]
    assert (await one.conversation())["status"] == "waiting"


async def test_a_lone_customer_outlasts_a_platform_that_cannot_be_reached(one: Post):
    one.double.script.extend([Unavailable("no_connection")] * 30)
    await one.bot("hello")
    await one.run(600, 1.0)
    assert one.double.texts == ["hello"]
    assert await one.states() == [("sent", None)]


async def test_a_clock_set_back_keeps_no_lane_waiting(place: Place, tmp_path: Path):  # R18
    async with post(place, tmp_path, ChannelDouble(limits=BLIND)) as one:
        one.double.script.append(UNSURE)
        await one.bot("hello")
        await one.step()
        one.clock.wall -= 600.0
        await one.run(45)
        assert one.double.texts == ["hello"]
