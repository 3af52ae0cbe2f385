"""Drafts that a platform shows: each becomes the answer or disappears, also after kills, claims, unknown outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Limited, Refused, Unauthorized, Unavailable, Unknown
from server.outbox.drafts import draft_id
from tests.channel_double import PLAIN, After, ChannelDouble
from tests.places import Place
from tests.server.outbox.post import Post, post

UNSURE = Unknown("timeout")


@pytest.fixture
async def one(place: Place, tmp_path: Path) -> AsyncIterator[Post]:
    """A platform whose drafts are messages."""
    limits = replace(PLAIN, draft="message", edit_interval_s=1.0)
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as opened:
        yield opened


async def opened(one: Post, attempt: int = 1) -> str:
    """A draft that is visible and whose id is stored."""
    await one.open_draft(attempt)
    provider_id = await one.double.open_draft(draft_id("c1", 1), {}, "hel")
    await one.show(attempt, "open", provider_id=provider_id)
    return provider_id


async def test_a_draft_becomes_the_first_part(one: Post):
    provider_id = await opened(one)
    await one.finish_draft("hello " * 10)
    await one.run(1)
    assert one.double.texts == [("hello " * 10)[:40], ("hello " * 10)[40:]]
    assert (await one.parts())[0]["provider_id"] == provider_id
    assert [out.draft for out in one.double.sends] == [provider_id, ""]
    assert await one.shown_drafts() == [("final", "done")]


async def test_an_answer_whose_draft_was_never_shown_is_simply_sent(one: Post):
    await one.open_draft()
    await one.finish_draft("hello")
    await one.step()
    assert one.double.texts == ["hello"]
    assert one.double.sends[0].draft == ""


async def test_finishing_may_be_repeated_without_looking_up(one: Post):
    await opened(one)
    one.double.script.extend([After(UNSURE), UNSURE])
    await one.finish_draft("hello")
    await one.run(10)
    assert one.double.texts == ["hello"]
    assert not one.double.found
    (part,) = await one.parts()
    assert (part["attempts"], part["repeats"]) == (3, 0)


async def test_a_draft_that_cannot_be_finished_is_replaced_by_a_message(one: Post):
    await opened(one)
    one.double.script.append(Refused("message_not_found"))
    await one.finish_draft("hello")
    await one.run(2)
    assert one.double.texts == ["hello"], "the half of it is taken away"
    assert one.double.sends[1].draft == ""
    assert await one.shown_drafts() == [("final", "done")]


async def test_an_opening_under_way_is_waited_for(one: Post):
    await one.open_draft(shown="opening")
    await one.finish_draft("hello")
    await one.step()
    assert not one.double.sends
    provider_id = await one.double.open_draft(draft_id("c1", 1), {}, "hel")
    await one.show(1, "open", provider_id=provider_id)
    await one.run(1)
    assert one.double.texts == ["hello"]
    assert one.double.sends[0].draft == provider_id


@pytest.mark.parametrize("visible", [False, True])
async def test_an_opening_of_a_dead_worker_is_looked_up(one: Post, visible: bool):
    if visible:
        await one.double.open_draft(draft_id("c1", 1), {}, "hel")
    await one.open_draft(shown="opening")
    await one.finish_draft("hello")
    one.clock.pass_s(20)  # far beyond every time-out: nobody stores the id any more
    await one.run(1)
    assert one.double.texts == ["hello"]
    assert bool(one.double.sends[0].draft) == visible


async def test_a_look_up_of_a_draft_that_fails_is_repeated_or_given_up(one: Post):
    await one.double.open_draft(draft_id("c1", 1), {}, "hel")
    one.double.draft_script.extend([Unavailable("503"), Limited("429", 2.0), Unknown("no telling")])
    await one.open_draft(shown="opening")
    await one.finish_draft("hello")
    one.clock.pass_s(20)
    await one.run(10)
    assert one.double.texts == ["hel", "hello"]


async def test_the_next_attempt_goes_on_with_the_same_message(one: Post):
    provider_id = await opened(one)
    await one.open_draft(2)
    assert await one.shown_drafts() == [("replaced", "carried"), ("open", "open")]
    await one.finish_draft("hello", attempt=2)
    await one.run(1)
    assert one.double.sends[0].draft == provider_id
    assert one.double.texts == ["hello"]
    assert await one.shown_drafts() == [("replaced", "carried"), ("final", "done")]


async def test_a_withdrawn_draft_is_taken_away_also_after_a_claim(one: Post):
    provider_id = await opened(one)
    assert (await one.handoff.claim("c1", "ana"))["drafts_withdrawn"] == 1
    one.double.script.append(After(UNSURE))
    await one.run(5)
    assert one.double.texts == []
    assert one.double.withdrawn == [provider_id] * 2
    assert await one.shown_drafts() == [("withdrawn", "done")]
    assert await one.states() == [("sent", None)]
    assert await one.deliveries() == []


async def test_a_draft_nobody_saw_is_not_taken_away(one: Post):
    await one.open_draft()
    await one.end_drafts()
    assert await one.step() == 0
    await one.open_draft(2, "failed")
    await one.end_drafts()
    assert await one.step() == 0


async def test_an_opening_is_settled_before_it_is_taken_away(one: Post):
    await one.open_draft(shown="opening")
    await one.end_drafts()
    await one.step()
    assert not one.double.withdrawn
    provider_id = await one.double.open_draft(draft_id("c1", 1), {}, "hel")
    await one.show(1, "open", provider_id=provider_id)
    await one.run(1)
    assert one.double.withdrawn == [provider_id]


async def test_a_platform_that_refuses_to_take_it_away_is_left_alone(one: Post):
    await opened(one)
    await one.end_drafts()
    one.double.script.append(Refused("too_old"))
    await one.bot("next")
    await one.run(2)
    assert one.double.texts == ["hel", "next"]
    assert await one.shown_drafts() == [("withdrawn", "done")]


async def test_without_access_a_draft_waits_to_be_taken_away(one: Post):
    await opened(one)
    await one.end_drafts()
    one.double.script.append(Unauthorized("token_revoked"))
    await one.run(3)
    assert (await one.store.rows("post.states"))[0]["state"] == "revoked"
    assert await one.queued() == 1


async def test_a_cancelled_answer_takes_its_draft_away(one: Post):
    provider_id = await opened(one)
    await one.finish_draft("hello")
    await one.handoff.claim("c1", "ana")
    await one.run(2)
    assert one.double.texts == []
    assert one.double.withdrawn == [provider_id]
    assert await one.states() == [("cancelled", "claimed"), ("sent", None)]


async def test_an_answer_whose_finishing_is_in_doubt_stays(one: Post):
    await opened(one)
    one.double.script.append(After(UNSURE))
    await one.finish_draft("hello")
    await one.step()
    await one.handoff.claim("c1", "ana")
    await one.run(5)
    assert one.double.texts == ["hello"]
    assert not one.double.withdrawn
    assert await one.states() == [("uncertain", "claimed")]


async def test_previews_vanish_by_themselves(place: Place, tmp_path: Path):
    async with post(place, tmp_path, ChannelDouble(limits=replace(PLAIN, draft="preview"))) as one:
        await one.open_draft(shown="open", provider_id="p1")
        await one.finish_draft("hello")
        await one.step()
        assert one.double.sends[0].draft == ""
        assert await one.shown_drafts() == [("final", "done")]


async def test_an_answer_left_in_doubt_leaves_no_preview_on_record(place: Place, tmp_path: Path):
    limits = replace(PLAIN, draft="preview", look_up=False, proof_s=20.0)
    async with post(place, tmp_path, ChannelDouble(limits=limits)) as one:
        await one.open_draft(shown="open", provider_id="p1")
        await one.finish_draft("hello")
        one.double.script.extend([UNSURE, UNSURE])
        await one.run(60)
        assert await one.states() == [("uncertain", "unknown")]
        assert await one.shown_drafts() == [("final", "done")]


async def test_a_clock_set_back_does_not_keep_an_opening_young(one: Post):  # R18
    await one.open_draft(shown="opening")
    await one.finish_draft("hello")
    one.clock.wall -= 600.0
    await one.run(20)
    assert one.double.texts == ["hello"]


async def test_a_parked_answer_leaves_no_draft_open(one: Post):
    await opened(one)
    one.double.script.extend([UNSURE] * 8)
    await one.finish_draft("hello")
    await one.run(300)
    assert (await one.states())[0] == ("parked", "unknown")
    assert await one.shown_drafts() == [("final", "done")]


async def test_a_draft_opened_a_moment_before_a_kill_is_not_missed(one: Post):
    await one.open_draft(shown="opening", holder="dead")
    await one.finish_draft("hello")
    await one.step()
    assert not one.double.sends
    provider_id = await one.double.open_draft(draft_id("c1", 1), {}, "hel")  # the platform was still at it
    one.clock.pass_s(1.1)
    await one.run(1)
    assert one.double.texts == ["hello"]
    assert one.double.sends[0].draft == provider_id
