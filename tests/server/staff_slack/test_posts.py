"""A conversation's thread: complete, in order, nothing twice, whatever Slack answers."""

from __future__ import annotations

import pytest

from channels.base import Limited, Refused, Unavailable, Unknown
from server.staff_slack.contract import POSTS
from tests.server.staff_slack.slack_bench import slack_bench


async def test_a_thread_begins_with_its_root_and_what_was_said(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.waiting()
        root, first = one.room.texts
        assert "Waiting for a person" in root
        assert "Where is my order?" in first
        (_, payload, route), (_, _, below) = one.room.posts.values()
        assert [each["label"] for each in payload["buttons"]] == [
            "Claim",
            "Hand back",
            "Correct",
            "Close",
            "Open in the console",
        ]
        assert payload["buttons"][-1]["url"] == f"https://desk.example/console/inbox/{key}"
        assert ("thread_ts" in route, below["thread_ts"]) == (False, "1.0")


async def test_many_events_are_one_post_and_many_changes_one_edit(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.waiting()
        await one.handoff.claim(key, "ana")
        for number in range(20):
            await one.staff.say(key, f"word {number}")
        await one.handoff.give_back(key, "ana")
        await one.handoff.claim(key, "ben")
        await one.shown()
        assert len(one.room.posts) == 3
        assert all(f"word {number}" in one.room.texts[-1] for number in range(20))
        ((ts, payload),) = one.room.edits
        assert ts == "1.0"
        assert "Claimed by Ben" in payload["text"]


@pytest.mark.parametrize("error", [Unknown("timeout"), Unavailable("no_connection"), Limited("ratelimited", 1.0)])
@pytest.mark.parametrize("lost", [True, False])
async def test_what_may_have_been_posted_is_looked_up(store_url: str, error: Exception, lost: bool) -> None:
    async with slack_bench(store_url) as one:
        await one.mirror.step()
        one.room.lost, one.room.errors = lost, [error]  # type: ignore[list-item]
        await one.waiting()
        assert len(one.room.texts) == len(set(one.room.texts)) == 2
        (thread,) = await one.rows("threads")
        assert (thread["root"], thread["post"], thread["fault"]) == ("1.0", None, None)


async def test_a_deleted_root_is_posted_again_and_an_impossible_post_passed_over(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.waiting()
        one.room.errors = [Refused("message_not_found")]
        await one.handoff.claim(key, "ana")
        await one.shown()
        assert "Claimed by Ana" in one.room.texts[-1] or "Claimed by Ana" in one.room.texts[-2]
        await one.staff.say(key, "strange")
        one.room.errors = [Refused("invalid_blocks")]
        await one.staff.say(key, "plain")
        await one.shown()
        (thread,) = await one.rows("threads")
        assert thread["post"] is None


async def test_a_closed_account_and_a_channel_that_refuses_us_wait(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.mirror.step()
        key = await one.staff.talk("marta")
        await one.handoff.claim(key, "ana")
        await one.mirror.step()
        one.open = False
        await one.once()
        assert await one.lease(POSTS) is None, "the lane waits"
        one.open, one.room.errors = True, [Refused("not_in_channel")]
        await one.once()
        (thread,) = await one.rows("threads")
        assert thread["fault"] == "not_in_channel"
        await one.shown()
        assert len(one.room.posts) == 2, "nothing of it is lost"
