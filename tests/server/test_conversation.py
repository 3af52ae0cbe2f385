"""The conversation's states: the whole table of state and event, and what must hold after any series of events."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.conversation import (
    DEVICE,
    EVENT_KINDS,
    Answer,
    Claimed,
    Closed,
    CustomerSaid,
    Event,
    HandOver,
    ModelReturned,
    PersonAsked,
    Reason,
    Refused,
    Returned,
    State,
    Status,
    apply,
    who_answers,
)

ROOT = Path(__file__).parents[2]

BOT = State(owner_epoch=4)
WAITING = State(Status.WAITING, Reason.RULE, waiting_since=10.0, owner_epoch=4)
DOWN = State(Status.WAITING, Reason.MODEL_DOWN, waiting_since=10.0, owner_epoch=4)
CLAIMED = State(Status.CLAIMED, owner="ana", owner_epoch=4)
CLOSED = State(Status.CLOSED, owner_epoch=4)

SAID = CustomerSaid()
WISH = PersonAsked(Reason.CUSTOMER_ASKED, 20.0)
TOOL = PersonAsked(Reason.TOOL, 20.0)
ANA, BEN = Claimed("ana"), Claimed("ben")
BACK, FOREIGN_BACK = Returned("ana"), Returned("ben")
END = Closed("ana")
MODEL = ModelReturned()

WISHED = State(Status.WAITING, Reason.CUSTOMER_ASKED, 20.0, owner_epoch=4)
TAKEN = State(Status.CLAIMED, owner="ana", owner_epoch=5)
TAKEN_BY_BEN = State(Status.CLAIMED, owner="ben", owner_epoch=5)
ENDED = State(Status.CLOSED, owner_epoch=5)

TABLE: list[tuple[State, Event, State | str]] = [
    (BOT, SAID, BOT),
    (BOT, WISH, WISHED),
    (BOT, TOOL, State(Status.WAITING, Reason.TOOL, 20.0, owner_epoch=4)),
    (BOT, ANA, TAKEN),
    (BOT, BACK, "already holds"),
    (BOT, END, ENDED),
    (BOT, MODEL, BOT),
    (WAITING, SAID, WAITING),
    (WAITING, WISH, State(Status.WAITING, Reason.CUSTOMER_ASKED, 10.0, owner_epoch=4)),
    (WAITING, TOOL, WAITING),
    (WAITING, ANA, TAKEN),
    (WAITING, BACK, BOT),
    (WAITING, FOREIGN_BACK, BOT),
    (WAITING, END, ENDED),
    (WAITING, MODEL, WAITING),
    (DOWN, SAID, DOWN),
    (DOWN, WISH, State(Status.WAITING, Reason.CUSTOMER_ASKED, 10.0, owner_epoch=4)),
    (DOWN, MODEL, BOT),
    (CLAIMED, SAID, CLAIMED),
    (CLAIMED, WISH, CLAIMED),
    (CLAIMED, TOOL, CLAIMED),
    (CLAIMED, ANA, CLAIMED),
    (CLAIMED, BEN, "ask for a transfer"),
    (CLAIMED, BACK, BOT),
    (CLAIMED, FOREIGN_BACK, "only they can give it back"),
    (CLAIMED, END, ENDED),
    (CLAIMED, MODEL, CLAIMED),
    (CLOSED, SAID, BOT),
    (CLOSED, WISH, WISHED),
    (CLOSED, ANA, "opens again when the customer writes"),
    (CLOSED, BACK, "already holds"),
    (CLOSED, END, "already closed"),
    (CLOSED, MODEL, CLOSED),
]


@pytest.mark.parametrize(("before", "event", "after"), TABLE)
def test_table(before: State, event: Event, after: State | str):
    if isinstance(after, str):
        with pytest.raises(Refused, match=after):
            apply(before, event)
    else:
        assert apply(before, event) == after


def test_the_table_has_every_state_with_every_event():
    seen = {(before.status, type(event)) for before, event, _ in TABLE}
    kinds = (CustomerSaid, PersonAsked, Claimed, Returned, Closed, ModelReturned)
    assert seen == {(status, kind) for status in Status for kind in kinds}


def test_what_is_no_event_is_a_mistake_of_the_caller():
    with pytest.raises(AssertionError):
        apply(BOT, "gossip")  # type: ignore[arg-type]


def test_a_second_claimer_after_ben_sees_whose_it_is():
    assert apply(BOT, BEN) == TAKEN_BY_BEN
    with pytest.raises(Refused):
        apply(TAKEN_BY_BEN, ANA)


def test_what_the_phone_claimed_any_of_the_staff_may_take_over_or_give_back():
    by_phone = apply(WAITING, Claimed(DEVICE))
    assert (by_phone.status, by_phone.owner, by_phone.owner_epoch) == (Status.CLAIMED, DEVICE, 5)
    assert apply(by_phone, Claimed(DEVICE)) == by_phone
    assert apply(by_phone, ANA) == State(Status.CLAIMED, owner="ana", owner_epoch=6)
    assert apply(by_phone, Returned("ben")).status is Status.BOT
    assert apply(TAKEN_BY_BEN, Claimed(DEVICE)) == TAKEN_BY_BEN, "Ben wrote from his phone"


PEOPLE = st.sampled_from(["ana", "ben", "cem"])
EVENTS = st.one_of(
    st.just(CustomerSaid()),
    st.builds(PersonAsked, st.sampled_from(Reason), st.floats(0, 1_000)),
    st.builds(Claimed, PEOPLE),
    st.builds(Returned, PEOPLE),
    st.builds(Closed, PEOPLE),
    st.just(ModelReturned()),
)


def check(before: State, event: Event, after: State) -> None:
    """What holds after each single step."""
    assert after.owner_epoch >= before.owner_epoch, "the fence never falls"
    if (after.status, after.owner) != (before.status, before.owner) and after.status in {Status.CLAIMED, Status.CLOSED}:
        assert after.owner_epoch > before.owner_epoch, "a claim or close fences what the bot began before"
    assert (after.owner is not None) == (after.status is Status.CLAIMED)
    assert (after.waiting_since is not None) == (after.status is Status.WAITING)
    assert (after.reason is not None) == (after.status is Status.WAITING)
    if isinstance(event, ModelReturned) and after != before:
        assert (before.status, before.reason) == (Status.WAITING, Reason.MODEL_DOWN)
        assert after.status is Status.BOT
    if isinstance(event, PersonAsked) and before.status is Status.WAITING:
        assert after.waiting_since == before.waiting_since, "asking again keeps the place"


@settings(max_examples=150)
@given(st.lists(EVENTS, max_size=25), st.booleans(), st.booleans())
def test_any_series_of_events_keeps_the_laws(events: list[Event], silenced: bool, answer_while_waiting: bool):
    state = State()
    for event in events:
        try:
            after = apply(state, event)
        except Refused:
            continue
        check(state, event, after)
        state = after
        decision = who_answers(state, silenced=silenced, answer_while_waiting=answer_while_waiting)
        if state.status is Status.CLAIMED or silenced:
            assert isinstance(decision, HandOver)
        if isinstance(decision, HandOver) and decision.ask is not None:
            assert apply(state, PersonAsked(decision.ask, 1.0)).status is Status.WAITING


@pytest.mark.parametrize(
    ("state", "silenced", "while_waiting", "decision"),
    [
        (BOT, False, False, Answer()),
        (BOT, True, True, HandOver(Reason.BOT_OFF, ask=Reason.BOT_OFF)),
        (WAITING, False, True, Answer()),
        (WAITING, False, False, HandOver("waiting")),
        (WAITING, True, True, HandOver(Reason.BOT_OFF, ask=Reason.BOT_OFF)),
        (DOWN, False, False, Answer()),  # it waits for the model itself: answering is what ends it
        (CLAIMED, False, True, HandOver("claimed")),
        (CLAIMED, True, True, HandOver("claimed")),
        (CLOSED, False, True, HandOver("closed")),
    ],
)
def test_who_answers(state: State, silenced: bool, while_waiting: bool, decision: Answer | HandOver):
    assert who_answers(state, silenced=silenced, answer_while_waiting=while_waiting) == decision


def emitted_kinds() -> Iterator[str]:
    """The first word of every ``emit(...)`` and the kind of every store ``Event(...)`` in the server's code."""
    for path in (ROOT / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            place = {"emit": 0, "Event": 1}.get(name)
            if place is None or len(node.args) <= place:
                continue
            argument = node.args[place]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def test_every_kind_of_event_in_the_code_is_in_the_list_and_the_other_way_round():
    assert set(emitted_kinds()) == set(EVENT_KINDS)
    assert all(EVENT_KINDS.values())
