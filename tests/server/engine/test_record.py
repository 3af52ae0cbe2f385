"""The commits of a turn on a real store: what each stores, and what each refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.chat import Usage
from server import lanes
from server.conversation import Outcome, Reason
from server.engine import record
from server.engine.record import Begun, Ending, OwnerChanged, TailMoved, joined
from server.lanes import Lease
from server.store.contract import Fenced
from tests.places import Place
from tests.server.engine.bench import LEASE_S, Bench, bench


def answer(lease: Lease, begun: Begun, text: str = "Hi.", **more: Any) -> Ending:
    fields: dict[str, Any] = {"text": text, "attempt": begun.attempt, "owner_epoch": begun.owner_epoch}
    return Ending(Outcome.ANSWERED, lease.tail, **fields | {"saw_tail": lease.tail, "release_id": "r1"} | more)


async def draft_states(one: Bench) -> list[tuple[int, int, str]]:
    return [(row["first_seq"], row["attempt"], row["state"]) for row in await one.rows("drafts", id="c1")]


async def notice(one: Bench, lease: Lease, text: str = "sorry", delay_s: float = 1.0) -> bool:
    return bool(await one.write(lambda tx: record.notice(tx, lease, text, delay_s)))


async def test_a_turn_from_message_to_answer(one: Bench):
    await one.say(text="hello")
    lease = await one.take_one()
    begun = await one.begin(lease)
    assert begun == Begun(attempt=1, owner_epoch=0)
    assert await draft_states(one) == [(1, 1, "open")]
    message_id = await one.end(
        lease, answer(lease, begun, usage=Usage(7, 2), timings={"total": 1.5}, extra={"stopped": True})
    )
    assert await draft_states(one) == [(1, 1, "final")]
    (turn,) = await one.rows("turns", id="c1")
    assert (turn["outcome"], turn["first_seq"], turn["last_seq"], turn["attempt"]) == ("answered", 1, 1, 1)
    assert (turn["message_id"], turn["release_id"], turn["prompt_tokens"], turn["completion_tokens"]) == (
        message_id,
        "r1",
        7,
        2,
    )
    assert turn["timings"] == '{"total": 1.5}'
    (said,) = [event for event in await one.events("message") if event["role"] == "assistant"]
    assert (said["text"], said["turn"], said["stopped"]) == ("Hi.", "c1:1", True)
    (ended,) = await one.events("draft_ended")
    assert (ended["turn"], ended["attempt"], ended["how"], ended["message_id"]) == ("c1:1", 1, "final", message_id)
    assert (await one.conversation())["covered"] == 1
    assert not await one.rows("items", kind="in", key="c1")
    assert [event["seq"] for event in await one.events()] == list(range(1, len(await one.events()) + 1))


async def test_the_case_is_pinned_by_its_first_attempt_only(one: Bench):
    await one.say()
    lease = await one.take_one()
    await one.begin(lease, "r1")
    await one.begin(lease, "r2")
    (case,) = await one.rows("cases", id="c1")
    assert case["release_id"] == "r1"


async def test_beginning_again_replaces_the_earlier_draft(one: Bench):
    await one.say()
    lease = await one.take_one()
    assert (await one.begin(lease)).attempt == 1
    begun = await one.begin(lease)
    assert begun.attempt == 2
    assert await draft_states(one) == [(1, 1, "replaced"), (1, 2, "open")]
    await one.end(lease, answer(lease, begun))
    assert await draft_states(one) == [(1, 1, "replaced"), (1, 2, "final")]
    assert [(e["attempt"], e["how"]) for e in await one.events("draft_ended")] == [(1, "replaced"), (2, "final")]


async def test_beginning_keeps_the_lease(one: Bench, place: Place):
    await one.say()
    lease = await one.take_one()
    place.clock.pass_s(LEASE_S - 1)
    await one.begin(lease)
    place.clock.pass_s(LEASE_S - 1)
    assert await one.take() == []


async def test_nothing_begins_on_a_claimed_conversation(one: Bench):
    await one.say()
    lease = await one.take_one()
    await one.handoff.claim("c1", "ana")
    with pytest.raises(OwnerChanged):
        await one.begin(lease)
    assert await draft_states(one) == []


async def test_an_answer_begun_before_a_claim_is_never_stored(one: Bench):
    await one.say()
    lease = await one.take_one()
    begun = await one.begin(lease)
    await one.handoff.claim("c1", "ana")
    for back in (False, True):
        if back:  # even when staff gave it back meanwhile
            await one.handoff.give_back("c1", "ana")
        with pytest.raises(OwnerChanged):
            await one.end(lease, answer(lease, begun))
    assert await one.said("assistant") == []
    assert await draft_states(one) == [(1, 1, "withdrawn")]
    assert (await one.conversation())["covered"] == 0
    assert await one.rows("turns", id="c1") == []


async def test_a_lost_lease_can_neither_begin_nor_end_nor_tell(one: Bench, place: Place):
    await one.say()
    old = await one.take_one()
    begun = await one.begin(old)
    place.clock.pass_s(LEASE_S + 1)
    new = await one.take_one()
    before = await one.events()
    for call in (
        one.begin(old),
        one.end(old, answer(old, begun)),
        notice(one, old),
        one.write(lambda tx: record.park(tx, old, "errors", "sorry")),
    ):
        with pytest.raises(Fenced):
            await call
    assert await one.events() == before, "a fenced unit leaves nothing behind"
    with pytest.raises(Fenced) as caught:
        await one.end(old, answer(old, begun))
    assert not isinstance(caught.value, TailMoved | OwnerChanged)
    await one.end(new, answer(new, await one.begin(new)))
    assert await one.said("assistant") == ["Hi."]


async def test_a_newer_message_makes_a_merging_ending_wait(one: Bench):
    await one.say(text="one")
    lease = await one.take_one()
    begun = await one.begin(lease)
    await one.say(text="two")
    with pytest.raises(TailMoved):
        await one.end(lease, answer(lease, begun))
    assert await one.said("assistant") == []
    await one.end(lease, answer(lease, begun, saw_tail=None))
    assert (await one.conversation())["covered"] == 1
    rest = await one.take_one()
    assert (rest.first_seq, rest.tail) == (2, 2)


async def test_coverage_is_contiguous(one: Bench):
    for text in ("one", "two", "three"):
        await one.say(text=text)
    lease = await one.take_one()
    begun = await one.begin(lease)
    await one.end(lease, answer(lease, begun))
    (turn,) = await one.rows("turns", id="c1")
    assert (turn["first_seq"], turn["last_seq"]) == (1, 3)
    await one.say(text="four")
    lease = await one.take_one()
    begun = await one.begin(lease)
    hole = Lease(**{name: getattr(lease, name) for name in lease.__slots__} | {"first_seq": 5, "tail": 5})
    with pytest.raises(Fenced, match="cover up to 3"):
        await one.end(hole, answer(hole, begun))
    with pytest.raises(Fenced, match="cover up to 3"):
        await one.write(lambda tx: record.park(tx, hole, "errors", "sorry"))
    await one.end(lease, answer(lease, begun))
    assert [(t["first_seq"], t["last_seq"]) for t in await one.rows("turns", id="c1")] == [(1, 3), (4, 4)]


async def test_an_ending_without_words_says_nothing(one: Bench):
    await one.say()
    lease = await one.take_one()
    ending = Ending(Outcome.HANDED_OVER, 1, reason="bot_off", ask=Reason.BOT_OFF)
    assert await one.end(lease, ending) is None
    row = await one.conversation()
    assert (row["status"], row["reason"], row["covered"]) == ("waiting", "bot_off", 1)
    assert len(await one.events("message")) == 1
    (ended,) = await one.events("turn_ended")
    assert (ended["outcome"], ended["reason"], ended["first_seq"], ended["last_seq"]) == (
        "handed_over",
        "bot_off",
        1,
        1,
    )


async def test_a_notice_ending_withdraws_the_draft(one: Bench):
    await one.say()
    lease = await one.take_one()
    begun = await one.begin(lease)
    await one.end(lease, Ending(Outcome.ANSWERED, 1, text="Stopped.", role="notice", attempt=begun.attempt))
    assert await draft_states(one) == [(1, 1, "withdrawn")]
    assert await one.said("notice") == ["Stopped."]


async def test_the_customer_is_told_of_a_fault_once_per_turn(one: Bench, place: Place):
    await one.say()
    lease = await one.take_one()
    await one.begin(lease)
    assert await notice(one, lease)
    row = await one.conversation()
    assert (row["status"], row["reason"], row["notice_seq"]) == ("waiting", "model_down", 1)
    assert row["notice_at"] == pytest.approx(place.clock.wall)
    assert await draft_states(one) == [(1, 1, "withdrawn")]
    assert next(e for e in await one.events("message") if e["role"] == "notice")["offer"] == "person"
    assert await one.take() == [], "it waits"
    place.clock.pass_s(1)
    lease = await one.take_one()
    assert lease.head.errors == 0, "a model's fault is not the message's"
    assert not await notice(one, lease)
    assert len(await one.said("notice")) == 1
    place.clock.pass_s(1)
    lease = await one.take_one()
    await one.end(lease, answer(lease, await one.begin(lease)))
    row = await one.conversation()
    assert (row["status"], row["reason"]) == ("bot", None), "the model came back"
    await one.say()
    assert await notice(one, await one.take_one()), "another turn, another notice"


@pytest.mark.parametrize("held", ["claimed", "closed"])
async def test_no_notice_into_a_conversation_that_staff_hold(one: Bench, held: str):
    await one.say()
    lease = await one.take_one()
    await (one.handoff.claim if held == "claimed" else one.handoff.close)("c1", "ana")
    assert not await notice(one, lease, delay_s=0.0)
    assert await one.said("notice") == []
    assert (await one.conversation())["status"] == held
    assert len(await one.take()) == 1


async def test_busy_is_told_once_and_not_when_answered_or_told_worse(one: Bench):
    async def tell(first_seq: int) -> bool:
        return bool(await one.write(lambda tx: record.tell_busy(tx, "c1", first_seq, "busy")))

    await one.say()
    assert await tell(1)
    assert not await tell(1)
    assert await one.said("notice") == ["busy"]
    assert (await one.conversation())["status"] == "bot", "waiting for a sequence is no handoff"
    lease = await one.take_one()
    await one.end(lease, answer(lease, await one.begin(lease)))
    assert not await tell(1), "answered meanwhile"
    await one.say()
    await notice(one, await one.take_one())
    assert not await tell(2), "the customer knows more already"
    assert len(await one.said("notice")) == 2


@pytest.mark.parametrize(("told", "claimed", "notices"), [(False, False, 1), (True, False, 1), (False, True, 0)])
async def test_park_keeps_the_message_and_lets_the_lane_go_on(
    one: Bench, place: Place, told: bool, claimed: bool, notices: int
):
    await one.say(text="poison")
    await one.say(text="good")
    lease = await one.take_one()
    await one.begin(lease)
    if told:
        await notice(one, lease)
        place.clock.pass_s(1)
        lease = await one.take_one()
    if claimed:
        await one.handoff.claim("c1", "ana")
    await one.write(lambda tx: record.park(tx, lease, "errors", "sorry"))
    (turn,) = await one.rows("turns", id="c1")
    assert (turn["outcome"], turn["reason"], turn["first_seq"], turn["last_seq"]) == (
        "handed_over",
        "parked: errors",
        1,
        1,
    )
    dead = {row["seq"]: row["dead"] for row in await one.rows("items", kind="in", key="c1")}
    assert dead == {1: "errors", 2: None}
    assert len(await one.said("notice")) == notices
    assert (await one.conversation())["status"] == ("claimed" if claimed else "waiting")
    assert all(state != "open" for _, _, state in await draft_states(one))
    rest = await one.take_one()
    assert (rest.first_seq, rest.tail) == (2, 2)


async def test_beat_after_release_is_fenced(one: Bench):
    await one.say()
    lease = await one.take_one()
    await one.write(lambda tx: lanes.release(tx, lease))
    with pytest.raises(Fenced):
        await one.begin(lease)


def test_messages_of_a_turn_are_joined_unchanged():
    assert joined(["  a ", "", "b\n"]) == "  a \n\nb\n"
    assert joined([]) == ""


async def test_an_edit_before_the_commit_sends_the_answer_back(either: Place, tmp_path: Path):
    async with bench(either, tmp_path) as one:
        await one.say(channel="chat", route={"chat": "7"})
        lease = await one.take_one()
        begun = await one.begin(lease)
        await one.edit("changed")
        with pytest.raises(TailMoved):
            await one.end(lease, answer(lease, begun, saw_edits=0))
        assert await one.said("assistant") == []
        assert (await one.conversation())["covered"] == 0
        await one.end(lease, answer(lease, begun, saw_edits=1))
        assert await one.said("assistant") == ["Hi."]


async def test_whoever_may_not_be_interrupted_any_more_ends_despite_an_edit(one: Bench):
    await one.say(channel="chat")
    lease = await one.take_one()
    begun = await one.begin(lease)
    await one.edit("changed")
    await one.end(lease, answer(lease, begun, saw_edits=None))
    assert await one.said("assistant") == ["Hi."]


async def test_a_lost_lease_is_no_moved_tail_even_after_an_edit(one: Bench):
    await one.say(channel="chat")
    lease = await one.take_one()
    begun = await one.begin(lease)
    await one.edit("changed")
    await one.change("steal", key="c1")
    with pytest.raises(Fenced) as raised:
        await one.end(lease, answer(lease, begun, saw_edits=0))
    assert not isinstance(raised.value, TailMoved)


async def test_notices_come_right_before_the_answer(one: Bench):
    await one.say(channel="chat", route={"chat": "7"})
    lease = await one.take_one()
    begun = await one.begin(lease)
    message_id = await one.end(lease, answer(lease, begun, notices=["No pictures."]))
    said = [event for event in await one.events("message") if event["role"] != "customer"]
    assert [(event["role"], event["text"], event.get("offer")) for event in said] == [
        ("notice", "No pictures.", "person"),
        ("assistant", "Hi.", None),
    ]
    assert (await one.rows("turns", id="c1"))[0]["message_id"] == message_id
    assert [(row["role"], row["draft_seq"]) for row in await one.rows("outbox", id="c1")] == [
        ("notice", None),
        ("assistant", 1),
    ]


async def test_customers_who_fetch_events_have_no_outbox(one: Bench):
    await one.say()
    lease = await one.take_one()
    await one.end(lease, answer(lease, await one.begin(lease), notices=["No pictures."]))
    assert await one.rows("outbox", id="c1") == []
