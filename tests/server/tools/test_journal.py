"""The journal on both stores, and what a retaken turn does with it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.store.contract import Fenced, Store, Tx
from server.tools import journal
from server.tools.contract import Result, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.journal import MAX_ATTEMPTS, Next, Proposal, Step, Turn, resume
from tests.server.tools.bench import TURN

BOOK = Proposal("book", {"slot": 3, "day": "mon"}, "call-1")
FEE = Proposal("fee", {"to": "DE"}, "call-2")


async def proposed(store: Store, number_of_round: int, *calls: Proposal) -> list[Step]:
    return await store.write(lambda tx: journal.propose(tx, TURN, number_of_round, calls))


async def begun(store: Store, number: int) -> Step:
    return await store.write(lambda tx: journal.begin(tx, TURN, number))


async def ended(store: Store, number: int, end: Result | ToolError) -> None:
    await store.write(lambda tx: journal.finish(tx, TURN, number, end))


async def steps_of(store: Store) -> list[Step]:
    return await journal.read(store, TURN.conversation_id, TURN.first_seq)


async def test_a_call_is_written_down_then_run_then_ended(store: Store) -> None:
    book, fee = await proposed(store, 0, BOOK, FEE)
    assert (book.number, book.state, book.key, book.call_id, book.attempts) == (1, "proposed", "c1:1:1", "call-1", 0)
    assert book.arguments == {"slot": 3, "day": "mon"}
    assert (fee.number, fee.key) == (2, "c1:1:2")
    again = await begun(store, 1)
    assert (again.state, again.attempts, again.key, again.arguments) == ("running", 1, "c1:1:1", book.arguments)
    await ended(store, 1, Result({"slot": 3}, say="Booked.", replies=("Thanks",)))
    await begun(store, 2)
    await ended(store, 2, ToolTimeout("no answer"))
    first, second = await steps_of(store)
    assert (first.state, second.state) == ("done", "failed")
    assert journal.ended_with(first) == Result({"slot": 3}, say="Booked.", replies=("Thanks",))
    assert journal.for_model(first) == '{"ok":true,"slot":3}'
    assert isinstance(journal.ended_with(second), ToolTimeout)
    assert journal.for_model(second) == '{"error":"timeout","message":"no answer"}'
    assert resume([first, second]) == Next("ask", 1)


async def test_a_round_that_is_stored_is_never_replaced(store: Store) -> None:
    await proposed(store, 0, BOOK)
    other = await proposed(store, 0, Proposal("book", {"slot": 9}), FEE)
    assert [(step.tool, step.arguments["slot"]) for step in other] == [("book", 3)]
    await begun(store, 1)
    await ended(store, 1, Result())
    (later,) = await proposed(store, 1, FEE)
    assert (later.number, later.round, later.key) == (2, 1, "c1:1:2")
    assert [step.number for step in await proposed(store, 0, BOOK)] == [1, 2], "the round is over"


async def test_what_ended_is_never_begun_or_ended_again(store: Store) -> None:
    await proposed(store, 0, BOOK)
    await begun(store, 1)
    assert (await begun(store, 1)).attempts == 2, "a retaken turn begins it again, with the same key"
    await ended(store, 1, Result({"n": 1}))
    with pytest.raises(Fenced):
        await begun(store, 1)
    with pytest.raises(Fenced):
        await ended(store, 1, Result({"n": 2}))
    assert (await steps_of(store))[0].result == journal.outcome(Result({"n": 1}))


async def test_a_step_waits_for_a_yes_and_can_go_on(store: Store) -> None:
    await proposed(store, 0, BOOK)
    await store.write(lambda tx: journal.wait(tx, TURN, 1, "confirm"))
    (step,) = await steps_of(store)
    assert (step.state, step.result) == ("waiting", {"ok": False, "waiting": "confirm"})
    assert resume([step]) == Next("wait", 0, (step,))
    assert (await begun(store, 1)).state == "running"


async def test_a_confirmed_call_keeps_the_key_of_its_request(store: Store) -> None:
    (step,) = await proposed(store, 0, Proposal("book", {}, key="c1:1:7"))
    assert step.key == "c1:1:7"


async def test_a_unit_that_is_fenced_leaves_nothing(store: Store) -> None:
    async def unit(tx: Tx) -> None:
        await journal.propose(tx, TURN, 0, [BOOK])
        raise Fenced("the lease was lost")

    with pytest.raises(Fenced):
        await store.write(unit)
    assert await steps_of(store) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ToolRefused("no"), "refused"),
        (ToolTimeout("no"), "timeout"),
        (ToolUnavailable("no"), "unavailable"),
        (ToolError("no"), "failed"),
    ],
)
def test_errors_come_back_as_they_were(error: ToolError, kind: str) -> None:
    stored = journal.outcome(error)
    assert stored["error"] == kind
    back = journal.ended_with(Step(1, "book", {}, "failed", "k", result=stored))
    assert type(back) is type(error)
    assert str(back) == "no"


STATES: Sequence[journal.State] = ("proposed", "running", "waiting", "done", "failed")


@given(
    st.lists(st.sampled_from(["done", "failed"]), max_size=4),
    st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, MAX_ATTEMPTS + 1)), max_size=4),
)
def test_what_resume_decides(before: list[journal.State], last: list[tuple[journal.State, int]]) -> None:
    numbers = itertools.count(1)
    steps = [Step(next(numbers), "book", {}, state, "k", round=0) for state in before]
    steps += [
        Step(next(numbers), "book", {}, state, "k", round=1 if before else 0, attempts=tries) for state, tries in last
    ]
    following = resume(steps)
    assert not any(step.ended for step in following.steps)
    opened = [step for step in steps if not step.ended]
    if following.do == "ask":
        assert not opened
        assert following.round == (max(step.round for step in steps) + 1 if steps else 0)
    if following.do == "run":
        assert {step.number for step in following.steps} == {s.number for s in opened if s.state != "waiting"}
        assert all(step.attempts < MAX_ATTEMPTS for step in following.steps if step.state == "running")
    if following.do == "wait":
        assert {step.state for step in opened} == {"waiting"}
    if following.do == "abandon":
        assert all(step.attempts >= MAX_ATTEMPTS for step in following.steps)


class Killed(BaseException):
    """The process is gone."""


class World:
    """A journal in memory with an endpoint that honours keys; the worker dies where it is told to."""

    def __init__(self, deaths: set[int]) -> None:
        self.steps: dict[int, Step] = {}
        self.effects: dict[str, Mapping[str, Any]] = {}
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self._deaths = deaths
        self._reached = itertools.count()
        self._fresh = itertools.count()

    def point(self) -> None:
        if next(self._reached) in self._deaths:
            raise Killed

    def model(self, number_of_round: int) -> list[Mapping[str, Any]]:
        """Proposes other arguments each time it is asked; after two rounds it has said enough."""
        return [{"slot": next(self._fresh)} for _ in range(2)] if number_of_round < 2 else []

    def turn(self) -> None:
        """One attempt at the turn, as the engine makes it."""
        while True:
            following = resume(list(self.steps.values()))
            self.point()
            if following.do == "abandon":
                self.steps |= {s.number: _in(s, "failed") for s in following.steps}
                continue
            if following.do == "ask":
                calls = self.model(following.round)
                self.point()
                if not calls:
                    return
                first = len(self.steps) + 1
                self.steps |= {
                    number: Step(number, "book", call, "proposed", TURN.key(number), round=following.round)
                    for number, call in enumerate(calls, first)
                }
                continue
            for step in following.steps:
                self.run(step)

    def run(self, step: Step) -> None:
        self.steps[step.number] = begun = _in(step, "running", attempts=step.attempts + 1)
        self.point()
        self.calls.append((step.key, step.arguments))
        self.effects.setdefault(step.key, step.arguments)
        self.point()
        self.steps[step.number] = _in(begun, "done")
        self.point()


def _in(step: Step, state: journal.State, attempts: int | None = None) -> Step:
    tries = step.attempts if attempts is None else attempts
    return Step(step.number, step.tool, step.arguments, state, step.key, round=step.round, attempts=tries)


@given(st.sets(st.integers(0, 60), max_size=12))
def test_wherever_a_worker_dies_each_step_has_one_effect_with_its_first_arguments(deaths: set[int]) -> None:
    world = World(deaths)
    for _ in range(20):
        try:
            world.turn()
            break
        except Killed:
            continue
    assert all(step.ended for step in world.steps.values())
    assert len(world.steps) == 4
    for key, arguments in world.calls:
        assert world.effects[key] == arguments, "a repeat carries the arguments that were committed"
    for step in world.steps.values():
        if step.state == "done":
            assert world.effects[step.key] == step.arguments
    assert len(world.effects) <= 4


def test_a_key_names_conversation_turn_and_step() -> None:
    assert Turn("default", "c9", 12).key(3) == "c9:12:3"
