"""Gaps: the same question in other words is one, the same order gives the same ones, a missed answer reopens."""

from __future__ import annotations

import asyncio

import pytest

from server.knowledge.gaps import ALIKE, SETTLES_S, Gaps, Groups, _Known, likeness, meaning
from server.knowledge.kinds import NotThere
from server.sight import ALL
from server.store.statements import load, parse
from tests.server.api.test_conversations import talk
from tests.server.desk import TENANT, Desk

QUERIES = """
-- name: turn
-- A turn with its outcome.
insert into turn (id, tenant, conversation_id, first_seq, last_seq, attempt, outcome, reason, timings, ended_at)
values (:id, :tenant, :conversation_id, 1, 1, 1, :outcome, :reason, '{}', 1.0);
-- name: down
-- A rating by the customer.
insert into feedback (id, tenant, conversation_id, message_id, turn_id, giver_kind, giver_id, kind, value, created_at,
    updated_at)
values ('f1', :tenant, :conversation_id, :message_id, :turn_id, 'customer', 'c', 'rating', 'down', 1.0, 1.0);
-- name: move
-- Into the simulator.
update conversation set account = '~sandbox' where id = :id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("gaps_test", QUERIES, dialect))


def test_other_words_for_the_same_are_alike_and_other_things_are_not():
    def like(one: str, other: str) -> float:
        return likeness(meaning(one), meaning(other))

    assert like("Do you ship to Canada?", "Is shipping to Canada possible?") >= ALIKE
    assert like("do you ship to canada", "DO YOU SHIP TO CANADA??") == 1.0
    assert like("Do you ship to Canada?", "Do you ship to France?") < ALIKE
    assert like("Do you sell gift cards?", "Do you ship to Canada?") == 0.0
    assert like("Verschickt ihr nach Österreich?", "Schickt ihr nach Osterreich?") > 0.0
    assert like("???", "???") == 1.0
    assert like("Order 10", "Order 1044") < 1.0  # numbers are no forms of each other


def test_the_first_of_equally_like_gaps_is_taken():
    groups = Groups()
    for name in ("a", "b"):
        groups.add(_Known(name, "open", None, meaning("Do you repair lamps?")))
    found = groups.nearest(meaning("Can you repair my lamp?"))
    assert found is not None
    assert found.id == "a"
    assert groups.nearest(meaning("Opening hours")) is None


async def missed(desk: Desk, number: int, question: str, at: float, outcome: tuple[str, str] = ("answered", "")) -> str:
    conversation = await talk(desk, number)
    turn = f"{conversation}:1"
    kind, reason = outcome
    await desk.store.write(
        lambda tx: tx.run(
            "gaps_test.turn", id=turn, tenant=TENANT, conversation_id=conversation, outcome=kind, reason=reason
        )
    )
    await desk.store.write(
        lambda tx: tx.run(
            "engine.add_miss", id=f"g{number}", tenant=TENANT, conversation_id=conversation, turn_id=turn,
            question=question, confidence=0.1, now=at,
        )
    )  # fmt: skip
    return conversation


async def test_signs_of_every_kind_are_gathered_once(both_desk: Desk):
    gaps = Gaps(both_desk.store, TENANT)
    await missed(both_desk, 1, "Do you ship to Canada?", 10.0, ("answered", "unanswerable"))
    await missed(both_desk, 2, "Is shipping to Canada possible?", 20.0, ("handed_over", "low_confidence"))
    await missed(both_desk, 3, "Do you sell gift cards?", 30.0, ("answered", "unsupported"))
    rated = await talk(both_desk, 4)
    key = {"tenant": TENANT, "conversation_id": rated}
    turn = {"id": f"{rated}:1", "outcome": "answered", "reason": ""}
    await both_desk.store.write(lambda tx: tx.run("gaps_test.turn", **key, **turn))
    rating = {"message_id": f"m{rated}", "turn_id": f"{rated}:1"}
    await both_desk.store.write(lambda tx: tx.run("gaps_test.down", **key, **rating))
    simulated = await missed(both_desk, 5, "Only a trial?", 40.0)
    await both_desk.store.write(lambda tx: tx.run("gaps_test.move", id=simulated))
    counts = await asyncio.gather(gaps.gather(), gaps.gather())
    assert sorted(counts) == [0, 4]
    rows = await gaps.list("open", (float("inf"), ""), 10)
    assert rows[0]["question"] == "Do you ship to Canada?"
    found = {row["question"]: row for row in rows}
    assert set(found) == {"Do you ship to Canada?", "Do you sell gift cards?", "Where is my order?"}
    canada = found["Do you ship to Canada?"]
    assert (canada["asked"], canada["unanswered"], canada["handoff"], canada["first_at"]) == (2, 1, 1, 10.0)
    assert found["Do you sell gift cards?"]["unsupported"] == 1
    assert found["Where is my order?"]["thumbs_down"] == 1
    questions = await gaps.questions(str(canada["id"]), 10)
    assert [row["question"] for row in questions] == ["Is shipping to Canada possible?", "Do you ship to Canada?"]


async def test_an_answered_gap_opens_again_when_it_is_missed_later(both_desk: Desk):
    gaps = Gaps(both_desk.store, TENANT)
    await missed(both_desk, 1, "Do you ship to Canada?", 10.0)
    await gaps.gather()
    (gap,) = await gaps.list("open", (float("inf"), ""), 10)
    assert await both_desk.store.write(lambda tx: gaps.decide(tx, gap["id"], "solved", "ana", "d1")) == "open"
    (solved,) = await gaps.list("solved", (float("inf"), ""), 10)
    assert (solved["document_id"], solved["decided_by"]) == ("d1", "ana")
    await missed(both_desk, 2, "Do you ship to Canada", solved["decided_at"] + SETTLES_S / 2)  # on its way already
    await gaps.gather()
    assert await gaps.counts() == {"solved": 1}
    await missed(both_desk, 3, "Shipping to Canada?", solved["decided_at"] + SETTLES_S + 1)
    await gaps.gather()
    (again,) = await gaps.list("open", (float("inf"), ""), 10)
    assert (again["id"], again["reopened"], again["asked"]) == (gap["id"], 1, 3)
    await both_desk.store.write(lambda tx: gaps.decide(tx, gap["id"], "dismissed", "ana"))
    await missed(both_desk, 4, "Ship to Canada?", 9e9)
    await gaps.gather()
    assert await gaps.counts() == {"dismissed": 1}


async def test_what_is_forgotten_takes_its_gap_along(both_desk: Desk):
    gaps = Gaps(both_desk.store, TENANT, keep_days=30)
    await missed(both_desk, 1, "Do you ship to Canada?", 10.0)
    await gaps.gather()
    (gap,) = await gaps.list("open", (float("inf"), ""), 10)
    await both_desk.store.write(lambda tx: tx.run("listing.forget_miss", tenant=TENANT, id="g1", **ALL.values()))
    await gaps.run({})
    assert await gaps.counts() == {}
    with pytest.raises(NotThere):
        await gaps.questions(gap["id"], 10)
    with pytest.raises(NotThere):
        await both_desk.store.write(lambda tx: gaps.decide(tx, gap["id"], "dismissed", "ana"))
