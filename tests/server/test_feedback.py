from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.conversation import NotFound, Outcome, Refused
from server.engine.record import Ending
from server.feedback import COMMENT_CHARACTERS, REASONS, Feedback
from tests.places import Place
from tests.server.engine.bench import Bench, bench

CUSTOMER = ("customer", "visitor-c1")


@pytest.fixture
async def one(store_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(Place("", store_url), tmp_path) as opened:
        yield opened


async def answered(one: Bench) -> str:
    await one.say()
    lease = await one.take_one()
    begun = await one.begin(lease)
    message_id = await one.end(lease, Ending(Outcome.ANSWERED, 1, text="yes", attempt=begun.attempt, release_id="r1"))
    assert message_id is not None
    return message_id


async def test_a_rating_is_joined_to_turn_and_release_and_the_last_word_counts(one: Bench):
    feedback, message = Feedback(one.store), await answered(one)
    await feedback.rate("c1", message, CUSTOMER, "up")
    for reason in REASONS:
        await feedback.rate("c1", message, CUSTOMER, "down", reason=reason, comment="x" * (COMMENT_CHARACTERS + 9))
    (row,) = await one.rows("ratings", id=message)
    assert (row["value"], row["reason"], row["turn_id"], row["release_id"]) == ("down", REASONS[-1], "c1:1", "r1")
    assert (row["giver_kind"], row["giver_id"]) == CUSTOMER
    assert len(row["comment"]) == COMMENT_CHARACTERS
    await feedback.rate("c1", message, ("person", "ana"), "up")
    assert len(await one.rows("ratings", id=message)) == 2


async def test_withdrawing_keeps_the_row_without_its_words(one: Bench):
    feedback, message = Feedback(one.store), await answered(one)
    await feedback.rate("c1", message, CUSTOMER, "down", reason="wrong", comment="private words")
    await feedback.rate("c1", message, CUSTOMER, None, reason="wrong", comment="private words")
    (row,) = await one.rows("ratings", id=message)
    assert (row["value"], row["reason"], row["comment"]) == (None, None, None)
    shown = await one.events("feedback")
    assert [event["value"] for event in shown] == ["down", None]
    assert "private words" not in str(shown), "other pages only hear that it was rated"


async def test_only_answers_of_this_conversation_can_be_rated(one: Bench):
    feedback, message = Feedback(one.store), await answered(one)
    question = (await one.rows("messages", id="c1"))[0]["id"]
    await one.say("c2")
    with pytest.raises(Refused, match="only answers"):
        await feedback.rate("c1", question, CUSTOMER, "up")
    for conversation, wrong in (("c1", "unknown"), ("c2", message), ("unknown", message)):
        with pytest.raises(NotFound):
            await feedback.rate(conversation, wrong, CUSTOMER, "up")
    assert await one.rows("ratings", id=message) == []
