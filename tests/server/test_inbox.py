"""Facts of every kind on each store: in order, once, whoever tells them how often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from channels.message import (
    Attachment,
    Blocked,
    Consent,
    Echoed,
    Edited,
    Inbound,
    Moved,
    Pressed,
    Reacted,
    Revoked,
    Status,
    Stopped,
)
from server.buttons import Buttons
from server.conversation import Outcome
from server.engine.record import Ending
from server.gateway import LATE_S
from server.inbox import TOGETHER, Inbox
from server.store.contract import Row, StoreUnavailable
from server.store.statements import load, parse
from tests.places import Place
from tests.server.engine.bench import Bench, ShakyStore, bench

PLACE = ("telegram", "default")
QUERIES = """
-- name: media
-- Files of a message.
select * from media where message_id = :id order by number;
-- name: customer
-- How somebody is called.
select k.name, i.profile, i.address from conversation c join customer k on k.id = c.customer_id
join identity i on i.id = c.identity_id where c.id = :id;
-- name: sent_as
-- Pretend that a message was sent under an id of the platform.
insert into part (id, tenant, outbox_id, number, channel, account, payload, state, provider_id, updated_at)
select 'part-' || :provider_id, o.tenant, o.id, 99, o.channel, o.account, '{}', 'sent', :provider_id, 0
from outbox o where o.message_id = :message_id;
-- name: outbox
-- Everything to be sent to a customer.
select * from outbox where conversation_id = :id order by created_at, id;
-- name: accounts
-- Announcements about accounts.
select body from event where kind = 'account' order by number;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("inbox_bench", QUERIES, dialect))


@dataclass
class Told:
    """A bench with an inbox in front of it."""

    one: Bench
    inbox: Inbox
    buttons: Buttons

    async def tell(self, *facts: Any) -> None:
        await self.inbox.accept(facts)

    async def conversation(self, address: str = "ana") -> Row:
        row = await self.one.store.row(
            "conversations.identity_by_address", tenant="default", channel="telegram", account="default",
            address=address,
        )  # fmt: skip
        assert row is not None
        return await self.one.conversation(row["conversation_id"])

    async def conversation_id(self, address: str = "ana") -> str:
        return str((await self.conversation(address))["id"])

    async def answered(self, address: str = "ana") -> tuple[str, str]:
        """Conversation and message id of an answer to what was said."""
        lease = await self.one.take_one()
        begun = await self.one.begin(lease)
        message_id = await self.one.end(lease, Ending(Outcome.ANSWERED, lease.tail, text="yes", attempt=begun.attempt))
        assert message_id is not None
        return await self.conversation_id(address), message_id

    async def rows(self, query: str, **values: Any) -> list[Row]:
        return list(await self.one.store.rows(f"inbox_bench.{query}", **values))


@pytest.fixture
def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


def told_on(one: Bench) -> Told:
    buttons = Buttons("default", lambda: b"k" * 32)
    return Told(one, Inbox(one.store, one.gateway, one.handoff, buttons, "default"), buttons)


@pytest.fixture
async def told(place: Place, tmp_path: Path) -> AsyncIterator[Told]:
    async with bench(place, tmp_path) as one:
        yield told_on(one)


def said(number: int = 1, address: str = "ana", text: str = "", **more: Any) -> Inbound:
    fields = {"sent_at": 1_700_000_000.0, "name": "Ana", "route": {"chat": address}} | more
    return Inbound(*PLACE, address, f"{address}:{number}", text or f"message {number}", **fields)


async def test_many_deliveries_at_once_are_one_message_each_in_order(place: Place, tmp_path: Path):
    facts = [said(number) for number in range(1, 8)] + [said(number, "bob") for number in range(1, 4)]
    async with bench(place, tmp_path) as one, bench(place, tmp_path) as two:
        sides = [told_on(one), told_on(two)]
        await asyncio.gather(*(sides[turn % 2].tell(*facts) for turn in range(10)))
        ana, bob = await sides[0].conversation_id(), await sides[0].conversation_id("bob")
        assert await one.said("customer", ana) == [f"message {number}" for number in range(1, 8)]
        assert await one.said("customer", bob) == [f"message {number}" for number in range(1, 4)]
        assert len(await one.rows("items", kind="in", key=ana)) == 7


async def test_deliveries_of_one_conversation_keep_the_order_they_came_in(told: Told):
    await asyncio.gather(*(told.tell(said(number)) for number in range(1, 31)))
    assert await told.one.said("customer", await told.conversation_id()) == [f"message {n}" for n in range(1, 31)]


async def test_a_long_chain_takes_several_commits(told: Told):
    await told.tell(*(said(number) for number in range(1, TOGETHER + 12)))
    assert len(await told.one.said("customer", await told.conversation_id())) == TOGETHER + 11


async def test_without_a_store_everything_is_told_again(place: Place, tmp_path: Path):
    async with bench(place, tmp_path) as one:
        shaky = ShakyStore(one.store)
        one.gateway._store = shaky  # type: ignore[assignment]
        told = told_on(one)
        shaky.away = True
        with pytest.raises(StoreUnavailable):
            await told.tell(said(), said(1, "bob"))
        shaky.away = False
        await told.tell(said(), said(1, "bob"))
        assert await one.said("customer", await told.conversation_id()) == ["message 1"]
        assert not told.inbox._places, "nothing is remembered of finished deliveries"


async def test_what_a_platform_says_of_a_customer_is_kept_up_to_date(told: Told):
    await told.tell(said(profile={"locale": "de"}))
    await told.tell(said(2, name="Ana Maria", profile={"locale": "de", "username": "ana"}, route={"chat": "7"}))
    row = await told.conversation()
    (customer,) = await told.rows("customer", id=row["id"])
    assert (customer["name"], json.loads(customer["profile"])) == ("Ana Maria", {"locale": "de", "username": "ana"})
    assert json.loads(row["route"]) == {"chat": "7"}
    await told.tell(said(3, name="", route={}))
    row = await told.conversation()
    assert json.loads(row["route"]) == {"chat": "7"}, "an empty route changes nothing"
    assert (await told.rows("customer", id=row["id"]))[0]["name"] == "Ana Maria"


async def test_files_are_noted_in_the_same_commit_and_platform_addresses_stay_inside(told: Told):
    files = (
        Attachment("image", "https://api.example/file?token=secret", mime="image/png", size_bytes=5),
        Attachment("location", "", text="52.5, 13.4"),
    )
    await told.tell(said(attachments=files), said(attachments=files))
    conversation = await told.conversation_id()
    (message,) = await told.one.rows("messages", id=conversation)
    shown = json.loads(message["body"])["attachments"]
    assert [(file["kind"], file.get("text")) for file in shown] == [("image", None), ("location", "52.5, 13.4")]
    assert "secret" not in message["body"]
    media = await told.rows("media", id=message["id"])
    assert [(row["id"], row["number"], row["state"]) for row in media] == [
        (shown[0]["id"], 0, "waiting"),
        (shown[1]["id"], 1, "waiting"),
    ]
    assert json.loads(media[0]["source"])["url"].endswith("secret")


async def test_a_late_message_keeps_its_own_time(told: Told, place: Place):
    sent_at = place.clock.wall - LATE_S - 100
    await told.tell(said(sent_at=sent_at))
    row = await told.conversation()
    assert row["said_at"] == row["created_at"] == sent_at, "the platform's window counts from then"
    (message,) = await told.one.rows("messages", id=row["id"])
    assert json.loads(message["body"])["sent_at"] == sent_at
    await told.tell(said(2, sent_at=place.clock.wall))
    assert (await told.conversation())["said_at"] == place.clock.wall


async def test_a_follow_up_without_a_conversation_leaves_no_trace(told: Told):
    early = said(1, sent_at=1_699_999_000.0, follow_up=True)
    await told.tell(early)
    assert (await told.one.row("customers"))["conversations"] == 0
    await told.tell(said(2, sent_at=1_699_999_100.0))
    await told.tell(early, said(3, sent_at=1_699_999_200.0, follow_up=True))
    conversation = await told.conversation_id()
    assert await told.one.said("customer", conversation) == ["message 2", "message 3"], "what was before us is not ours"


async def test_stop_is_stored_and_silences_until_start(told: Told):
    stop, start = said(2, text="STOP"), said(4, text="START")
    await told.tell(said())
    for _ in range(2):
        await told.tell(Consent(*PLACE, "ana", allowed=False, inbound=stop))
    await told.tell(said(3, text="anybody?"))
    row = await told.conversation()
    assert row["opted_out_at"] is not None
    assert await told.one.said("customer", row["id"]) == ["message 1", "STOP", "anybody?"]
    assert len(await told.one.rows("items", kind="in", key=row["id"])) == 1, "nothing after STOP is answered"
    await told.tell(Consent(*PLACE, "ana", allowed=True, inbound=start))
    await told.tell(Consent(*PLACE, "ana", allowed=False, inbound=stop))
    assert (await told.conversation())["opted_out_at"] is None, "an old STOP told again changes nothing"
    await told.tell(said(5))
    assert len(await told.one.rows("items", kind="in", key=row["id"])) == 2


async def test_consent_without_words(told: Told):
    await told.tell(Consent(*PLACE, "nobody", allowed=False))
    await told.tell(said(), Consent(*PLACE, "ana", allowed=False))
    assert (await told.conversation())["opted_out_at"] is not None
    await told.tell(Consent(*PLACE, "ana", allowed=True))
    assert (await told.conversation())["opted_out_at"] is None


async def test_an_edit_before_the_answer_changes_the_question(told: Told):
    orders: list[str] = []
    told.one.store.listen("control", lambda _topic, payload: orders.append(payload))
    edit = Edited(*PLACE, "ana", "ana:1", "where is it?", 1_700_000_010.0)
    await told.tell(said(), edit, edit)
    row = await told.conversation()
    assert row["edits"] == 1
    assert await told.one.said("customer", row["id"]) == ["where is it?"]
    (event,) = await told.one.events("message_edited", row["id"])
    assert (event["text"], event["answered"]) == ("where is it?", False)
    assert [json.loads(order)["do"] for order in orders if order] == ["more"]
    await told.tell(replace(edit, text="older words", edited_at=1_700_000_005.0))
    assert await told.one.said("customer", row["id"]) == ["where is it?"]


async def test_an_edit_after_the_answer_is_kept_beside_what_was_answered(told: Told):
    await told.tell(said())
    conversation, _ = await told.answered()
    await told.tell(Edited(*PLACE, "ana", "ana:1", "thank you", 1_700_000_010.0))
    row = await told.conversation()
    assert row["edits"] == 0
    message = (await told.one.rows("messages", id=conversation))[0]
    assert (message["text"], json.loads(message["body"])["answered_text"]) == ("thank you", "message 1")
    assert not await told.one.take()


async def test_an_edit_of_what_nobody_knows_is_passed_over(told: Told):
    await told.tell(Edited(*PLACE, "ana", "ana:9", "x", 1.0))
    await told.tell(said(), Edited(*PLACE, "ana", "ana:9", "x", 1.0))
    assert await told.one.said("customer", await told.conversation_id()) == ["message 1"]


def pressed(payload: str, number: int = 1, label: str = "") -> Pressed:
    return Pressed(*PLACE, "ana", "ana", payload, f"cb{number}", 1_700_000_000.0, label, {"chat": "ana"})


async def test_thumbs_rate_the_answer_once_per_press(told: Told):
    await told.tell(said())
    _, message = await told.answered()
    up, down = told.buttons.thumbs(*PLACE, message)
    await asyncio.gather(*(told.tell(pressed(up)) for _ in range(5)))
    await told.tell(pressed(down, 2))
    await told.tell(pressed(up))
    (rating,) = await told.one.rows("ratings", id=message)
    assert (rating["value"], rating["giver_kind"], rating["giver_id"]) == ("down", "customer", "ana")
    assert len(await told.one.events("feedback", await told.conversation_id())) == 2


async def test_a_press_that_comes_again_as_a_message_or_an_edit_is_old_news(told: Told):
    await told.tell(said())
    conversation, message = await told.answered()
    await told.tell(pressed(told.buttons.thumbs(*PLACE, message)[0]))
    listed = Inbound(*PLACE, "ana", "cb1", "👍", 1_700_000_000.0)
    await told.tell(listed, Edited(*PLACE, "ana", "cb1", "other words", 1_700_000_001.0))
    assert await told.one.said("customer", conversation) == ["message 1"]
    assert "other words" not in await told.one.said("assistant", conversation)


async def test_a_wish_for_a_person_counts_once(told: Told):
    await told.tell(said())
    conversation, _ = await told.answered()
    payload = told.buttons.payload(*PLACE, "person", conversation)
    await told.tell(pressed(payload), pressed(payload))
    assert ((await told.conversation())["status"], (await told.conversation())["reason"]) == (
        "waiting",
        "customer_asked",
    )
    await told.one.handoff.give_back(conversation, "eve")
    await told.tell(pressed(payload))
    assert (await told.conversation())["status"] == "bot", "an old press told again asks nobody"


async def test_a_foreign_button_is_what_the_customer_says(told: Told):
    foreign = pressed("opaque-of-the-shop", label="Track my parcel")
    await told.tell(foreign, foreign)
    assert await told.one.said("customer", await told.conversation_id()) == ["Track my parcel"]


async def test_an_offered_reply_says_all_its_words_although_the_label_was_cut(told: Told):
    await told.tell(pressed("say:Tuesday, 3 November at 10:00", label="Tuesday, 3 November"))
    await told.tell(pressed("say:", 2, label="A very long reply"))
    said_here = await told.one.said("customer", await told.conversation_id())
    assert said_here == ["Tuesday, 3 November at 10:00", "A very long reply"]


@pytest.mark.parametrize("kind", ["up", "person"])
async def test_a_button_of_something_that_is_gone_does_nothing(told: Told, kind: Any):
    await told.tell(said(), pressed(told.buttons.payload(*PLACE, kind, "nowhere")))
    assert await told.one.said("customer", await told.conversation_id()) == ["message 1"]


async def test_reactions_are_ratings_that_can_be_taken_back(told: Told):
    await told.tell(said())
    _, message = await told.answered()
    await told.one.write(lambda tx: tx.run("inbox_bench.sent_as", message_id=message, provider_id="p1"))
    await told.tell(Reacted(*PLACE, "ana", "U1", "p1", "up"))
    assert (await told.one.rows("ratings", id=message))[0]["value"] == "up"
    await told.tell(Reacted(*PLACE, "ana", "U1", "p1", None), Reacted(*PLACE, "ana", "U1", "unknown", "up"))
    (rating,) = await told.one.rows("ratings", id=message)
    assert rating["value"] is None


async def test_a_reaction_with_an_id_counts_once_and_is_no_message_later(told: Told):
    await told.tell(said())
    _, message = await told.answered()
    await told.one.write(lambda tx: tx.run("inbox_bench.sent_as", message_id=message, provider_id="p1"))
    up, down = (Reacted(*PLACE, "ana", "ana", "p1", value, f"r-{value}") for value in ("up", "down"))
    nothing = Reacted(*PLACE, "ana", "ana", "unknown", "up", "r-nothing")
    await told.tell(up, down, up, nothing)
    await told.tell(*(Inbound(*PLACE, "ana", key, "👍", 1.0) for key in ("r-up", "r-down", "r-nothing")))
    assert (await told.one.rows("ratings", id=message))[0]["value"] == "down"
    assert await told.one.said("customer", await told.conversation_id()) == ["message 1"]


async def test_a_status_reaches_the_outbox_and_an_unknown_one_is_passed_over(told: Told):
    await told.tell(said())
    _, message = await told.answered()
    await told.one.write(lambda tx: tx.run("inbox_bench.sent_as", message_id=message, provider_id="p1"))
    for state in ("read", "delivered"):
        await told.tell(Status(*PLACE, state, 1.0, provider_id="p1"))  # type: ignore[arg-type]
    await told.tell(Status(*PLACE, "failed", 1.0, provider_id="nobody's"))


async def test_a_block_closes_the_conversation_until_the_customer_writes(told: Told):
    await told.tell(Blocked(*PLACE, "nobody", blocked=True))
    await told.tell(said())
    for _ in range(2):
        await told.tell(Blocked(*PLACE, "ana", blocked=True))
    row = await told.conversation()
    assert (row["status"], row["case_id"]) == ("closed", None)
    assert row["blocked_at"] is not None
    await told.tell(Blocked(*PLACE, "ana", blocked=False))
    assert (await told.conversation())["blocked_at"] is None
    await told.tell(Blocked(*PLACE, "ana", blocked=True), said(2))
    row = await told.conversation()
    assert (row["status"], row["blocked_at"]) == ("bot", None), "whoever writes does not block"


async def test_a_chat_moves_with_its_history(told: Told):
    await told.tell(said())
    before = await told.conversation_id()
    move = Moved(*PLACE, "ana", "ana-2", {"chat": "ana-2"})
    await told.tell(move, move)
    row = await told.conversation("ana-2")
    assert (row["id"], json.loads(row["route"])) == (before, {"chat": "ana-2"})
    await told.tell(said(2, "ana-2"))
    assert await told.one.said("customer", before) == ["message 1", "message 2"]
    await told.tell(said(3, "ana"))
    assert await told.conversation_id("ana") != before, "the old id is somebody new"


async def test_two_conversations_stay_two_and_it_is_said_why(told: Told):
    await told.tell(said(), said(1, "ana-2"))
    first, second = await told.conversation_id(), await told.conversation_id("ana-2")
    await told.tell(Moved(*PLACE, "ana", "ana-2", {"chat": "ana-2"}))
    assert (await told.conversation_id(), await told.conversation_id("ana-2")) == (first, second)
    (event,) = await told.rows("accounts")
    assert json.loads(event["body"])["conversations"] == [first, second]


async def test_an_answer_from_the_phone_is_a_claim_and_part_of_the_history(told: Told):
    await told.tell(said())
    echo = Echoed(*PLACE, "ana", "wamid.9", "On my way", 1_700_000_020.0)
    await asyncio.gather(*(told.tell(echo) for _ in range(5)))
    row = await told.conversation()
    assert (row["status"], row["owner"], row["owner_epoch"]) == ("claimed", "device", 1)
    assert await told.one.said("staff", row["id"]) == ["On my way"]
    assert await told.rows("outbox", id=row["id"]) == [], "the customer has it already"


async def test_an_echo_of_our_own_answer_is_none(told: Told):
    await told.tell(said())
    _, message = await told.answered()
    await told.one.write(lambda tx: tx.run("inbox_bench.sent_as", message_id=message, provider_id="p1"))
    await told.tell(Echoed(*PLACE, "ana", "p1", "yes", 1_700_000_020.0))
    row = await told.conversation()
    assert row["status"] == "bot"
    assert await told.one.said("staff", row["id"]) == []


async def test_staff_may_write_first_from_the_phone(told: Told):
    await told.tell(Echoed(*PLACE, "new", "wamid.1", "Your parcel is here", 1_700_000_000.0))
    row = await told.conversation("new")
    assert await told.one.said("staff", row["id"]) == ["Your parcel is here"]


async def test_stop_of_the_platform_stops_the_answer(told: Told):
    await told.tell(Stopped(*PLACE, "ana"))
    await told.tell(said(), Stopped(*PLACE, "ana"))
    assert (await told.conversation())["stop_seq"] == 1


async def test_a_revoked_account_is_announced_once(told: Told):
    for _ in range(2):
        await told.tell(Revoked(*PLACE, "the app was removed"))
    (event,) = await told.rows("accounts")
    assert json.loads(event["body"])["reason"] == "the app was removed"
