"""Messages in over two processes on each store: every one once, numbered, in one conversation, in one case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.conversation import Outcome
from server.engine.record import Ending
from server.gateway import Gateway
from server.store.contract import Conflict, StoreUnavailable
from tests.places import Place
from tests.server.engine.bench import Bench, bench, inbound, settings_for


@pytest.fixture
def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


@pytest.fixture
async def pair(place: Place, tmp_path: Path) -> AsyncIterator[tuple[Bench, Bench]]:
    """Two processes on one database."""
    async with bench(place, tmp_path) as one, bench(place, tmp_path) as two:
        yield one, two


async def counts(one: Bench) -> tuple[int, int, int]:
    row = await one.row("customers")
    return row["customers"], row["identities"], row["conversations"]


async def test_a_message_is_stored_numbered_announced_and_queued(pair: tuple[Bench, Bench]):
    one, _ = pair
    receipt = await one.say(text="hello", external="m1", echo={"client_message_id": "m1"})
    assert (receipt.conversation_id, receipt.duplicate) == ("c1", False)
    (message,) = await one.rows("messages", id="c1")
    assert (message["id"], message["seq"], message["item_seq"], message["role"]) == (
        receipt.message_id,
        receipt.seq,
        1,
        "customer",
    )
    assert [event["seq"] for event in await one.events()] == [1, 2]
    (announced,) = await one.events("message")
    assert (announced["id"], announced["client_message_id"]) == (receipt.message_id, "m1")
    (item,) = await one.rows("items", kind="in", key="c1")
    assert receipt.message_id in item["body"]
    assert 'frontdesk_messages_accepted_total{channel="web"} 1.0' in one.metrics.render()[0].decode()


async def test_duplicates_from_two_processes_at_once_are_one_message(pair: tuple[Bench, Bench]):
    receipts = await asyncio.gather(*[side.say(external="same", text="once") for side in pair for _ in range(10)])
    assert len({(receipt.message_id, receipt.conversation_id, receipt.seq) for receipt in receipts}) == 1
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    one, _ = pair
    assert await one.said("customer") == ["once"]
    assert len(await one.rows("items", kind="in", key="c1")) == 1
    duplicates = sum(side.metrics.duplicates.labels("web")._value.get() for side in pair)
    assert duplicates == 19


async def test_a_duplicate_changes_nothing_even_when_its_text_differs(pair: tuple[Bench, Bench]):
    one, two = pair
    first = await one.say(external="same", text="first")
    before = await one.conversation()
    again = await two.say(external="same", text="second")
    assert again == replace(first, duplicate=True)
    assert await one.said("customer") == ["first"]
    assert {**await one.conversation(), "updated_at": 0} == {**before, "updated_at": 0}


async def test_many_messages_at_once_get_numbers_without_holes(pair: tuple[Bench, Bench]):
    await asyncio.gather(*[side.say(text=f"{number}") for number in range(10) for side in pair])
    one, _ = pair
    messages = await one.rows("messages", id="c1")
    assert sorted(message["item_seq"] for message in messages) == list(range(1, 21))
    events = await one.rows("events", id="c1")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [m["item_seq"] for m in messages] == sorted(m["item_seq"] for m in messages), "one order everywhere"


async def test_first_contact_from_everywhere_at_once_is_one_customer(pair: tuple[Bench, Bench]):
    receipts = await asyncio.gather(
        *[side.say("ignored", address="user:7", conversation_id=None) for _ in range(5) for side in pair]
    )
    one, _ = pair
    assert len({receipt.conversation_id for receipt in receipts}) == 1
    assert await counts(one) == (1, 1, 1)


async def test_addresses_are_separate_by_account_and_channel(pair: tuple[Bench, Bench]):
    one, _ = pair
    for more in ({}, {"account": "shop"}, {"channel": "sms"}):
        await one.say("x", address="same", conversation_id=None, external="same", **more)
    assert await counts(one) == (3, 3, 3)


async def test_a_conversation_id_that_belongs_to_somebody_else_is_refused(pair: tuple[Bench, Bench]):
    one, two = pair
    await one.say("c1", address="ana")
    with pytest.raises(Conflict, match="new session"):
        await two.say("c1", address="eve")
    assert await counts(one) == (1, 1, 1), "nothing of the refused contact stays"


async def test_an_address_keeps_its_conversation_whatever_its_token_says(pair: tuple[Bench, Bench]):
    one, two = pair
    await one.say("c1", address="ana")
    receipt = await two.say("c2", address="ana", text="from an older page")
    assert receipt.conversation_id == "c1"
    assert await one.said("customer") == ["hello", "from an older page"]


class ForgetfulTx:
    """A transaction in which somebody else wrote a message id first and has not said yet whether it stays."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def row(self, query: str, /, **values: Any) -> Any:
        return None if query.startswith("conversations.seen") else await self._inner.row(query, **values)


async def test_a_message_id_in_somebody_elses_hands_is_asked_for_again(pair: tuple[Bench, Bench]):
    one, _ = pair
    with pytest.raises(Conflict, match="send it again"):
        await one.write(lambda tx: one.gateway._accept(ForgetfulTx(tx), inbound(), "m", "c1"))
    assert await counts(one) == (0, 0, 0)


async def test_a_known_identity_without_a_conversation_gets_one(pair: tuple[Bench, Bench]):
    one, _ = pair
    await one.write(lambda tx: one.gateway.open(tx, inbound("c1", address="ana")))
    await one.write(lambda tx: tx.run("bench.forget_conversation", id="c1"))
    await one.say("c2", address="ana")
    assert await counts(one) == (1, 1, 1)
    assert await one.said("customer", "c2") == ["hello"]


async def test_cases_open_go_on_and_end_by_silence(pair: tuple[Bench, Bench], place: Place):
    one, _ = pair
    idle_s = one.settings.engine.case_idle_h * 3600
    await one.say()
    place.clock.pass_s(idle_s)
    await one.say()
    (case,) = await one.rows("cases", id="c1")
    assert case["closed_at"] is None
    place.clock.pass_s(idle_s + 1)
    await one.say()
    old, new = await one.rows("cases", id="c1")
    assert (old["id"], old["closed_by"]) == (case["id"], "idle")
    assert (await one.conversation())["case_id"] == new["id"]
    kinds = [row["kind"] for row in await one.rows("events", id="c1") if row["kind"].startswith("case")]
    assert kinds == ["case_opened", "case_closed", "case_opened"]
    assert {row["audience"] for row in await one.rows("events", id="c1") if row["kind"].startswith("case")} == {"staff"}


async def test_writing_after_the_close_opens_the_conversation_and_a_case(pair: tuple[Bench, Bench]):
    one, _ = pair
    await one.say()
    await one.handoff.close("c1", "ana")
    assert (await one.conversation())["status"] == "closed"
    await one.say()
    assert (await one.conversation())["status"] == "bot"
    assert [case["closed_by"] for case in await one.rows("cases", id="c1")] == ["ana", None]
    assert [event["status"] for event in await one.events("state")] == ["closed", "bot"]


@pytest.mark.parametrize(
    ("text", "stored"),
    [("a\x00b", "a\ufffdb"), ("x\udc80y", "x\ufffdy"), ("\ud83d\ude00", "😀"), ("\x1b[31m\r\n", "\x1b[31m\r\n")],
)
async def test_what_no_database_can_hold_is_replaced(pair: tuple[Bench, Bench], text: str, stored: str):
    one, _ = pair
    await one.say(text=text, external=f"id-{text}", name=text, profile={"locale": text}, echo={"client": text})
    assert await one.said("customer") == [stored]
    (event,) = await one.events("message")
    assert (event["text"], event["client"]) == (stored, stored)
    assert (await one.say(text=text, external=f"id-{text}")).duplicate
    lease = await one.take_one()
    await one.end(lease, Ending(Outcome.ANSWERED, 1, text=f"you said {text}"))
    assert await one.said("assistant") == [f"you said {stored}"]


async def test_without_a_database_nothing_is_pretended(place: Place, tmp_path: Path):
    async with bench(place, tmp_path) as one:
        pass
    gateway = Gateway(one.store, settings_for(tmp_path), one.metrics)
    with pytest.raises(StoreUnavailable):
        await gateway.accept(inbound())
    assert "frontdesk_messages_accepted_total{" not in one.metrics.render()[0].decode()
