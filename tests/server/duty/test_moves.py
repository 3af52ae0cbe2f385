"""Transfers as pure rules, and the clock that takes conversations from claimers who stay silent; on both stores."""

from __future__ import annotations

import time

import pytest

from config.handoff import HandoffSettings
from server.conversation import DEVICE, Claimed, Reason, Refused, State, Status, Transferred, apply, who_answers
from server.duty.follower import Follower
from server.duty.moves import Returning
from server.store.contract import Tx
from server.timeline import lock
from tests.server.duty.test_follower import change
from tests.server.staff import TENANT, Staff

HELD = State(Status.CLAIMED, owner="ana", owner_epoch=3)
AFTER = HandoffSettings(return_after_m=10.0)
LATER_S = 11 * 60.0


def test_only_the_holder_or_an_admin_gives_a_conversation_away() -> None:
    assert apply(HELD, Transferred("ana", "ben", 1.0)) == State(Status.CLAIMED, owner="ben", owner_epoch=4)
    assert apply(HELD, Transferred("adam", "ben", 1.0, force=True)).owner == "ben"
    with pytest.raises(Refused, match="another member of staff"):
        apply(HELD, Transferred("ben", "ben", 1.0))
    with pytest.raises(Refused, match="already"):
        apply(HELD, Transferred("ana", "ana", 1.0))
    with pytest.raises(Refused, match="closed"):
        apply(State(Status.CLOSED), Transferred("ana", "ben", 1.0))
    assert apply(State(Status.CLAIMED, owner=DEVICE), Transferred("ben", "ana", 1.0)).owner == "ana"


def test_the_queue_keeps_the_wait_and_the_bot_stays_out_of_it() -> None:
    queued = apply(HELD, Transferred("ana", None, 7.0))
    assert queued == State(Status.WAITING, "transferred", 7.0, owner_epoch=4)
    assert apply(queued, Transferred("ben", None, 9.0)).waiting_since == 7.0
    decision = who_answers(queued, silenced=False, answer_while_waiting=True)
    assert decision.__class__.__name__ == "HandOver"


async def held(staff: Staff) -> str:
    """A conversation of ana's whose customer wrote last."""
    await Follower(staff.store, TENANT, AFTER).step()
    key = await staff.talk("tom", texts=())
    await change(staff, key, Claimed("ana"))
    await staff.say(key, "Hello?")
    await Follower(staff.store, TENANT, AFTER).step()
    return key


async def status(staff: Staff, key: str) -> tuple[str, str | None, str | None]:
    row = await staff.store.row("conversations.read", id=key)
    assert row is not None
    return row["status"], row["reason"], row["owner"]


async def test_a_silent_claimer_loses_the_conversation_to_the_queue(idle_staff: Staff) -> None:
    key = await held(idle_staff)
    await Returning(idle_staff.store, TENANT, AFTER).run({})
    assert (await status(idle_staff, key))[0] == "claimed", "not before its time"
    await Returning(idle_staff.store, TENANT, AFTER, lambda: time.time() + LATER_S).run({})
    assert await status(idle_staff, key) == ("waiting", Reason.CLAIMER_SILENT, None)
    assert "transfer" in [event["kind"] for event in await idle_staff.events()]


async def test_or_to_the_bot_where_the_shop_wants_that(idle_staff: Staff) -> None:
    key = await held(idle_staff)
    to_bot = AFTER.model_copy(update={"return_to": "bot"})
    await Returning(idle_staff.store, TENANT, to_bot, lambda: time.time() + LATER_S).run({})
    assert await status(idle_staff, key) == ("bot", None, None)


async def test_whoever_answered_keeps_it(idle_staff: Staff) -> None:
    key = await held(idle_staff)

    async def speak(tx: Tx) -> None:
        timeline = await lock(tx, key)
        await timeline.say("staff", "One moment", author="ana")
        await timeline.save()

    await idle_staff.store.write(speak, order=key)
    await Returning(idle_staff.store, TENANT, AFTER, lambda: time.time() + LATER_S).run({})
    assert (await status(idle_staff, key))[0] == "claimed"


async def test_closed_hours_do_not_count(idle_staff: Staff) -> None:
    key = await held(idle_staff)
    days = tuple(f"{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29))
    shut = HandoffSettings(return_after_m=10.0, holidays=days)
    await Returning(idle_staff.store, TENANT, shut, lambda: time.time() + LATER_S).run({})
    assert (await status(idle_staff, key))[0] == "claimed"
