"""Socket Mode: acknowledged means stored, in order, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from channels.base import Outgoing
from channels.message import Inbound, Pressed
from tests.channels.slack_rig import Kept, Rig, rigged, until
from tests.doubles.platform import Fault
from tests.doubles.slack import Slack


class StoreAwayError(Exception):
    """What the gateway raises while its database is away."""


@asynccontextmanager
async def listening(kept: Kept, slack: Slack | None = None, **more: object) -> AsyncIterator[Rig]:
    """A rig whose channel listens, after its connection stands."""
    async with rigged(slack, app_token="xapp-1", **more) as rig:
        task = asyncio.create_task(rig.channel.listen(kept.accept))
        try:
            await until(lambda: bool(rig.slack.sockets))
            yield rig
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_an_envelope_is_acknowledged_after_it_is_stored() -> None:
    kept = Kept()
    kept.open.clear()
    async with listening(kept) as rig:
        (payload, _) = rig.slack.say("C1", "<@UDESK> hello")
        envelope = rig.slack.push(payload)
        await until(lambda: kept.calls == 1)
        assert not envelope.acked.is_set()
        kept.open.set()
        await asyncio.wait_for(envelope.acked.wait(), 5)
        assert kept.texts == ["hello"]


async def test_a_late_acknowledgement_brings_it_again_and_it_is_one_message() -> None:
    kept, slack = Kept(), Slack()
    slack.ack_s = 0.05
    kept.open.clear()
    async with listening(kept, slack) as rig:
        envelope = rig.slack.push(rig.slack.say("D1", "hello")[0])
        await until(lambda: envelope.tries >= 3)
        kept.open.set()
        await asyncio.wait_for(envelope.acked.wait(), 5)
        assert kept.texts == ["hello"]


async def test_what_waits_is_stored_together_in_order() -> None:
    kept = Kept()
    kept.open.clear()
    async with listening(kept) as rig:
        envelopes = [rig.slack.push(rig.slack.say("D1", f"message {number}")[0]) for number in range(150)]
        await until(lambda: len(rig.slack.sent_envelopes) >= 150)
        kept.open.set()
        await asyncio.wait_for(asyncio.gather(*(each.acked.wait() for each in envelopes)), 5)
        assert kept.texts == [f"message {number}" for number in range(150)]
        assert kept.calls <= 10
        assert all(each.tries == 1 for each in envelopes)


async def test_buttons_come_this_way_too_and_what_is_not_understood_is_acknowledged() -> None:
    kept = Kept()
    async with listening(kept) as rig:
        route = rig.inbound().route
        sent = await rig.channel.send(Outgoing("p1", route, {"text": "Yes", "feedback": ["f1up", "f1down"]}))
        press = rig.slack.push(rig.slack.press("C1", sent.provider_id.partition(":")[2], "f1up"), "interactive")
        odd = [rig.slack.push({"type": "view_submission"}), rig.slack.push({}, "slash_commands")]
        for envelope in (press, *odd):
            await asyncio.wait_for(envelope.acked.wait(), 5)
        (fact,) = kept.facts
        assert isinstance(fact, Pressed)
        assert fact.payload == "f1up"


async def test_drops_under_load_lose_nothing() -> None:
    kept, slack = Kept(), Slack()
    slack.ack_s = 0.2
    async with listening(kept, slack) as rig:
        envelopes = []
        for number in range(120):
            envelopes.append(slack.push(slack.say("D1", f"message {number}")[0]))
            if number % 40 == 20:
                await asyncio.sleep(0)
                slack.drop()
                await until(lambda: bool(slack.sockets))
        await asyncio.wait_for(asyncio.gather(*(each.acked.wait() for each in envelopes)), 20)
        assert {fact.text for fact in kept.keys.values()} == {f"message {number}" for number in range(120)}
        assert slack.calls["apps.connections.open"] == 4
        assert rig.slack.sockets


async def test_the_hourly_renewal_loses_nothing() -> None:
    kept, slack = Kept(), Slack()
    slack.ack_s = 0.2
    async with listening(kept, slack):
        first = slack.push(slack.say("D1", "before")[0])
        await slack.renew()
        second = slack.push(slack.say("D1", "after")[0])
        for envelope in (first, second):
            await asyncio.wait_for(envelope.acked.wait(), 5)
        assert set(kept.texts) == {"before", "after"}
        assert slack.calls["apps.connections.open"] == 2
        assert slack.calls["users.conversations"] == 0  # an orderly renewal leaves no gap to read


async def test_after_a_longer_outage_the_history_is_read() -> None:
    kept, slack = Kept(), Slack()
    async with listening(kept, slack):
        slack.faults.script("apps.connections.open", Fault.RESET_BEFORE)
        slack.drop()
        slack.say("D1", "never pushed")  # as if Slack had given up on it
        await until(lambda: "never pushed" in kept.texts)
        assert slack.calls["apps.connections.open"] == 3


async def test_a_catch_up_that_fails_is_repeated_with_the_next_connection() -> None:
    kept, slack = Kept(), Slack()
    async with listening(kept, slack):
        slack.faults.script("users.conversations", Fault.ERROR_BEFORE)
        slack.say("D1", "never pushed")
        slack.drop()
        await until(lambda: slack.calls["users.conversations"] == 1)
        await until(lambda: bool(slack.sockets))
        slack.drop()
        await until(lambda: kept.texts == ["never pushed"])
        assert slack.calls["users.conversations"] == 2, "the second connection read what the first could not"


async def test_a_gap_outlives_the_process() -> None:
    kept, slack = Kept(), Slack()
    async with listening(kept, slack) as rig:
        slack.faults.script("apps.connections.open", *[Fault.ERROR_BEFORE] * 9)
        slack.drop()
        await until(lambda: bool(rig.kept.get("socket_gap")))
        texts = dict(rig.kept)
    again = Slack()  # another process, the same workspace
    again.say("D1", "never pushed")
    async with listening(kept, again, texts=texts) as rig:
        await until(lambda: kept.texts == ["never pushed"])
        await until(lambda: rig.kept["socket_gap"] == "")
    assert kept.texts == ["never pushed"], "read back once"


async def test_a_fault_of_the_store_ends_the_call_unacknowledged() -> None:
    kept = Kept()
    kept.broken = StoreAwayError()
    async with rigged(app_token="xapp-1") as rig:
        rig.slack.ack_s = 0.05
        task = asyncio.create_task(rig.channel.listen(kept.accept))
        await until(lambda: bool(rig.slack.sockets))
        envelope = rig.slack.push(rig.slack.say("D1", "hello")[0])
        with pytest.raises(StoreAwayError):
            await asyncio.wait_for(task, 5)
        assert not envelope.acked.is_set()
        kept.broken = None
        again = asyncio.create_task(rig.channel.listen(kept.accept))
        await asyncio.wait_for(envelope.acked.wait(), 5)
        assert kept.texts == ["hello"]
        again.cancel()
        with suppress(asyncio.CancelledError):
            await again


async def test_a_platform_that_is_away_is_tried_again() -> None:
    kept, slack = Kept(), Slack()
    slack.retry_after_s = 0
    slack.faults.script("apps.connections.open", Fault.ERROR_BEFORE, Fault.LIMITED, Fault.RESET_BEFORE)
    async with listening(kept, slack):
        assert slack.calls["apps.connections.open"] == 4


@pytest.mark.parametrize("link", ["ws://127.0.0.1:1/link", "http://127.0.0.1:1/", "nonsense"])
async def test_an_address_nobody_answers_at_is_asked_for_again(link: str) -> None:
    kept, slack = Kept(), Slack()
    slack.link = link
    async with rigged(slack, app_token="xapp-1") as rig:
        task = asyncio.create_task(rig.channel.listen(kept.accept))
        await until(lambda: slack.calls["apps.connections.open"] == 1)
        slack.link = ""
        await until(lambda: bool(slack.sockets))
        assert slack.calls["apps.connections.open"] >= 2
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_stored_after_its_connection_went_is_stored_once() -> None:
    kept, slack = Kept(), Slack()
    slack.ack_s = 0.05
    kept.open.clear()
    async with listening(kept, slack):
        envelope = slack.push(slack.say("D1", "hello")[0])
        await until(lambda: kept.calls == 1)
        for socket in slack.sockets:
            await socket.close()
        kept.open.set()
        await asyncio.wait_for(envelope.acked.wait(), 5)
        assert kept.texts == ["hello"]


async def test_a_wrong_app_token_is_not_hammered() -> None:
    kept = Kept()
    async with rigged(app_token="xapp-wrong") as rig:
        task = asyncio.create_task(rig.channel.listen(kept.accept))
        await until(lambda: rig.slack.calls["apps.connections.open"] == 1)
        await asyncio.sleep(0.2)  # three times what a fault that passes would be given
        assert rig.slack.calls["apps.connections.open"] == 1
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_frames_that_are_no_envelopes_are_passed_over() -> None:
    kept = Kept()
    async with listening(kept) as rig:
        for text in ("nonsense", "[1]", '{"type": "hello"}', '{"envelope_id": "x", "payload": 5}'):
            await rig.slack.sockets[0].send_str(text)
        envelope = rig.slack.push(rig.slack.say("D1", "hello")[0])
        await asyncio.wait_for(envelope.acked.wait(), 5)
        assert [fact.text for fact in kept.facts if isinstance(fact, Inbound)] == ["hello"]
