"""Native streams: appended, expired, stopped by their reader, taken over by another process, withdrawn."""

from __future__ import annotations

import time

import pytest

from channels.base import Limited, Refused, Unauthorized, Unknown
from channels.slack.drafts import Drafts
from channels.slack.parts import TEXT_CHARACTERS
from tests.channels.slack_rig import rigged
from tests.doubles.platform import Fault
from tests.doubles.slack import Slack


async def test_only_the_new_end_is_sent() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        for text in ("On Fri", "On Friday", "On Friday", "On Friday at noon."):
            await rig.channel.update_draft(draft, route, text)
        appended = [given["markdown_text"] for method, given in rig.slack.log if method == "chat.appendStream"]
        assert appended == [" Fri", "day", " at noon."]
        assert [message["text"] for message in rig.ours()] == ["On Friday at noon."]
        (start,) = [given for method, given in rig.slack.log if method == "chat.startStream"]
        assert (start["recipient_user_id"], start["recipient_team_id"]) == ("UANNA", "T1")


async def test_an_expired_stream_is_updated_with_the_whole_text() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        rig.slack.expire_streams()
        for text in ("On Friday", "On Friday at noon."):
            await rig.channel.update_draft(draft, route, text)
        assert [message["text"] for message in rig.ours()] == ["On Friday at noon."]
        assert rig.slack.calls["chat.appendStream"] == 1
        assert (await rig.channel.send(rig.part(route, "All of it.", draft=draft))).provider_id == draft
        assert [message["text"] for message in rig.ours()] == ["All of it."]


async def test_the_reader_stops_a_stream() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        rig.slack.stop_stream(draft.partition(":")[2])
        with pytest.raises(Refused) as caught:
            await rig.channel.update_draft(draft, route, "On Friday")
        assert caught.value.code == "stopped_by_user"
        assert rig.slack.calls["chat.update"] == 0
        assert len(rig.ours()) == 1


async def test_a_text_that_does_not_continue_the_shown_one_replaces_it() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On Monday")
        await rig.channel.update_draft(draft, route, "No: on Friday")
        await rig.channel.update_draft(draft, route, "No: on Friday at noon")
        assert [message["text"] for message in rig.ours()] == ["No: on Friday at noon"]
        assert rig.slack.calls["chat.stopStream"] == 1


async def test_another_process_goes_on_with_a_stream() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        other = Drafts(rig.channel._api)
        await other.update(draft, route, "On Friday")
        await other.update(draft, route, "On Friday at noon.")
        assert [message["text"] for message in rig.ours()] == ["On Friday at noon."]
        assert rig.slack.calls["chat.stopStream"] == 1


async def test_after_an_unknown_append_the_text_is_set_whole() -> None:
    async with rigged(Slack(hang_s=3.0), timeout_s=1.2) as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        rig.slack.faults.script("chat.appendStream", Fault.RESET_AFTER)
        with pytest.raises(Unknown):
            await rig.channel.update_draft(draft, route, "On Friday")
        await rig.channel.update_draft(draft, route, "On Friday at noon.")
        assert [message["text"] for message in rig.ours()] == ["On Friday at noon."]


async def test_limits_are_passed_on() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        rig.slack.faults.script("chat.appendStream", Fault.LIMITED)
        with pytest.raises(Limited):
            await rig.channel.update_draft(draft, route, "On Friday")
        for method in ("chat.stopStream", "chat.update"):
            rig.slack.faults.script(method, Fault.LIMITED)
            with pytest.raises(Limited):
                await rig.channel.send(rig.part(route, draft=draft))


async def test_where_no_stream_can_be_it_is_refused() -> None:
    async with rigged() as rig:
        direct = rig.inbound("D1", "hello").route
        route = rig.inbound().route
        nobody = {name: value for name, value in route.items() if name != "user"}
        for place in (direct, nobody, route | {"channel": "C404"}):
            with pytest.raises(Refused) as caught:
                await rig.channel.open_draft("d:1", place, "On")
            assert type(caught.value) is Refused
        rig.slack.unknown.add("chat.startStream")
        with pytest.raises(Refused):
            await rig.channel.open_draft("d:1", route, "On")


async def test_assistant_threads_in_direct_messages_stream_too() -> None:
    async with rigged() as rig:
        root = rig.slack.say("D1", "hello")[0]["event"]["ts"]
        route = rig.inbound("D1", "and?", thread_ts=root).route
        draft = await rig.channel.open_draft("d:1", route, "On")
        assert rig.ours("D1")[0]["thread_ts"] == root
        assert draft.startswith("D1:")


async def test_a_long_draft_shows_what_its_first_message_can_hold() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "x" * 20_000)
        await rig.channel.update_draft(draft, route, "x" * 30_000)
        assert len(rig.ours()[0]["text"]) == TEXT_CHARACTERS


async def test_a_lost_opening_is_found_by_thread_and_time() -> None:
    async with rigged(Slack(hang_s=3.0), timeout_s=1.2) as rig:
        route = rig.inbound().route
        await rig.channel.send(rig.part(route, "An earlier answer."))
        started = time.time()
        assert await rig.channel.find_draft("d:1", route, started) == ""
        rig.slack.faults.script("chat.startStream", Fault.HANG_AFTER)
        with pytest.raises(Unknown):
            await rig.channel.open_draft("d:1", route, "On")
        draft = await rig.channel.find_draft("d:1", route, started)
        assert draft == f"C1:{rig.ours()[-1]['ts']}"
        await rig.channel.send(rig.part(route, "Done.", part_id="p2", draft=draft))
        assert await rig.channel.find_draft("d:1", route, started) == ""
        assert [message["text"] for message in rig.ours()] == ["An earlier answer.", "Done."]


async def test_a_lost_opening_is_found_without_knowing_our_name() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        rig.slack.absent.add("auth.test")
        assert await rig.channel.find_draft("d:1", route, time.time()) == draft
        rig.slack.absent.clear()
        rig.slack.workspaces[0].revoked = True
        with pytest.raises(Unauthorized):
            await rig.channel.find_draft("d:1", route, time.time())


async def test_no_telling_is_no_draft() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        rig.slack.unknown.add("conversations.replies")
        assert await rig.channel.find_draft("d:1", route, time.time()) == ""


async def test_withdrawn_is_gone_and_stays_gone() -> None:
    async with rigged() as rig:
        route = rig.inbound().route
        draft = await rig.channel.open_draft("d:1", route, "On")
        for _ in range(2):
            await rig.channel.withdraw_draft(draft, route)
        assert rig.ours() == []
        rig.slack.workspaces[0].revoked = True
        with pytest.raises(Unauthorized):
            await rig.channel.withdraw_draft(draft, route)


async def test_what_cannot_be_deleted_is_said() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        with pytest.raises(Refused) as caught:
            await rig.channel.withdraw_draft(f"C1:{fact.route['ts']}", fact.route)  # the customer's own
        assert caught.value.code == "cant_update_message"


async def test_memory_is_bounded() -> None:
    async with rigged() as rig:
        route, shown = rig.inbound().route, Drafts(rig.channel._api, remembered=2)
        opened = [await shown.open(route, "On") for _ in range(4)]
        await shown.update(opened[0], route, "On Friday")  # forgotten, so it is set whole
        await shown.update(opened[3], route, "On Friday")
        assert {message["text"] for message in rig.ours()} == {"On", "On Friday"}
        assert len(shown._shown) == 2
