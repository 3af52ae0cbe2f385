"""Catch-up: everything that was said while nobody listened, once, oldest first, under the keys of its events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from channels.base import SendError, Unauthorized, Unavailable
from channels.message import Edited, Inbound
from channels.slack.api import Api
from channels.slack.history import PAGES_MAX, _Patient
from tests.channels.slack_rig import Kept, Rig, rigged
from tests.doubles.platform import Fault
from tests.doubles.slack import Slack


async def caught_up(rig: Rig, since_s: float) -> Kept:
    kept = Kept()
    async for facts in rig.channel.catch_up(since_s):
        await kept.accept(facts)
    return kept


async def test_messages_of_an_outage_are_read_once_under_the_same_keys() -> None:
    async with rigged() as rig:
        started = time.time() - 1
        before = rig.inbound("C1", "<@UDESK> before")
        rig.slack.say("C1", "chatter")
        missed = [
            *rig.slack.say("C1", "<@UDESK> missed in a channel"),
            *rig.slack.say("D1", "missed in a direct message"),
            *rig.slack.say("C1", "a reply", thread_ts=before.route["thread_ts"]),
            *rig.slack.say("G1", "<@UDESK> in private"),
        ]
        live = {
            fact.external_id: fact
            for payload in missed
            for fact in rig.channel.normalize(payload, now_s=0.0)
            if isinstance(fact, Inbound)
        }
        kept = await caught_up(rig, started)
        assert kept.keys.keys() == {before.external_id} | live.keys()
        for key, fact in live.items():
            assert (kept.keys[key].address, kept.keys[key].text) == (fact.address, fact.text)
            assert kept.keys[key].follow_up == fact.follow_up
            assert kept.keys[key].verified
        again = await caught_up(rig, started)
        assert again.keys.keys() == kept.keys.keys()


async def test_replies_to_threads_begun_before_the_outage() -> None:
    async with rigged() as rig:
        old = f"{time.time() - 3_600:.6f}"
        rig.slack.place("C1").messages[old] = {
            "type": "message",
            "user": "UANNA",
            "text": "<@UDESK> long ago",
            "ts": old,
        }
        since = time.time() - 1
        rig.slack.say("C1", "still there?", thread_ts=old)
        kept = await caught_up(rig, since)
        assert kept.texts == ["still there?"]
        assert next(iter(kept.keys.values())).address == f"T1/C1/{old}"


async def test_everything_comes_in_order_over_many_pages_and_limits() -> None:
    slack = Slack()
    async with rigged(slack) as rig:
        started = time.time() - 1
        for number in range(450):
            slack.say("D1", f"message {number}")
        slack.retry_after_s = 0
        slack.faults.script("conversations.history", Fault.LIMITED, None, Fault.LIMITED, Fault.LIMITED)
        kept = await caught_up(rig, started)
        assert kept.texts == [f"message {number}" for number in range(450)]
        assert slack.calls["conversations.history"] == 6


async def test_our_own_words_and_other_programs_are_not_caught_up() -> None:
    async with rigged() as rig:
        started = time.time() - 1
        fact = rig.inbound("D1", "hello")
        await rig.channel.send(rig.part(fact.route))
        rig.slack.say("D1", "beep", bot_id="BOTHER")
        assert (await caught_up(rig, started)).texts == ["hello"]


async def test_words_changed_meanwhile() -> None:
    async with rigged() as rig:
        fact = rig.inbound("D1", "helo")
        old = fact.external_id.partition(":")[2]
        since = time.time()
        rig.slack.place("D1").messages[old] |= {"text": "hello", "edited": {"user": "UANNA", "ts": rig.slack.now()}}
        kept = await caught_up(rig, since)
        assert kept.keys == {}
        (change,) = kept.facts
        assert isinstance(change, Edited)
        assert (change.external_id, change.address, change.text) == (fact.external_id, fact.address, "hello")


async def test_shared_channels_keep_their_strangers() -> None:
    async with rigged() as rig:
        started = time.time() - 1
        rig.slack.place("C1", ext_shared=True)
        rig.slack.say("C1", "<@UDESK> hello", user="UZOE", user_team="TOTHER")
        kept = await caught_up(rig, started)
        (fact,) = kept.keys.values()
        assert not fact.verified
        assert fact.profile["external"] == "1"


async def test_a_channel_that_cannot_be_read_does_not_hide_the_others() -> None:
    async with rigged() as rig:
        started = time.time() - 1
        rig.slack.say("C1", "<@UDESK> one")
        rig.slack.say("C2", "<@UDESK> two")
        rig.slack.faults.script("conversations.history", Fault.REFUSED)
        assert (await caught_up(rig, started)).texts == ["two"]


async def test_no_reading_at_all_ends_at_once_and_an_outage_is_told() -> None:
    async with rigged() as rig:
        rig.slack.say("D1", "hello")
        rig.slack.unknown.add("users.conversations")
        assert (await caught_up(rig, 0.0)).facts == []
        rig.slack.unknown.clear()
        rig.slack.faults.script("conversations.history", Fault.ERROR_BEFORE)
        with pytest.raises(Unavailable):
            await caught_up(rig, 0.0)
        rig.slack.workspaces[0].revoked = True
        with pytest.raises(Unauthorized) as caught:
            await caught_up(rig, 0.0)
        assert isinstance(caught.value, SendError)


async def test_a_token_revoked_in_the_middle_is_told() -> None:
    async with rigged() as rig:
        rig.slack.say("D1", "hello")
        rig.slack.say("D2", "hello")
        reading = rig.channel.catch_up(0.0)
        assert len(await anext(reading)) == 1
        rig.slack.workspaces[0].revoked = True
        with pytest.raises(Unauthorized):
            await anext(reading)


class Endless(Api):
    """A platform whose list never ends."""

    async def read(self, _method: str, **arguments: Any) -> Mapping[str, Any]:
        page = int(arguments.get("cursor") or 0)
        return {"messages": [{"page": page}, "odd"], "response_metadata": {"next_cursor": str(page + 1)}}


async def test_an_endless_list_ends() -> None:
    pages = _Patient(Endless("x", "http://127.0.0.1:1", 1.0)).pages("conversations_history", "messages")
    assert len([each async for each in pages]) == PAGES_MAX
