"""Customers hear once what their screen cannot show: that the desk is shut, their place, who has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.handoff import HandoffSettings
from server.conversation import Claimed, PersonAsked, Reason
from server.duty.follower import Follower
from server.duty.words import Saying, moment_text, say
from server.store.contract import Tx
from server.timeline import lock
from tests.server.duty.test_follower import change, waits
from tests.server.staff import TENANT, Staff

SHUT = HandoffSettings(hours=(f"{(datetime.now(UTC) + timedelta(days=3)):%a} 09:00-17:00".lower(),))


def follower_of(staff: Staff, settings: HandoffSettings) -> Follower:
    return Follower(staff.store, TENANT, settings)


async def notices(staff: Staff, key: str) -> list[str]:
    rows = await staff.store.rows("inbox.messages", tenant=TENANT, id=key, before=2**62, count=100)
    return [row["text"] for row in reversed(rows) if row["role"] == "notice"]


async def test_outside_hours_a_customer_leaves_a_message_and_an_address(idle_staff: Staff) -> None:
    follower = follower_of(idle_staff, SHUT)
    await follower.step()
    key = await idle_staff.talk("tom")
    await change(idle_staff, key, waits)
    for _ in range(3):
        await follower.step()
    (shut,) = await notices(idle_staff, key)
    assert "Nobody is here right now; we are back on" in shut
    assert shut.endswith(say(Saying.LEAVE_EMAIL, "en"))
    await idle_staff.say(key, "Please write to tom@example.com")
    for _ in range(3):
        await follower.step()
    assert (await notices(idle_staff, key))[1:] == [say(Saying.EMAIL_KEPT, "en")]
    left = await idle_staff.json("vera", "GET", f"/api/conversations/{key}/promises")
    assert left["email"] == "t…@example.com", "masked; in clear it stands in the thread"


async def test_on_a_platform_the_place_is_told_and_who_has_come(idle_staff: Staff) -> None:
    follower = follower_of(idle_staff, HandoffSettings())
    await follower.step()
    first, second = await idle_staff.talk("una", "telegram"), await idle_staff.talk("tom", "telegram")
    await change(idle_staff, first, waits)
    await change(idle_staff, second, waits)
    await follower.step()
    assert await notices(idle_staff, first) == [say(Saying.NEXT, "en")]
    assert await notices(idle_staff, second) == [say(Saying.QUEUED, "en", place="2")]
    await change(idle_staff, second, Claimed("ana"))
    for _ in range(2):
        await follower.step()
    assert (await notices(idle_staff, second))[1:] == [say(Saying.CLAIMED, "en", name="Ana")]


async def test_what_the_page_shows_or_somebody_said_is_not_repeated(idle_staff: Staff) -> None:
    follower = follower_of(idle_staff, HandoffSettings())
    await follower.step()
    page = await idle_staff.talk("tom")
    await change(idle_staff, page, waits)
    spoken = await idle_staff.talk("una", "telegram")

    async def hand_over(tx: Tx) -> None:
        timeline = await lock(tx, spoken)
        await timeline.say("assistant", "I have asked a person.")
        await timeline.change(PersonAsked(Reason.TOOL, tx.now_s))
        await timeline.save()

    await idle_staff.store.write(hand_over, order=spoken)
    await follower.step()
    assert await notices(idle_staff, page) == []
    assert await notices(idle_staff, spoken) == []


async def test_an_answer_to_the_question_does_not_stand_for_the_place_in_the_queue(idle_staff: Staff) -> None:
    """`/human my parcel is lost`: the bot's answer may be quicker than the look at who waits."""
    follower = follower_of(idle_staff, HandoffSettings())
    await follower.step()
    key = await idle_staff.talk("una", "telegram", texts=())
    await change(idle_staff, key, waits)
    await idle_staff.say(key, "my parcel is lost")

    async def answer(tx: Tx) -> None:
        timeline = await lock(tx, key)
        message = await timeline.say("assistant", "Parcels are insured.", turn_id=f"{key}:1")
        await timeline.save()
        await tx.run(
            "conversations.add_turn", id=f"{key}:1", tenant=TENANT, conversation_id=key, case_id=None, first_seq=1,
            last_seq=1, attempt=1, outcome="answered", reason=None, release_id=None, message_id=message,
            prompt_tokens=1, completion_tokens=1, timings="{}", grounding=None, now=tx.now_s,
        )  # fmt: skip

    await idle_staff.store.write(answer, order=key)
    await follower.step()
    assert await notices(idle_staff, key) == [say(Saying.NEXT, "en")]


async def test_a_desk_may_stay_silent(idle_staff: Staff) -> None:
    follower = follower_of(idle_staff, SHUT.model_copy(update={"tell_customers": False}))
    await follower.step()
    key = await idle_staff.talk("tom")
    await change(idle_staff, key, waits)
    await follower.step()
    assert await notices(idle_staff, key) == []


@pytest.mark.parametrize(
    ("hours", "language", "expected"),
    [
        (1, "en", "today at 11:00 (GMT)"),
        (24, "de-AT", "morgen um 10:00 Uhr (GMT)"),
        (72, "es", "el lunes a las 10:00 (GMT)"),
        (24 * 10, "xx", "on 2026-11-30 at 10:00 (GMT)"),
    ],
)
def test_moments_are_told_on_the_desks_clock(hours: int, language: str, expected: str) -> None:
    now = datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
    assert moment_text(now + hours * 3_600, now, ZoneInfo("Europe/Dublin"), language) == expected


def test_every_language_has_every_saying() -> None:
    for language in ("en", "de", "es", "ar"):
        for saying in Saying:
            assert say(saying, language, when="w", place="2", name="n")


async def test_nothing_is_said_where_nothing_arrives(idle_staff: Staff) -> None:
    follower = follower_of(idle_staff, HandoffSettings())
    await follower.step()
    lost, gone = await idle_staff.talk("una", "telegram"), await idle_staff.talk("tom", "whatsapp")
    await change(idle_staff, lost, lambda now_s: PersonAsked(Reason.UNDELIVERED, now_s))

    async def long_ago(tx: Tx) -> None:
        timeline = await lock(tx, gone)
        timeline.said_at = tx.now_s - 30 * 3_600.0
        await timeline.save()

    await idle_staff.store.write(long_ago, order=gone)
    await change(idle_staff, gone, waits)
    await change(idle_staff, gone, Claimed("ana"))
    await follower.step()
    assert await notices(idle_staff, lost) == []
    assert await notices(idle_staff, gone) == []
