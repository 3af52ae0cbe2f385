"""Staff at work in Slack: the whole service, a customer on the web, and colleagues in the staff channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.conversation import Reason
from server.handoff import Handoff
from server.store.contract import Row, Tx
from server.store.statements import load, parse
from tests.doubles.platform import Fault
from tests.doubles.slack import Slack
from tests.places import until
from tests.scenario import Visitor
from tests.scenarios.chats import SlackChats, in_slack

ROOM = "C0STAFF"
ANA, BEN, VERA, GUEST = "UANA", "UBEN", "UVERA", "UGUEST"

QUERIES = """
-- name: notes
-- Notes in order.
select * from note order by created_at, id;
-- name: acts
-- What was done in Slack.
select * from staff_act order by created_at, external_id;
-- name: corrections
-- Corrections in order.
select * from correction order by created_at;
-- name: audit
-- Who did what.
select actor_id, action, target from audit order by at, id;
-- name: examples
-- Candidates.
select * from example order by created_at;
-- name: conversations
-- Everybody who wrote.
select * from conversation order by created_at;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("staffroom", QUERIES, dialect))


@dataclass
class Room:
    """The staff channel with the desk behind it."""

    desk: SlackChats
    visitor: Visitor

    @property
    def slack(self) -> Slack:
        return self.desk.slack

    @property
    def root(self) -> dict[str, Any]:
        (found,) = [one for one in self.desk.ours(ROOM) if one.get("thread_ts") in {None, one["ts"]}]
        return found

    def thread(self) -> list[str]:
        """What we wrote into the thread, in order."""
        return [str(one["text"]) for one in self.desk.ours(ROOM) if one["ts"] != self.root["ts"]]

    async def waits(self) -> None:
        """The customer asks for a person; the root message is there."""
        await Handoff(self.desk.service.store).ask(self.visitor.conversation, Reason.CUSTOMER_ASKED)
        await self.root_says("Waiting for a person")

    async def root_says(self, words: str) -> None:
        await until(lambda: bool(self.desk.ours(ROOM)) and words in str(self.root["text"]), 10.0)

    async def shows(self, words: str) -> str:
        """Wait until the thread has a post with these words."""
        await until(lambda: any(words in text for text in self.thread()), 10.0)
        return next(text for text in self.thread() if words in text)

    async def press(self, value: str, user: str = ANA, ts: str = "") -> None:
        payload = self.slack.press(ROOM, ts or self.root["ts"], value, user=user)
        assert (await self.desk.tells(payload, "actions")).accepted

    async def says(self, text: str, user: str = ANA) -> str:
        return await self.desk.says(ROOM, text, user=user, thread_ts=self.root["ts"])

    async def claimed(self, user: str = ANA, name: str = "Ana") -> None:
        await self.press("claim", user)
        await self.root_says(f"Claimed by {name}")

    async def whispered(self, words: str) -> tuple[str, str, str, str]:
        await until(lambda: any(words in one[3] for one in self.slack.whispers), 10.0)
        return next(one for one in self.slack.whispers if words in one[3])

    async def rows(self, name: str) -> list[Row]:
        return list(await self.desk.service.store.rows(f"staffroom.{name}"))

    async def done(self, count: int) -> list[Row]:
        """Wait until so many acts were done or refused."""
        async with asyncio.timeout(10.0):
            while [one["state"] for one in await self.rows("acts")].count("queued") or len(
                await self.rows("acts")
            ) < count:
                await asyncio.sleep(0.02)
        return await self.rows("acts")


async def _people(tx: Tx) -> None:
    for name, role in {"ana": "staff", "ben": "admin", "vera": "viewer"}.items():
        await tx.run(
            "people.add", id=f"p-{name}", tenant="default", email=f"{name}@shop.example", name=name.title(), role=role,
            password_hash="-", now=tx.now_s,
        )  # fmt: skip


@asynccontextmanager
async def staff_room(url: str, folder: Path) -> AsyncIterator[Room]:
    async with Slack().running() as slack:
        slack.place(ROOM)
        for user in (ANA, BEN, VERA):
            slack.people[user] = {"real_name": user, "profile": {"email": f"{user[1:].lower()}@shop.example"}}
        slack.people[GUEST] = {"is_restricted": True, "profile": {"email": "ana@shop.example"}}
        async with in_slack(url, folder, slack, accounts={"default": {"staff_channel": ROOM}}) as desk:
            await desk.service.store.write(_people)
            visitor = await desk.service.visitor()
            await visitor.say("Where is <!channel> my *lamp*?")
            await visitor.answered()
            yield Room(desk, visitor)


async def test_a_conversation_that_waits_is_claimed_answered_and_handed_back(store_url: str, tmp_path: Path) -> None:
    async with staff_room(store_url, tmp_path) as room:
        assert not room.desk.ours(ROOM), "nobody is needed yet"
        await room.waits()
        said = await room.shows("answer to:")
        assert "<!channel>" not in said
        assert "&lt;!channel&gt;" in said
        await room.claimed()
        await room.says("I will look into it")
        await room.says("!send It comes tomorrow.", user=BEN)
        await room.whispered("claim the conversation first")
        ts = await room.says("!send It comes today.")
        assert "Ana" in await room.shows("to the customer:")
        await room.visitor.until(lambda me: "It comes today." in me.said("staff"))
        assert room.visitor.said("staff") == ["It comes today."]
        (note,) = await room.rows("notes")
        assert (note["text"], note["author"]) == ("I will look into it", "p-ana")
        assert not any("I will look into it" in text for text in room.thread()), (
            "a note of the thread does not come back"
        )
        await room.press("return")
        await room.root_says("With the assistant")
        acts = await room.done(5)
        assert sorted(one["state"] for one in acts) == ["done", "done", "done", "done", "refused"]
        actions = {(row["actor_id"], row["action"]) for row in await room.rows("audit")}
        assert {
            ("p-ana", "conversation.claim"),
            ("p-ana", "conversation.send"),
            ("p-ana", "conversation.return"),
        } <= actions
        assert len([one for one in room.desk.ours(ROOM) if one["ts"] == room.root["ts"]]) == 1
        assert len(await room.rows("conversations")) == 1, "nobody of the staff channel is a customer"
        assert ts


async def test_who_is_nobody_at_the_desk_can_do_nothing(store_url: str, tmp_path: Path) -> None:
    async with staff_room(store_url, tmp_path) as room:
        await room.waits()
        await room.press("claim", user="USTRANGER")
        await room.press("claim", user=GUEST)
        assert (await room.whispered("nobody at the desk"))[1:3] == (room.root["ts"], GUEST) or room.slack.whispers
        await room.press("claim", user=VERA)
        assert (await room.whispered("only look"))[2] == VERA
        acts = await room.done(3)
        assert {one["state"] for one in acts} == {"refused"}
        assert "Waiting" in room.root["text"]


async def test_a_press_told_five_times_acts_once_and_a_person_of_another_company_never(
    store_url: str, tmp_path: Path
) -> None:
    async with staff_room(store_url, tmp_path) as room:
        await room.waits()
        press = room.slack.press(ROOM, room.root["ts"], "claim", user=ANA)
        await asyncio.gather(*(room.desk.tells(press, "actions") for _ in range(5)))
        await room.root_says("Claimed by Ana")
        payloads = room.slack.say(ROOM, "seen", user=ANA, thread_ts=room.root["ts"])
        await asyncio.gather(*(room.desk.tells(one) for one in payloads * 4))
        foreign = room.slack.press(ROOM, room.root["ts"], "close", user=ANA)
        foreign["user"]["team_id"] = "TOTHER"
        await room.desk.tells(foreign, "actions")
        acts = await room.done(3)
        assert [one["state"] for one in acts].count("done") == 2
        assert len(await room.rows("notes")) == 1
        await room.whispered("other companies")


async def test_posts_survive_lost_answers_and_limits_without_a_double(store_url: str, tmp_path: Path) -> None:
    async with staff_room(store_url, tmp_path) as room:
        room.slack.faults.script("chat.postMessage", Fault.RESET_AFTER, Fault.LIMITED, Fault.RESET_AFTER)
        await room.waits()
        await room.shows("answer to:")
        await room.visitor.say("Hello?")
        await room.shows("Hello?")
        texts = room.thread()
        assert len(texts) == len(set(texts))
        assert sum("Hello?" in text.split("answer to")[0] for text in texts) == 1
        assert len([one for one in room.desk.ours(ROOM) if one.get("thread_ts") in {None, one["ts"]}]) == 1


async def test_a_correction_is_sorted_and_decided_in_the_thread(store_url: str, tmp_path: Path) -> None:
    async with staff_room(store_url, tmp_path) as room:
        await room.waits()
        await room.claimed()
        await room.press("correct")
        await room.whispered("!correct")
        await room.says("!correct The lamp weighs 450 grams.")
        shown = await room.shows("should have been")
        assert "a fact" in shown
        (row,) = await room.rows("corrections")
        assert (row["suggested"], row["route"], row["corrected_by"]) == ("fact", None, "p-ana")
        assert not await room.rows("examples"), "words from Slack train nothing unless its account may"
        post = next(one for one in room.desk.ours(ROOM) if "should have been" in one["text"])
        await room.press(f"fact:{row['id']}", ts=post["ts"])
        await room.whispered("The knowledge says it now")
        (row,) = await room.rows("corrections")
        assert (row["route"], row["decided_by"]) == ("fact", "p-ana")
        assert row["document_id"]
