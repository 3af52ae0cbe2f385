"""Sending, finishing, finding and checking through the real client; and which account an event belongs to."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from channels.base import Limited, Outgoing, Refused, Rejected, Unauthorized, Unknown, Unreachable
from channels.message import Attachment, Button, Inbound, Outbound
from channels.slack.channel import make
from config.accounts import SlackAccount
from tests.channels.slack_rig import SECRET, delivery, rigged, services, settings
from tests.doubles.platform import Fault
from tests.doubles.slack import Slack, Workspace


async def test_an_answer_lands_in_the_thread_with_its_id() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        sent = await rig.channel.send(rig.part(fact.route, "On **Friday**."))
        (message,) = rig.ours()
        assert sent.provider_id == f"C1:{message['ts']}"
        assert message["thread_ts"] == fact.route["thread_ts"]
        assert message["metadata"] == {"event_type": "frontdesk_part", "event_payload": {"id": "p1"}}
        (_, arguments) = rig.slack.log[-1]
        assert (arguments["unfurl_links"], arguments["unfurl_media"]) == (False, False)
        assert message["text"] == "On *Friday*."


async def test_in_a_direct_message_answers_stand_in_its_plain_stream() -> None:
    async with rigged() as rig:
        fact = rig.inbound("D1", "hello")
        await rig.channel.send(rig.part(fact.route))
        assert "thread_ts" not in rig.ours("D1")[0]


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.ERROR_AFTER])
async def test_a_hidden_success_is_found(fault: Fault) -> None:
    async with rigged(Slack(hang_s=3.0), timeout_s=1.2) as rig:
        for fact in (rig.inbound(), rig.inbound("D1", "hello")):
            out = rig.part(fact.route, part_id=f"p-{fact.route['channel']}")
            rig.slack.faults.script("chat.postMessage", fault)
            with pytest.raises(Unknown):
                await rig.channel.send(out)
            found = await rig.channel.find(out)
            assert found is not None
            assert found.provider_id == f"{fact.route['channel']}:{rig.ours(fact.route['channel'])[0]['ts']}"


async def test_what_never_arrived_is_not_found() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        await rig.channel.send(rig.part(fact.route, part_id="another"))
        out = rig.part(fact.route)
        assert await rig.channel.find(out) is None
        assert await rig.channel.find(replace(out, tried_at=None)) is None


async def test_two_equal_texts_are_told_apart() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        first = await rig.channel.send(rig.part(fact.route, part_id="p1"))
        second = await rig.channel.send(rig.part(fact.route, part_id="p2"))
        for part_id, sent in (("p1", first), ("p2", second)):
            assert await rig.channel.find(rig.part(fact.route, part_id=part_id)) == sent


async def test_where_the_history_hides_metadata_the_text_decides() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        first = await rig.channel.send(rig.part(fact.route, part_id="p1"))
        for message in rig.ours():
            del message["metadata"]
        again = rig.part(fact.route, part_id="p1")
        assert await rig.channel.find(again) == first
        assert await rig.channel.find(replace(again, known=frozenset({first.provider_id}))) is None


async def test_a_look_up_that_cannot_be_made_says_so() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        rig.slack.unknown.add("conversations.replies")
        with pytest.raises(Refused):
            await rig.channel.find(rig.part(fact.route))
        rig.slack.unknown.clear()
        rig.slack.faults.script("conversations.replies", Fault.LIMITED)
        with pytest.raises(Limited):
            await rig.channel.find(rig.part(fact.route))
        rig.slack.workspaces[0].revoked = True
        with pytest.raises(Unauthorized):
            await rig.channel.find(rig.part(fact.route))


async def test_the_part_is_found_behind_many_others() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        before = rig.part(fact.route)
        for number in range(230):  # more than a page
            rig.slack.say("C1", f"chatter {number}", thread_ts=fact.route["thread_ts"])
        sent = await rig.channel.send(rig.part(fact.route))
        assert await rig.channel.find(replace(before, tried_at=before.tried_at)) == sent
        assert rig.slack.calls["conversations.replies"] == 2


@pytest.mark.parametrize("missing", ["feedback_known", "markdown_known"])
async def test_a_workspace_that_refuses_new_blocks_gets_older_ones(missing: str) -> None:
    async with rigged() as rig:
        setattr(rig.slack, missing, False)
        fact = rig.inbound()
        (payload,) = rig.channel.render(Outbound("Hi", buttons=(Button("Person", "p"),), feedback=("u", "d")))
        await rig.channel.send(Outgoing("p1", fact.route, payload))
        (message,) = rig.ours()
        assert [block["type"] for block in message["blocks"]] == ["section", "actions"]
        press = rig.slack.press("C1", message["ts"], "d")
        (pressed,) = rig.channel.normalize(press, now_s=0.0)
        assert getattr(pressed, "payload", "") == "d"
        assert pressed.address == fact.address  # type: ignore[union-attr]


async def test_files_go_as_links() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        files = (Attachment("file", "", "invoice.pdf", ref="m1"), Attachment("file", "", "gone.pdf"))
        for number, payload in enumerate(rig.channel.render(Outbound("", attachments=files))):
            await rig.channel.send(Outgoing(f"p{number}", fact.route, payload))
        assert rig.ours()[0]["text"] == "<https://desk.example/files/m1|invoice.pdf>"


async def test_channels_that_are_gone() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        rig.slack.place("C1").archived = True
        with pytest.raises(Unreachable):
            await rig.channel.send(rig.part(fact.route))
        rig.slack.place("C1").archived, rig.slack.place("C1").member = False, False
        with pytest.raises(Refused) as caught:
            await rig.channel.send(rig.part(fact.route))
        assert caught.value.code == "not_in_channel"
        with pytest.raises(Unreachable):
            await rig.channel.send(rig.part(fact.route | {"channel": "C404"}))


async def test_a_draft_becomes_the_answer_any_number_of_times() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        draft = await rig.channel.open_draft("d:1", fact.route, "On")
        out = rig.part(fact.route, "On Friday at noon.", draft=draft)
        assert [(await rig.channel.send(out)).provider_id for _ in range(3)] == [draft] * 3
        (message,) = rig.ours()
        assert message["text"] == "On Friday at noon."
        assert message["metadata"]["event_payload"] == {"id": "p1"}
        assert await rig.channel.find(out) is not None


async def test_a_hidden_finish_is_simply_repeated() -> None:
    async with rigged(Slack(hang_s=3.0), timeout_s=1.2) as rig:
        fact = rig.inbound()
        draft = await rig.channel.open_draft("d:1", fact.route, "On")
        out = rig.part(fact.route, draft=draft)
        for method, fault in (("chat.stopStream", Fault.RESET_AFTER), ("chat.update", Fault.HANG_AFTER)):
            rig.slack.faults.script(method, fault)
            with pytest.raises(Unknown):
                await rig.channel.send(out)
        assert (await rig.channel.send(out)).provider_id == draft
        assert len(rig.ours()) == 1


async def test_a_deleted_draft_does_not_lose_the_answer() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        draft = await rig.channel.open_draft("d:1", fact.route, "On")
        del rig.slack.place("C1").messages[draft.partition(":")[2]]
        out = rig.part(fact.route, draft=draft)
        sent = await rig.channel.send(out)
        assert sent.provider_id != draft
        assert await rig.channel.send(out) == sent  # and it is not posted twice
        assert [message["text"] for message in rig.ours()] == ["On Friday."]


async def test_a_draft_that_may_not_be_changed_any_more_stays_and_the_answer_comes_below() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        draft = await rig.channel.open_draft("d:1", fact.route, "On")
        rig.slack.frozen = True
        out = rig.part(fact.route, draft=draft)
        sent = await rig.channel.send(out)
        assert await rig.channel.send(out) == sent
        assert [message["text"] for message in rig.ours()] == ["On", "On Friday."]


async def test_a_finish_that_is_refused_for_good_is_told() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        draft = await rig.channel.open_draft("d:1", fact.route, "On")
        rig.slack.place("C1").member = False
        with pytest.raises(Refused) as caught:
            await rig.channel.send(rig.part(fact.route, draft=draft))
        assert caught.value.code == "not_in_channel"


async def test_answers_without_a_ts() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        rig.slack.nameless = True
        with pytest.raises(Unknown):
            await rig.channel.send(rig.part(fact.route))
        with pytest.raises(Refused):
            await rig.channel.open_draft("d:1", fact.route, "On")


async def test_without_streams_the_answer_is_posted_whole() -> None:
    async with rigged(stream=False) as rig:
        fact = rig.inbound()
        assert (rig.channel.limits.draft, rig.channel.limits.edit_interval_s) == ("none", None)
        with pytest.raises(Refused):
            await rig.channel.open_draft("d:1", fact.route, "On")
    async with rigged() as rig:
        assert (rig.channel.limits.draft, rig.channel.limits.look_up) == ("message", True)
        fact = rig.inbound()
        rig.slack.absent = {"chat.startStream", "assistant.threads.setStatus", "auth.test", "chat.stopStream"}
        for call in (rig.channel.open_draft("d:1", fact.route, "On"), rig.channel.typing(fact.route)):
            with pytest.raises(Refused):
                await call
        await rig.channel.send(rig.part(fact.route))
        assert not (await rig.channel.check()).ok


async def test_typing_shows_in_threads() -> None:
    async with rigged() as rig:
        fact = rig.inbound()
        await rig.channel.typing(fact.route)
        assert rig.slack.statuses == [("C1", fact.route["thread_ts"], "is writing…")]
        await rig.channel.typing(rig.inbound("D1", "hello").route)  # nothing to show there
        assert len(rig.slack.statuses) == 1
        await rig.channel.confirm(fact)
        assert rig.channel.template() is None


async def test_check_names_the_repair() -> None:
    slack = Slack()
    async with rigged(slack, team_id="T2") as rig:
        health = await rig.channel.check()
        assert not health.ok
        assert "T1" in health.detail
    async with rigged() as rig:
        assert (await rig.channel.check()).ok
        rig.slack.workspaces[0].revoked = True
        health = await rig.channel.check()
        assert not health.ok
        assert "token_revoked" in health.detail
        with pytest.raises(Unauthorized):
            await rig.channel.send(rig.part({"channel": "C1"}))


async def test_running_asks_nothing_of_a_platform_that_is_away() -> None:
    slack = Slack()
    slack.away = True
    async with rigged(slack, app_token="xapp-1"):
        assert not slack.calls


async def test_two_workspaces_with_one_channel_id_keep_apart() -> None:
    slack = Slack(Workspace("T1", "xoxb-1"), Workspace("T2", "xoxb-2", bot_user="UTWO", bot_id="BTWO"))
    async with slack.running():
        accounts = {
            "default": settings(slack, team_id="T1"),
            "second": settings(slack, slack.workspaces[1], team_id="T2"),
        }
        one, two = (make(name, accounts, services()) for name in accounts)
        async with one.running(), two.running():
            facts: list[Inbound] = []
            for team, user in (("T1", "UDESK"), ("T2", "UTWO")):  # both teams' events come to one address
                (event, _) = slack.say("C1", f"<@{user}> hello", team=team)
                (fact,) = (await one.receive(delivery(event))).facts
                assert isinstance(fact, Inbound)
                facts.append(fact)
            assert [fact.account for fact in facts] == ["default", "second"]
            assert facts[0].address != facts[1].address
            for channel, fact in ((one, facts[0]), (two, facts[1])):
                (payload,) = channel.render(Outbound(f"for {fact.account}"))
                await channel.send(Outgoing("p1", fact.route, payload))
        assert slack.place("C1", "T1").said("BDESK") == ["for default"]
        assert slack.place("C1", "T2").said("BTWO") == ["for second"]


def of(accounts: dict[str, SlackAccount], payload: dict[str, Any]) -> list[str]:
    return [fact.account for fact in make("default", accounts, services()).normalize(payload, now_s=time.time())]


def test_an_app_speaks_for_its_own_workspaces_only() -> None:
    slack = Slack(Workspace("T1", "xoxb-1"), Workspace("T2", "xoxb-2"))
    (event, _) = slack.say("C1", "<@UDESK> hello", team="T2")
    own = SlackAccount.model_validate({"bot_token": "a", "signing_secret": SECRET})
    same = SlackAccount.model_validate({"bot_token": "b", "signing_secret": SECRET, "team_id": "T2"})
    other = SlackAccount.model_validate({"bot_token": "b", "signing_secret": "of another app", "team_id": "T2"})
    named = SlackAccount.model_validate({"bot_token": "a", "signing_secret": SECRET, "team_id": "T1"})
    assert of({"default": own}, event) == ["default"]
    assert of({"default": own, "two": same}, event) == ["two"]
    assert of({"default": named, "two": same}, event) == ["two"]
    assert of({"default": named, "two": other}, event) == []
    assert of({"default": named}, event) == []


async def test_a_socket_only_account_takes_no_webhooks_and_a_webhook_account_has_no_socket() -> None:
    async with rigged() as rig:
        await asyncio.wait_for(rig.channel.listen(_never), 5)
        assert rig.slack.calls["apps.connections.open"] == 0
    async with rigged(signing_secret="", app_token="xapp-1") as rig:
        (event,) = rig.slack.say("D1", "hello")
        for secret in (SECRET, "x"):
            with pytest.raises(Rejected) as caught:
                await rig.channel.receive(delivery(event, secret))
            assert caught.value.status == 401


async def _never(_facts: object) -> None:
    raise AssertionError("nothing to accept")
