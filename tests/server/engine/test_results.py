import json
from pathlib import Path

import pytest

from server.conversation import Outcome, Reason
from server.engine import results
from server.engine.control import Control
from server.engine.look import Clocks, Look, Thread
from server.tools import journal
from server.tools.contract import Result, ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.journal import Step
from tests.places import Place
from tests.server.engine.screen import Screen, writing

WRITES = frozenset({"book"})


def step(number: int, tool: str, end: Result | ToolError, *, call_id: str = "", attempts: int = 1) -> Step:
    state = "failed" if isinstance(end, ToolError) else "done"
    return Step(number, tool, {"item": "x"}, state, f"c1:1:{number}", call_id, 0, attempts, journal.outcome(end))


@pytest.fixture
async def look(place: Place, tmp_path: Path) -> Look:
    async with writing(place, tmp_path, Screen()) as turn:
        return Look(turn.context, turn.lease, Control(), Clocks(0.0), turn.one.settings.engine, lambda: 0.0)


async def test_words_of_all_calls_are_told_together_and_once(look: Look):
    ends = [Result(say="One.", replies=("A", "B")), Result(say="Two.", replies=("B",)), Result(say="One.")]
    ending = results.ending_of(look, [step(n, "stock", end) for n, end in enumerate(ends, 1)], {}, writes=WRITES)
    assert ending is not None
    assert (ending.text, ending.extra) == ("One.\n\nTwo.", {"replies": ["A", "B"]})


async def test_a_call_without_words_leaves_it_to_the_model(look: Look):
    steps = [step(1, "stock", Result(say="One.")), step(2, "stock", Result({"n": 2}))]
    assert results.ending_of(look, steps, {}, writes=WRITES) is None


async def test_a_person_comes_before_everything(look: Look):
    steps = [step(1, "book", ToolTimeout("late")), step(2, "stock", Result(handoff="customer_asked"))]
    ending = results.ending_of(look, steps, {}, writes=WRITES)
    assert ending is not None
    assert (ending.outcome, ending.ask) == (Outcome.HANDED_OVER, Reason.CUSTOMER_ASKED)
    assert "person" in ending.text


@pytest.mark.parametrize(
    ("tool", "error", "attempts", "doubt"),
    [
        ("book", ToolTimeout("late"), 1, True),
        ("book", ToolUnavailable("away"), 1, False),
        ("book", ToolUnavailable("away"), 2, True),
        ("book", ToolRefused("no"), 2, True),
        ("stock", ToolTimeout("late"), 3, False),
    ],
)
async def test_only_a_write_that_may_have_happened_is_in_doubt(
    look: Look, tool: str, error: ToolError, attempts: int, doubt: bool
):
    ending = results.ending_of(look, [step(1, tool, error, attempts=attempts)], {}, writes=WRITES)
    assert ending is not None
    assert (ending.reason == "tool_unknown") is doubt
    assert (ending.ask is Reason.TOOL) is doubt


async def test_the_model_hears_of_its_own_failures(look: Look):
    failed = step(1, "stock", ToolUnavailable("away"), call_id="call-9")
    assert results.ending_of(look, [failed], {}, writes=WRITES) is None
    thread = Thread()
    results.read_by_model(thread, [failed, step(2, "stock", Result({"n": 2}, say="Two."))])
    asked, first, second = thread.steps
    assert [(call.id, call.name, json.loads(call.arguments)) for call in asked.tool_calls] == [
        ("call-9", "stock", {"item": "x"}),
        ("call-2", "stock", {"item": "x"}),
    ]
    assert (first.tool_call_id, json.loads(first.content)["error"]) == ("call-9", "unavailable")
    assert json.loads(second.content) == {"ok": True, "n": 2}, "the customer's words are not the model's"
    assert thread.round == 1
    assert thread.evidence == (first.content, second.content)


def test_a_question_for_a_yes_names_everything_that_would_be_done():
    text = results.summary_of("Refund an order.", {"order": "1\n2", "amount": 3.5, "parts": ["ä"]}, "en")
    assert text.splitlines() == [
        "Refund an order.",
        "- order: 1 2",
        "- amount: 3.5",
        '- parts: ["ä"]',
        "Shall I do this?",
    ]
    assert len(results.summary_of("x", {"long": "y" * 900}, "de").splitlines()[1]) < 220


def test_a_text_stands_behind_what_ran():
    ended = [step(1, "stock", Result(say="One.")), step(2, "stock", ToolRefused("no")), step(3, "stock", Result())]
    assert results.after(ended, "And?") == "One.\n\nAnd?"
