"""The staff channel: posts that can be looked up, words for one person, and facts that never make a customer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from channels.base import Outgoing, Refused
from channels.message import StaffActed
from tests.channels.slack_rig import Rig, rigged

ROOM = "C0STAFF"


def out(text: str, part_id: str = "p1", **more: Any) -> Outgoing:
    route = {"channel": ROOM} | {name: more.pop(name) for name in ("thread_ts",) if name in more}
    return Outgoing(part_id, route, {"text": text, **more}, tried_at=time.time())


def facts(rig: Rig, payload: dict[str, Any]) -> list[StaffActed]:
    found = rig.channel.normalize(payload, now_s=time.time())
    assert all(isinstance(fact, StaffActed) for fact in found), found
    return [fact for fact in found if isinstance(fact, StaffActed)]


async def test_a_post_is_found_by_its_id_and_edited() -> None:
    async with rigged(staff_channel=ROOM) as rig:
        rig.slack.place(ROOM)
        buttons = [
            {"label": "Claim", "value": "claim", "style": "primary"},
            {"label": "Open", "url": "https://x.example"},
        ]
        ts = await rig.channel.staff.post(out("*Waiting*", buttons=buttons))
        message = rig.slack.place(ROOM).messages[ts]
        first, second = message["blocks"][-1]["elements"]
        assert (first["value"], first["style"], second["url"]) == ("claim", "primary", "https://x.example")
        assert "value" not in second
        assert await rig.channel.staff.find(out("*Waiting*")) == ts
        assert await rig.channel.staff.find(out("*Waiting*", "other")) == ""
        reply = await rig.channel.staff.post(out("word", "p2", thread_ts=ts, broadcast=True))
        assert rig.slack.place(ROOM).messages[reply]["reply_broadcast"]
        assert await rig.channel.staff.find(out("word", "p2", thread_ts=ts)) == reply
        await rig.channel.staff.edit(ROOM, ts, {"text": "*Closed*"})
        assert message["text"] == "*Closed*"
        assert [block["type"] for block in message["blocks"]] == ["section"]


async def test_words_for_one_person_and_who_somebody_is() -> None:
    async with rigged(staff_channel=ROOM) as rig:
        rig.slack.place(ROOM)
        await rig.channel.staff.whisper(ROOM, "1.0", "UANA", "claim first")
        assert rig.slack.whispers == [(ROOM, "1.0", "UANA", "claim first")]
        rig.slack.people |= {
            "UANA": {"real_name": "Ana", "profile": {"email": "Ana@Shop.example "}},
            "UGUEST": {"is_ultra_restricted": True, "profile": {"email": "ana@shop.example"}},
            "UNEW": {"is_email_confirmed": False, "profile": {"email": "ana@shop.example"}},
        }
        assert await rig.channel.staff.person("UANA") == {"email": "ana@shop.example", "name": "Ana"}
        for user in ("UGUEST", "UNEW", "UNOBODY"):
            assert await rig.channel.staff.person(user) == {}
        rig.slack.unknown.add("users.info")
        with pytest.raises(Refused):
            await rig.channel.staff.person("UANA")


async def test_replies_and_presses_are_acts_of_staff_and_nothing_there_is_a_customers() -> None:
    async with rigged(staff_channel=ROOM) as rig:
        rig.slack.place(ROOM)
        root = await rig.channel.staff.post(out("*Waiting*", buttons=[{"label": "Claim", "value": "claim"}]))
        (payload,) = rig.slack.say(ROOM, "a &lt;note&gt; for you", user="UANA", thread_ts=root)
        (said,) = facts(rig, payload)
        assert (said.text, said.user, said.thread, said.room, said.ours) == (
            "a <note> for you",
            "UANA",
            root,
            ROOM,
            True,
        )
        assert said.external_id == f"{ROOM}:{payload['event']['ts']}"
        twins = rig.slack.say(ROOM, "<@UDESK> !send hello", user="UANA", thread_ts=root)
        assert {fact.text for twin in twins for fact in facts(rig, twin)} == {"!send hello"}
        assert len({fact.external_id for twin in twins for fact in facts(rig, twin)}) == 1
        (pressed,) = facts(rig, rig.slack.press(ROOM, root, "claim", user="UANA"))
        assert (pressed.action, pressed.text, pressed.thread) == ("claim", "", root)
        foreign = rig.slack.press(ROOM, root, "claim", user="UANA")
        foreign["user"]["team_id"] = "TOTHER"
        assert [fact.ours for fact in facts(rig, foreign)] == [False]
        own = {"type": "message", "channel": ROOM, "channel_type": "channel", "thread_ts": root, "ts": rig.slack.now()}
        quiet = [
            {**own, "bot_id": "BDESK", "user": "UDESK", "text": "mirrored"},
            {**own, "bot_id": "BELSE", "text": "another program"},
            {**own, "subtype": "message_changed", "message": {**own, "user": "UANA", "text": "edited"}},
            {**own, "user": "UANA", "text": "top level", "thread_ts": ""},
            {"type": "reaction_added", "user": "UANA", "reaction": "+1", "item": {"channel": ROOM, "ts": root}},
        ]
        for event in quiet:
            assert facts(rig, rig.slack.envelope(event)) == [], event
        for twin in rig.slack.say(ROOM, "<@UDESK> is anybody there?", user="UANA"):
            assert facts(rig, twin) == [], "a mention outside of threads opens no conversation"


async def test_other_channels_stay_customers_places() -> None:
    async with rigged(staff_channel=ROOM) as rig:
        assert rig.inbound("C1", "<@UDESK> hello").text == "hello"
