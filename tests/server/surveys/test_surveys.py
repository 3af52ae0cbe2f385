"""Surveys over the real gateway and inbox, on both stores: asked once, answered by button or typed, never unwanted."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from channels.base import Limits
from channels.message import Consent, Inbound, Pressed
from config.insight import Surveys
from config.settings import Settings
from server.conversation import Claimed, Closed
from server.gateway import Gateway
from server.inbox import Inbox
from server.outbox.job import outbound, read
from server.store.contract import Row, Tx
from server.store.statements import load, parse
from server.surveys.asking import Asking
from server.surveys.words import FACES, choices, typed_score, words
from server.telemetry import Metrics
from server.timeline import lock
from tests.places import Place
from tests.server.engine.bench import bench
from tests.server.test_inbox import Told, said, told_on

ASKS = Surveys(csat=True)
QUERIES = """
-- name: surveys
-- Every survey.
select * from survey order by asked_at;
-- name: sends
-- What is to be sent to a customer.
select o.id, o.author, m.text, m.body from outbox o join message m on m.id = o.message_id
where o.conversation_id = :id order by m.seq;
-- name: told
-- What events say of surveys.
select body from event where kind = 'survey' order by number;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("surveys_bench", QUERIES, dialect))


def now(number: int, text: str) -> Inbound:
    return said(number, text=text, sent_at=time.time())


class Account:
    """A running account of a platform."""

    limits = Limits(4_096, "utf16", None, window_s=86_400.0)


@dataclass
class Shop:
    """A bench with surveys on."""

    told: Told
    asking: Asking
    silent: bool = False

    async def talk(self, *, close: bool = True) -> str:
        """A customer who was answered by the bot and then by staff; returns the conversation."""
        await self.told.tell(now(1, "Where is it?"))
        conversation_id, _ = await self.told.answered()
        if close:
            await self.close(conversation_id)
        return conversation_id

    async def close(self, conversation_id: str) -> None:
        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, conversation_id)
            await timeline.change(Claimed("ben"))
            await timeline.say("staff", "I see to it.", author="ben")
            await timeline.change(Closed("ben"))
            await timeline.close_case("ben")
            await timeline.save()

        await self.told.one.store.write(unit)

    async def rows(self, query: str, **values: Any) -> list[Row]:
        return list(await self.told.one.store.rows(f"surveys_bench.{query}", **values))

    async def one(self) -> Row:
        (row,) = await self.rows("surveys")
        return row

    async def press(self, conversation_id: str, label: str, external_id: str = "p1") -> None:
        asked = next(row for row in await self.rows("sends", id=conversation_id) if '"choices"' in row["body"])
        payload = dict(json.loads(asked["body"])["choices"])[label]
        await self.told.tell(Pressed("telegram", "default", "ana", "ana", payload, external_id, 0.0, label))

    async def said(self, conversation_id: str) -> list[str]:
        return [row["text"] for row in await self.rows("sends", id=conversation_id)]


def shop_of(told: Told, rules: Surveys) -> Shop:
    one = told.one
    settings = Settings(surveys=rules)
    gateway = Gateway(one.store, settings, Metrics())
    inbox = Inbox(one.store, gateway, one.handoff, told.buttons, "default", surveys=rules)
    one.gateway = gateway
    found = Shop(replace(told, inbox=inbox), Asking(
        one.store, "default", rules, lambda _channel, _account: Account(), lambda _channel, _account: found.silent,
        lambda *place: told.buttons.payload(place[0], place[1], "score", place[2]),
    ))  # fmt: skip
    return found


@pytest.fixture
async def shop(store_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with bench(Place(store_url.partition(":")[0], store_url), tmp_path, real_clock=True) as one:
        found = shop_of(told_on(one), ASKS)
        await one.store.write(lambda tx: tx.run("surveys.begin", tenant="default", name="surveys"))
        yield found


async def test_a_closed_case_is_asked_about_once(shop: Shop):
    conversation = await shop.talk()
    await shop.asking.step()
    await shop.asking.step()
    row = await shop.one()
    assert (row["kind"], row["person_id"], row["conversation_id"]) == ("csat", "ben", conversation)
    (asked,) = [each for each in await shop.rows("sends", id=conversation) if "satisfied" in each["text"]]
    assert asked["author"] == "staff"  # it goes out also while the bot is off
    job = await read(shop.told.one.store, asked["id"])
    assert job is not None
    message = outbound(job, lambda *_: None, lambda *_: "")
    assert [each.label for each in message.reasons] == ["1", "2", "3", "4", "5"]
    assert all(len(each.payload.encode()) <= 64 for each in message.reasons)
    assert (await shop.told.conversation())["status"] == "closed"


async def test_a_press_is_the_score_and_the_next_message_its_reason(shop: Shop):
    conversation = await shop.talk()
    await shop.asking.step()
    await shop.press(conversation, "4")
    await shop.press(conversation, "2", "p2")
    await shop.told.tell(now(2, "The blanket was lovely"))
    row = await shop.one()
    assert (row["score"], row["giver"], row["comment"]) == (2, "ana", "The blanket was lovely")
    assert (await shop.said(conversation))[-2:] == [words("en").why, words("en").thanks]
    assert (await shop.told.conversation())["status"] == "closed"
    told = [json.loads(each["body"]) for each in await shop.rows("told")]
    assert [(each["state"], each.get("score")) for each in told] == [
        ("asked", None), ("scored", 4), ("scored", 2), ("commented", None),
    ]  # fmt: skip
    assert "blanket" not in json.dumps(told)
    await shop.told.tell(now(3, "And one more thing"))
    assert (await shop.told.conversation())["status"] == "bot"


async def test_a_typed_figure_is_a_score_and_a_question_is_a_question(shop: Shop):
    conversation = await shop.talk()
    await shop.asking.step()
    await shop.told.tell(now(2, "5"))
    assert (await shop.one())["score"] == 5
    await shop.told.tell(now(3, "Do you ship to Cork?"))
    assert ((await shop.one())["comment"], (await shop.told.conversation())["status"]) == (None, "bot")
    assert (await shop.told.conversation())["id"] == conversation


async def test_a_button_of_another_account_or_figure_does_nothing(shop: Shop):
    conversation = await shop.talk()
    await shop.asking.step()
    survey = (await shop.one())["id"]
    for channel, ref in (("slack", f"5:{survey}"), ("telegram", f"9:{survey}"), ("telegram", "5:nowhere")):
        payload = shop.told.buttons.payload(channel, "default", "score", ref)
        await shop.told.tell(Pressed("telegram", "default", "ana", "ana", payload, f"x{ref}", 0.0, "-"))
    assert (await shop.one())["score"] is None
    assert conversation


async def test_who_said_stop_blocked_us_or_came_back_is_not_asked(shop: Shop):
    await shop.talk(close=False)
    conversation = (await shop.told.conversation())["id"]
    await shop.told.tell(Consent("telegram", "default", "ana", allowed=False))
    await shop.close(conversation)
    await shop.asking.step()
    assert await shop.rows("surveys") == []


@pytest.mark.parametrize(
    ("column", "value"), [("blocked_at", 1.0), ("banned_at", 1.0), ("said_at", 1.0), ("signed_out_at", 9e9)]
)
async def test_the_rules_of_writing_first(shop: Shop, column: str, value: float):
    conversation = await shop.talk()
    case = await shop.told.one.store.rows("surveys.closed", tenant="default", name="surveys", count=9)

    async def unit(tx: Tx) -> bool:
        timeline = await lock(tx, conversation)
        setattr(timeline, column, value)
        return await shop.asking.ask(tx, timeline, json.loads(case[0]["body"])["case_id"], "ben")

    assert await shop.told.one.store.write(unit) is False


async def test_the_recommendation_is_asked_once_in_a_while(shop: Shop):
    found = shop_of(shop.told, Surveys(csat=True, nps_days=30))
    await found.talk()
    await found.asking.step()
    await found.told.tell(now(2, "Is anybody there?"))
    conversation, _ = await found.told.answered()
    await found.close(conversation)
    await found.asking.step()
    assert [row["kind"] for row in await found.rows("surveys")] == ["nps", "csat"]


async def test_a_silent_talk_with_the_bot_is_asked_about(shop: Shop):
    found = shop_of(shop.told, Surveys(csat=True, idle_minutes=0.00001))
    await found.talk(close=False)
    found.silent = True
    await found.asking.step()
    assert await found.rows("surveys") == []
    found.silent = False
    await found.asking.step()
    assert (await found.one())["person_id"] is None


def test_what_counts_as_a_score() -> None:
    assert [typed_score("csat", text) for text in ("5", " 3. ", "0", "6", "five", "🙂", "٣", "12345")] == [
        5, 3, None, None, None, 5, None, None,
    ]  # fmt: skip
    assert [typed_score("nps", text) for text in ("0", "10", "11", "🙂")] == [0, 10, None, None]
    assert choices("csat", "whatsapp") == FACES
    assert choices("nps", "whatsapp") == {}
    assert len(choices("nps", "slack")) == 11
    assert words("de-AT").thanks != words("xx").thanks == words("en").thanks
