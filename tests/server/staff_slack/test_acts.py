"""What staff may do from a thread; the whole way stands in tests/scenarios/test_staff_slack.py."""

from __future__ import annotations

import pytest

from channels.base import Refused, Unavailable
from server.staff_slack.contract import ACTS
from tests.server.staff_slack.slack_bench import slack_bench


async def test_buttons_go_through_the_desks_own_rules(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.waiting()
        await one.act(action="claim")
        await one.act(action="claim", user="UBEN")
        assert "another member of staff" in one.room.whispers[-1][1]
        await one.act(action="close", user="UBEN")
        row = await one.store.row("conversations.read", id=key)
        assert row is not None
        assert row["status"] == "closed", "whoever may close in the console may close here"
        await one.act(action="return", user="UANA")
        assert "already holds" in one.room.whispers[-1][1]


async def test_a_note_is_written_once_and_never_sent(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.waiting()
        assert await one.act("look at this <!here>")
        assert not await one.act("look at this <!here>"), "told again"
        (note,) = await one.rows("notes")
        assert (note["text"], note["author"]) == ("look at this <!here>", "ana")
        (act,) = await one.rows("acts")
        assert (act["state"], act["outcome"], act["person_id"]) == ("done", note["id"], "ana")


@pytest.mark.parametrize("mark", ["!send", "/send", "!SEND"])
async def test_only_the_claimer_sends_and_a_crash_after_it_sends_no_second_time(store_url: str, mark: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.waiting()
        await one.act(f"{mark} too early")
        assert "claim the conversation first" in one.room.whispers[-1][1]
        await one.act(action="claim")
        await one.act(f"{mark} It comes today.")
        said = [row for row in await one.staff.events() if row["kind"] == "message" and '"staff"' in row["body"]]
        assert len(said) == 1
        assert "It comes today." in said[0]["body"]
        assert mark not in said[0]["body"]
        await one.act(mark)
        assert "behind !send" in one.room.whispers[-1][1]
        assert key


async def test_strangers_viewers_and_other_companies_are_told_and_do_nothing(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        key = await one.waiting()
        for user, words in (("UNOBODY", "nobody at the desk"), ("UVERA", "only look")):
            await one.act(action="claim", user=user)
            assert words in one.room.whispers[-1][1]
        await one.act(action="claim", ours=False)
        assert "other companies" in one.room.whispers[-1][1]
        await one.act(action="explode")
        await one.act(action="correct")
        assert "!correct" in one.room.whispers[-1][1]
        row = await one.store.row("conversations.read", id=key)
        assert row is not None
        assert row["status"] == "waiting"
        assert {each["state"] for each in await one.rows("acts")} == {"refused"}


async def test_a_missing_scope_is_said_and_an_unreachable_slack_waits(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.waiting()
        one.room.errors = [Refused("missing_scope")]
        await one.act(action="claim")
        assert "users:read.email" in one.room.whispers[-1][1]
        one.room.errors = [Unavailable("no_connection")]
        await one.act("later")
        assert [each["state"] for each in await one.rows("acts")] == ["refused", "queued"]
        await one.once(ACTS)
        one.open = False
        await one.act("closed")
        one.open = True
        await one.once(ACTS)
        assert len(await one.rows("notes")) == 2


async def test_there_is_nothing_to_correct_without_an_answer(store_url: str) -> None:
    async with slack_bench(store_url) as one:
        await one.waiting()
        await one.act("!correct Something better")
        assert "has not answered" in one.room.whispers[-1][1]
        await one.act(action="fact:nothing")
        assert "no such correction" in one.room.whispers[-1][1]
