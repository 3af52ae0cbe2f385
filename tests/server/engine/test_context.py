from dataclasses import replace
from pathlib import Path

import pytest

from models.chat import ChatMessage
from server.conversation import NotFound, Outcome, Status
from server.engine import record
from server.engine.context import ContextReader
from server.engine.record import Ending
from tests.places import Place
from tests.server.engine.bench import Bench, bench


async def answer(one: Bench, text: str, release: str = "r1") -> None:
    lease = await one.take_one()
    begun = await one.begin(lease, release)
    await one.end(lease, Ending(Outcome.ANSWERED, lease.tail, text=text, attempt=begun.attempt))


async def test_question_history_and_release(one: Bench):
    live = await one.releases.publish_configured()
    await one.say(text="first", profile={"locale": "de-AT"})
    await answer(one, "answer one", live)
    await one.handoff.claim("c1", "ana")
    await one.handoff.say("c1", "ana", "Ana here.")
    await one.handoff.give_back("c1", "ana")
    await one.say(text="  second ")
    await one.say(text="third\n")
    context = await ContextReader(one.store, one.releases, one.settings).read(await one.take_one(), 123.0)
    assert (context.conversation_id, context.channel, context.account) == ("c1", "web", "default")
    assert context.question == "  second \nthird\n"
    assert context.history == (
        ChatMessage("user", "first"),
        ChatMessage("assistant", "answer one"),
        ChatMessage("assistant", "Ana here."),
    )
    assert (context.language, context.state.status, context.now_s) == ("de-AT", Status.BOT, 123.0)
    assert (context.release.id, context.stop_seq, context.notice_at) == (live, 0, None)


async def test_notices_are_no_part_of_the_talk_and_count_for_their_turn_only(one: Bench, place: Place):
    await one.releases.publish_configured()
    await one.say(text="first")
    lease = await one.take_one()
    await one.write(lambda tx: record.notice(tx, lease, "sorry", 0.0))
    reader = ContextReader(one.store, one.releases, one.settings)
    lease = await one.take_one()
    context = await reader.read(lease, 0.0)
    assert context.notice_at == pytest.approx(place.clock.wall)
    assert context.history == ()
    await one.end(lease, Ending(Outcome.GRACEFUL, lease.tail))
    await one.say(text="second")
    context = await reader.read(await one.take_one(), 0.0)
    assert context.notice_at is None
    assert context.history == (ChatMessage("user", "first"),)


async def test_history_is_bounded_and_newest(place: Place, tmp_path: Path):
    async with bench(place, tmp_path, engine={"history_messages": 3}) as one:
        await one.releases.publish_configured()
        for number in range(4):
            await one.say(text=f"q{number}")
            await answer(one, f"a{number}", one.releases.live)
        await one.say(text="now")
        context = await ContextReader(one.store, one.releases, one.settings).read(await one.take_one(), 0.0)
        assert [message.content for message in context.history] == ["a2", "q3", "a3"]


async def test_an_erased_conversation_is_said(one: Bench):
    await one.say()
    lease = replace(await one.take_one(), key="gone")
    with pytest.raises(NotFound, match="gone"):
        await ContextReader(one.store, one.releases, one.settings).read(lease, 0.0)


async def test_a_conversation_without_a_language_gets_english(one: Bench):
    await one.releases.publish_configured()
    await one.say(profile={})
    context = await ContextReader(one.store, one.releases, one.settings).read(await one.take_one(), 0.0)
    assert context.language == "en"


async def test_what_a_platform_needs_is_part_of_the_look(either: Place, tmp_path: Path):
    async with bench(either, tmp_path) as one:
        await one.releases.publish_configured()
        await one.say(text="look", channel="chat", route={"chat": "7", "thread": "ä"})
        await one.say(text="at this", channel="chat", route={"chat": "7", "thread": "ä"})
        await one.change("attach", id="c1", item_seq=1, body='{"attachments": [{"kind": "image"}]}')
        await one.change("attach", id="c1", item_seq=2, body='{"attachments": []}')
        await one.edit("look here")
        reader, lease = ContextReader(one.store, one.releases, one.settings), await one.take_one()
        context = await reader.read(lease, 0.0)
        assert (context.route, context.edits) == ({"chat": "7", "thread": "ä"}, 1)
        assert [(said.text, said.attached) for said in context.said] == [("look here", True), ("at this", False)]
        assert (context.opted_out, context.blocked, context.notes) == (False, False, ())
        await one.change("mark", id="c1", opted_out_at=1.0, blocked_at=2.0)
        context = await reader.read(lease, 0.0)
        assert (context.opted_out, context.blocked) == (True, True)
