"""Turns of a platform's customer: drafts and their end, files, edits, and who gets no answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from channels.base import Limits, Refused, Unknown
from models.chat import Delta, ModelUnavailable
from server.engine.words import Notice, say
from server.outbox.delivery import Delivery
from server.outbox.sender import Sender
from tests.channel_double import After, ChannelDouble
from tests.places import Place, until
from tests.server.engine.bench import Desk, desk, inbound, slowly
from tests.server.engine.screen import LIMITS, ROUTE, Screen

NOW = {"draft_after_s": 0.0}
PHOTO = json.dumps({"attachments": [{"id": "f1", "kind": "image"}]})


@dataclass
class Trouble:
    """A file nobody can read."""

    code: str


@dataclass
class Heard:
    """What files hold."""

    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Trouble] = field(default_factory=list)


class FakeMedia:
    """Finds in each message what it was told; waits for ``gate`` first."""

    def __init__(self, text: str = "", *codes: str) -> None:
        self.text = text
        self.codes = codes
        self.asked: list[tuple[str, ...]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, _conversation_id: str, message_ids: Sequence[str]) -> Heard:
        self.asked.append(tuple(message_ids))
        await self.gate.wait()
        texts = dict.fromkeys(message_ids, self.text) if self.text else {}
        return Heard(texts, [Trouble(code) for code in self.codes])


async def say_with_photo(one: Desk, text: str = "") -> None:
    """A message with a file, as the gateway stores it, before any worker sees it."""
    await one.say(text=text, channel="chat", route=ROUTE)
    await one.change("attach", id="c1", item_seq=1, body=PHOTO)


async def ended(one: Desk, count: int = 1) -> list[tuple[str, str | None]]:
    return [(row["outcome"], row["reason"]) for row in await one.turns(count)]


async def test_an_answer_is_shown_and_finished_in_the_same_message(either: Place, tmp_path: Path):
    screen, gate = Screen(), asyncio.Event()
    async with desk(either, tmp_path, slowly(gate, "half", "an"), screen=screen, outbox=NOW) as one, one.working():
        await one.say(channel="chat", route=ROUTE)
        await until(lambda: screen.of("update") == ["half an"] or screen.of("open") == ["half an"])
        gate.set()
        assert await ended(one) == [("answered", None)]
        (row,) = await one.rows("outbox", id="c1")
        assert (row["text"], row["kind"], row["author"], row["draft_seq"]) == ("half an end", "message", "bot", 1)
        (draft,) = await one.rows("shown", id="c1")
        assert (draft["state"], draft["shown"], draft["provider_id"]) == ("final", "open", "p1")
        assert ("typing", ROUTE) in screen.calls


async def test_a_newer_message_goes_on_in_the_same_draft(place: Place, tmp_path: Path):
    screen, gate = Screen(), asyncio.Event()
    async with (
        desk(place, tmp_path, slowly(gate, "half"), "whole answer", screen=screen, outbox=NOW) as one,
        one.working(),
    ):
        await one.say(text="one", channel="chat", route=ROUTE)
        await until(lambda: screen.of("open"))
        await one.say(text="two", channel="chat", route=ROUTE)
        assert await ended(one) == [("answered", None)]
        assert len(screen.of("open")) == 1
        rows = await one.rows("shown", id="c1")
        assert [(row["state"], row["shown"]) for row in rows] == [("replaced", "carried"), ("final", "open")]
        assert [row["kind"] for row in await one.rows("outbox", id="c1")] == ["message"]


async def test_a_claim_takes_the_draft_away(place: Place, tmp_path: Path):
    screen = Screen()
    async with (
        desk(place, tmp_path, slowly(asyncio.Event(), "half"), screen=screen, outbox=NOW) as one,
        one.working(),
    ):
        await one.say(channel="chat", route=ROUTE)
        await until(lambda: screen.of("open"))
        await one.handoff.claim("c1", "ana")
        assert await ended(one) == [("handed_over", "claimed")]
        assert [row["kind"] for row in await one.rows("outbox", id="c1")] == ["withdraw"]
        assert screen.of("update") == []


async def test_a_stop_on_the_platform_keeps_what_was_shown(place: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("update", Refused("stopped_by_user"))

    async def more() -> AsyncIterator[Delta]:
        yield Delta(text="half ")
        await until(lambda: screen.of("open"))
        yield Delta(text="an ")
        await asyncio.Event().wait()

    async with desk(place, tmp_path, more, screen=screen, outbox=NOW) as one, one.working():
        await one.say(channel="chat", route=ROUTE)
        assert await ended(one) == [("answered", "stopped")]
        assert await one.said("assistant") == ["half an"]
        assert [row["draft_seq"] for row in await one.rows("outbox", id="c1")] == [1]


async def test_a_model_that_fails_takes_its_half_answer_away(place: Place, tmp_path: Path):
    screen = Screen()

    async def cut() -> AsyncIterator[Delta]:
        yield Delta(text="half ")
        await until(lambda: screen.of("open"))
        raise ModelUnavailable("gone")

    quick = {"first_token_timeout_s": 0.05}
    async with (
        desk(place, tmp_path, cut, ModelUnavailable("gone"), screen=screen, outbox=NOW, model=quick) as one,
        one.working(),
    ):
        await one.say(channel="chat", route=ROUTE)
        async with asyncio.timeout(5):
            while not await one.said("notice"):
                await asyncio.sleep(0.01)
        assert [row["kind"] for row in await one.rows("outbox", id="c1")] == ["withdraw", "message"]


@pytest.mark.parametrize(
    ("mark", "reason"),
    [({"opted_out_at": 1.0, "blocked_at": None}, "opted_out"), ({"opted_out_at": 1.0, "blocked_at": 1.0}, "blocked")],
)
async def test_whoever_wants_nothing_is_told_nothing(either: Place, tmp_path: Path, mark: Any, reason: str):
    screen = Screen()
    async with desk(either, tmp_path, screen=screen) as one:
        await one.say(channel="chat", route=ROUTE)
        await one.change("mark", id="c1", **mark)
        async with one.working():
            assert await ended(one) == [("handed_over", reason)]
        assert (one.llm.asked, screen.calls) == ([], [])
        assert [row["role"] for row in await one.rows("messages", id="c1")] == ["customer"]
        assert (await one.conversation())["status"] == "bot"


async def test_who_forbids_messages_stops_the_answer_being_written(either: Place, tmp_path: Path):  # W49
    screen, gate = Screen(), asyncio.Event()
    async with desk(either, tmp_path, slowly(gate, "Hello"), screen=screen, outbox=NOW) as one, one.working():
        await one.say(channel="chat", route=ROUTE)
        await until(lambda: screen.of("open"))
        await one.gateway.accept(inbound(text="STOP", channel="chat", route=ROUTE), allowed=False)
        assert await ended(one) == [("handed_over", "opted_out")]
        assert await one.said("assistant") == []
        assert [row["kind"] for row in await one.rows("outbox", id="c1")] == ["withdraw"]


async def test_an_edit_before_the_answer_is_answered_instead(either: Place, tmp_path: Path):
    gate = asyncio.Event()
    async with desk(either, tmp_path, slowly(gate, "old"), "new", screen=Screen()) as one, one.working():
        await one.say(text="mistake", channel="chat", route=ROUTE)
        await until(lambda: one.llm.asked)
        await one.edit("right")
        assert await ended(one) == [("answered", None)]
        assert one.llm.asked == ["mistake", "right"]
        assert await one.said("assistant") == ["new"]


async def test_an_edit_that_the_worker_was_not_told_of_is_seen_at_the_end(either: Place, tmp_path: Path):
    async with desk(either, tmp_path, "new", screen=Screen()) as one:

        async def slow() -> AsyncIterator[Delta]:
            yield Delta(text="old", finish_reason="stop")
            await one.change("change", id="c1", item_seq=1, text="right")
            await one.change("count_edit", id="c1")

        one.llm.script.appendleft(slow)
        async with one.working():
            await one.say(text="mistake", channel="chat", route=ROUTE)
            assert await ended(one) == [("answered", None)]
        assert one.llm.asked == ["mistake", "right"]
        assert await one.said("assistant") == ["new"]


async def test_a_steady_editor_is_answered_too(place: Place, tmp_path: Path):
    async with desk(place, tmp_path, "yes", screen=Screen(), engine={"max_merges": 2}) as one:

        async def disturbed() -> AsyncIterator[Delta]:
            yield Delta(text="old ")
            await one.edit(f"edit {len(one.llm.asked)}")
            yield Delta(text="text", finish_reason="stop")

        one.llm.script.extendleft([disturbed] * 3)
        async with one.working():
            await one.say(text="mistake", channel="chat", route=ROUTE)
            assert await ended(one) == [("answered", None)]
        assert one.llm.asked == ["mistake", "edit 1", "edit 2"]
        assert await one.said("assistant") == ["old text"]


async def test_what_files_hold_belongs_to_the_question(place: Place, tmp_path: Path):
    media = FakeMedia("[voice message] where is it")
    async with desk(place, tmp_path, media=media, screen=Screen()) as one:
        await say_with_photo(one, "my order")
        await one.say(text="please", channel="chat", route=ROUTE)
        async with one.working():
            assert await ended(one) == [("answered", None)]
        assert one.llm.asked == ["my order\n[voice message] where is it\nplease"]
        first = (await one.rows("messages", id="c1"))[0]
        assert media.asked == [(first["id"],)]


async def test_plain_text_is_never_read_as_a_file(place: Place, tmp_path: Path):
    media = FakeMedia()
    async with desk(place, tmp_path, media=media) as one, one.working():
        await one.say(text='mind the "attachments"')
        assert await ended(one) == [("answered", None)]
        assert media.asked == []


async def test_only_unreadable_files_get_one_polite_notice(place: Place, tmp_path: Path):
    media = FakeMedia("", "image", "image", "too_large")
    async with desk(place, tmp_path, media=media, screen=Screen()) as one:
        await say_with_photo(one)
        async with one.working():
            assert await ended(one) == [("graceful", "unreadable")]
        (event,) = (event for event in await one.events("message") if event["role"] == "notice")
        assert event["text"] == f"{say(Notice.IMAGE_UNREADABLE, 'en')}\n{say(Notice.TOO_LARGE, 'en')}"
        assert event["offer"] == "person"
        assert one.llm.asked == []
        assert (await one.conversation())["status"] == "bot"


async def test_text_besides_unreadable_files_is_answered_after_the_notice(place: Place, tmp_path: Path):
    screen = Screen()
    media = FakeMedia("", "voice")
    async with desk(place, tmp_path, "the answer", media=media, screen=screen, outbox=NOW) as one:
        await say_with_photo(one, "what about this?")
        async with one.working():
            assert await ended(one) == [("answered", None)]
        assert one.llm.asked == ["what about this?"]
        rows = await one.rows("outbox", id="c1")
        assert [(row["role"], row["text"], row["draft_seq"]) for row in rows] == [
            ("notice", say(Notice.VOICE_UNAVAILABLE, "en"), None),
            ("assistant", "the answer", 1),
        ]
        assert screen.of("open") == []  # a draft would stand before the notice


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_message_never_reaches_the_model(place: Place, tmp_path: Path, text: str):
    async with desk(place, tmp_path, screen=Screen()) as one, one.working():
        await one.say(text=text, channel="chat", route=ROUTE)
        assert await ended(one) == [("graceful", "empty")]
        assert await one.said("notice") == [say(Notice.NOTHING_READABLE, "en")]
        assert one.llm.asked == []


async def test_a_claim_ends_the_reading_of_files(place: Place, tmp_path: Path):
    media = FakeMedia()
    media.gate.clear()
    async with desk(place, tmp_path, media=media, screen=Screen()) as one:
        await say_with_photo(one, "look")
        async with one.working():
            await until(lambda: media.asked)
            await one.handoff.claim("c1", "ana")
            assert await ended(one) == [("handed_over", "claimed")]


async def test_a_message_that_comes_while_files_are_read_joins(place: Place, tmp_path: Path):
    media = FakeMedia("[photo]")
    media.gate.clear()
    async with desk(place, tmp_path, media=media, screen=Screen()) as one:
        await say_with_photo(one, "look")
        async with one.working():
            await until(lambda: media.asked)
            await one.say(text="at this", channel="chat", route=ROUTE)
            await until(lambda: len(media.asked) == 2)
            media.gate.set()
            assert await ended(one) == [("answered", None)]
        assert one.llm.asked == ["look\n[photo]\nat this"]


@asynccontextmanager
async def delivering(one: Desk, platform: ChannelDouble) -> AsyncIterator[None]:
    """A worker that writes answers beside a sender that delivers them."""
    delivery = Delivery(one.store, lambda _name, _account: platform, one.metrics, one.settings)
    async with one.working(), Sender(one.store, delivery, one.settings).running():
        yield


def platform_double() -> ChannelDouble:
    return ChannelDouble("chat", limits=Limits(**LIMITS | {"look_up": True}))


async def test_the_customer_sees_one_message_that_grows_into_the_answer(either: Place, tmp_path: Path):
    platform, gate = platform_double(), asyncio.Event()
    async with (
        desk(either, tmp_path, slowly(gate, "half", "an"), screen=platform, outbox=NOW) as one,
        delivering(one, platform),
    ):
        await one.say(channel="chat", route=ROUTE)
        await until(lambda: platform.texts == ["half an"])
        gate.set()
        await until(lambda: platform.texts == ["half an end"])
        assert platform.withdrawn == []


async def test_an_opening_that_seemed_to_fail_is_found_and_finished(place: Place, tmp_path: Path):
    platform = platform_double()
    platform.draft_script.append(After(Unknown("reset")))

    async def words() -> AsyncIterator[Delta]:
        yield Delta(text="half ")
        await until(lambda: platform.texts)
        yield Delta(text="an end", finish_reason="stop")

    async with desk(place, tmp_path, words, screen=platform, outbox=NOW) as one, delivering(one, platform):
        await one.say(channel="chat", route=ROUTE)
        await until(lambda: platform.texts == ["half an end"])


@pytest.mark.parametrize("how", ["claim", "close"])
async def test_a_draft_of_an_answer_nobody_will_get_disappears(either: Place, tmp_path: Path, how: str):
    platform = platform_double()
    async with (
        desk(either, tmp_path, slowly(asyncio.Event(), "half"), screen=platform, outbox=NOW) as one,
        delivering(one, platform),
    ):
        await one.say(channel="chat", route=ROUTE)
        await until(lambda: platform.texts == ["half"])
        await getattr(one.handoff, how)("c1", "ana")
        await until(lambda: platform.withdrawn)
        assert platform.texts == []


async def test_a_merge_and_an_edit_stay_in_one_message(place: Place, tmp_path: Path):
    platform = platform_double()
    first, second = slowly(asyncio.Event(), "first"), slowly(asyncio.Event(), "second")
    async with (
        desk(place, tmp_path, first, second, "the answer", screen=platform, outbox=NOW) as one,
        delivering(one, platform),
    ):
        await one.say(text="one", channel="chat", route=ROUTE)
        await until(lambda: platform.texts == ["first"])
        await one.say(text="two", channel="chat", route=ROUTE)
        await until(lambda: platform.texts == ["second"])
        await one.edit("uno")
        await until(lambda: platform.texts == ["the answer"])
        assert one.llm.asked == ["one", "one\ntwo", "uno\ntwo"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_worker_that_died_while_opening_leaves_one_message(either: Place, tmp_path: Path, arrived: bool):
    platform = platform_double()
    if arrived:
        platform.drafts["d:c1:1"], platform.shown["d9"] = "d9", "half"
    async with desk(either, tmp_path, "the answer", screen=platform, outbox=NOW) as one:
        release = await one.releases.publish_configured()
        await one.say(channel="chat", route=ROUTE)
        await one.begin(await one.take_one(), release)
        await one.change("die_opening", id="c1", route=json.dumps(ROUTE))
        async with delivering(one, platform):
            await until(lambda: platform.texts == ["the answer"])
            assert list(platform.shown) == (["d9"] if arrived else ["m1"])
            first, *_ = await one.rows("shown", id="c1")
            assert (first["state"], first["shown"]) == ("replaced", "carried")
