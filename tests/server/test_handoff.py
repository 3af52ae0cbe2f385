"""Between bot and people, commit by commit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.conversation import NotFound, Outcome, Reason, Refused
from server.engine.record import Ending
from tests.places import Place, until
from tests.server.engine.bench import Bench, bench, inbound


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(Place("sqlite", f"sqlite:///{tmp_path}/desk.db"), tmp_path) as opened:
        await opened.say()
        yield opened


def orders(one: Bench) -> list[dict[str, str]]:
    heard: list[dict[str, str]] = []
    one.store.listen("control", lambda _topic, payload: heard.append(json.loads(payload)))
    return heard


async def test_a_claim_takes_the_conversation_its_drafts_and_the_worker(one: Bench):
    heard = orders(one)
    await one.begin(await one.take_one())
    answer = await one.handoff.claim("c1", "ana")
    assert answer == {
        "status": "claimed",
        "reason": None,
        "owner": "ana",
        "owner_epoch": 1,
        "position": None,
        "drafts_withdrawn": 1,
        "in_flight": [],
    }
    await until(lambda: heard == [{"conversation": "c1", "do": "owner"}])
    assert (await one.events("draft_ended"))[0]["how"] == "withdrawn"
    again = await one.handoff.claim("c1", "ana")
    assert (again["owner_epoch"], again["drafts_withdrawn"]) == (1, 0)
    with pytest.raises(Refused, match="transfer"):
        await one.handoff.claim("c1", "ben")


async def test_of_two_claims_at_once_one_wins(one: Bench):
    people = [f"person{number}" for number in range(8)]
    results = await asyncio.gather(*[one.handoff.claim("c1", name) for name in people], return_exceptions=True)
    won = [result for result in results if isinstance(result, dict)]
    assert len(won) == 1
    assert all(isinstance(result, Refused) for result in results if result is not won[0])
    assert (await one.conversation())["owner"] == won[0]["owner"]


async def test_only_the_claimer_speaks_and_gives_back(one: Bench):
    with pytest.raises(Refused, match="claim the conversation first"):
        await one.handoff.say("c1", "ana", "hi")
    await one.handoff.claim("c1", "ana")
    with pytest.raises(Refused, match="only its claimer"):
        await one.handoff.say("c1", "ben", "hi")
    with pytest.raises(Refused, match="only they"):
        await one.handoff.give_back("c1", "ben")
    said = await one.handoff.say("c1", "ana", "Hello, Ana here.")
    message = (await one.rows("messages", id="c1"))[-1]
    assert (message["id"], message["seq"], message["author"]) == (said["message_id"], said["seq"], "ana")
    assert (await one.handoff.give_back("c1", "ana"))["status"] == "bot"
    with pytest.raises(Refused, match="already"):
        await one.handoff.give_back("c1", "ana")
    assert await one.said("staff") == ["Hello, Ana here."]


async def test_asking_waits_in_order_and_keeps_the_place(one: Bench):
    await one.say("c2")
    first = await one.handoff.ask("c1", Reason.RULE)
    assert (first["status"], first["reason"], first["position"]) == ("waiting", "rule", 1)
    again = await one.handoff.ask("c1", Reason.CUSTOMER_ASKED)
    assert (again["reason"], again["position"]) == ("customer_asked", 1)
    await one.handoff.claim("c2", "ana")
    assert (await one.handoff.ask("c2", Reason.CUSTOMER_ASKED))["position"] is None, "staff have it already"


async def test_closing_ends_case_and_drafts_once(one: Bench):
    heard = orders(one)
    lease = await one.take_one()
    begun = await one.begin(lease)
    assert (await one.handoff.close("c1", "ana"))["status"] == "closed"
    (case,) = await one.rows("cases", id="c1")
    assert case["closed_by"] == "ana"
    await until(lambda: heard == [{"conversation": "c1", "do": "owner"}])
    with pytest.raises(Refused, match="already closed"):
        await one.handoff.close("c1", "ana")
    with pytest.raises(Refused, match="opens again"):
        await one.handoff.claim("c1", "ana")
    with pytest.raises(Exception, match="staff took"):
        await one.end(lease, Ending(Outcome.ANSWERED, 1, text="late", owner_epoch=begun.owner_epoch))


async def test_stop_covers_what_was_said_so_far(one: Bench):
    heard = orders(one)
    await one.say()
    assert await one.handoff.stop("c1")
    assert (await one.conversation())["stop_seq"] == 2
    await until(lambda: heard == [{"conversation": "c1", "do": "stop"}])
    lease = await one.take_one()
    await one.end(lease, Ending(Outcome.ANSWERED, 2))
    assert not await one.handoff.stop("c1"), "nothing is open any more"
    assert len(heard) == 1


@pytest.mark.parametrize("call", ["ask", "claim", "give_back", "close", "say", "stop"])
async def test_of_nothing_nothing_happens(one: Bench, call: str):
    more = {"ask": (Reason.TOOL,), "say": ("ana", "x"), "stop": ()}.get(call, ("ana",))
    with pytest.raises(NotFound):
        await getattr(one.handoff, call)("unknown", *more)


async def test_a_conversation_opened_without_words_has_nothing_to_stop(one: Bench):
    await one.write(lambda tx: one.gateway.open(tx, inbound("quiet")))
    assert not await one.handoff.stop("quiet")
