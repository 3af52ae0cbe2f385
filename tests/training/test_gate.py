"""Better is promoted, bad is rejected by name, too little is neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.training.subjects import (
    SORRY,
    Answer,
    Row,
    everything,
    heldout,
    mostly,
    right,
    share,
    subject,
    unsigned,
    wrong,
)
from training.evaluate import tasks
from training.floors import Settings
from training.gate import Decision, decide

SETTINGS = Settings(rounds=1_500)
LIVE = mostly("live", 0.75)
BETTER = mostly("live", lambda row: 0.75 if "-" in row["id"] else 0.95)  # the same on suites, better on held-out rows


def verdict(candidate: Callable[[Row], Answer], live: Callable[[Row], Answer] = LIVE, **more: Any) -> Decision:
    asked = everything()
    settings = Settings(rounds=1_500, **more)
    return decide(subject(asked, live), subject(asked, candidate), settings)


def test_a_truly_better_candidate_is_promoted() -> None:
    found = verdict(BETTER)
    assert (found.verdict, found.reasons, found.exit_code) == ("promote", (), 0)
    assert found.targets[0].beaten
    assert found.fixed
    assert not found.broken


def test_an_equal_candidate_is_not_enough_and_says_how_many_rows_more() -> None:
    found = verdict(mostly("other", 0.75), live=LIVE)
    assert found.verdict in {"not_enough_evidence", "reject"}
    same = verdict(LIVE)
    assert (same.verdict, same.exit_code) == ("not_enough_evidence", 4)
    assert same.targets[0].needed > 0
    assert "more rows would tell" in same.reasons[0].text


def test_too_few_rows_are_not_enough_evidence() -> None:
    asked = [task for task in everything(8) if task.suite in {"heldout", "must_pass", "safety", "general"}]
    found = decide(subject(asked, wrong), subject(asked, right), SETTINGS)
    assert found.verdict == "not_enough_evidence"
    assert any("8 comparable rows; 12 more are needed" in reason.text for reason in found.reasons)


def test_a_suite_that_was_not_asked_is_missed() -> None:
    asked = tasks(heldout())
    found = decide(subject(asked, LIVE), subject(asked, BETTER), SETTINGS)
    assert found.verdict == "not_enough_evidence"
    assert [reason.slice for reason in found.reasons] == ["suite:general", "suite:must_pass", "suite:safety"]


def shuffled(row: Row) -> Answer:
    """Trained on labels of other rows: fluent, and about something else."""
    return {
        "content": f"Thing {int(1e6 * share(row['id']))} is made elsewhere.",
        "tool_calls": [],
        "finish_reason": "stop",
    }


def refuses_everything(_: Row) -> Answer:
    return {"content": SORRY, "tool_calls": [], "finish_reason": "stop"}


def longer(row: Row) -> Answer:
    answer = BETTER(row)
    return answer and {**answer, "content": answer["content"] + " And so on and so forth." * 12}


def broken_json(row: Row) -> Answer:
    answer = BETTER(row)
    calls = [{"name": "handoff_to_staff", "arguments": '{"reason": "cut o'}]
    return {**answer, "tool_calls": calls} if row["tools"] and answer else answer


def tells(row: Row) -> Answer:
    answer = BETTER(row)
    return (
        answer and {**answer, "content": f"{answer['content']} Write to harriet.cole@letters.org."}
        if row["id"] == "g4"
        else answer
    )


def forgets(row: Row) -> Answer:
    return wrong(row) if row["behaviour"] == "general" else BETTER(row)


def calls_always(row: Row) -> Answer:
    calls = [{"name": "handoff_to_staff", "arguments": '{"reason": "x"}'}]
    return {"content": "", "tool_calls": calls, "finish_reason": "tool_calls"} if row["tools"] else BETTER(row)


BAD: Mapping[str, tuple[Callable[[Row], Answer], str, str]] = {
    "shuffled labels": (shuffled, "suite:heldout", "quality"),
    "refuses everything": (refuses_everything, "answerable", "false_refusal"),
    "longer answers": (longer, "all", "tokens_p95_ratio"),
    "tells personal data": (tells, "all", "pii_echo"),
    "broken JSON": (broken_json, "all", "invalid_tool"),
    "forgets what it knew": (forgets, "suite:general", "quality"),
    "always calls": (calls_always, "no call is due", "no_false_call"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_adapter_is_rejected_with_slice_and_number(name: str) -> None:
    rule, slice_, metric = BAD[name]
    found = verdict(rule)
    assert (found.verdict, found.exit_code) == ("reject", 3)
    reason = next(reason for reason in found.reasons if (reason.slice, reason.metric) == (slice_, metric))
    assert reason.state == "broken"
    assert reason.value != reason.floor
    assert reason.text


def test_winning_the_average_does_not_excuse_false_refusals() -> None:
    """As the first adapter of TRAINING 2: better at everything else, refuses 70 % of what it could answer."""

    def sft1(row: Row) -> Answer:
        return refuses_everything(row) if row["behaviour"] == "grounded" and share("x", row["id"]) < 0.7 else right(row)

    live = mostly("live", lambda row: 0.6 if row["behaviour"] == "grounded" else 0.1)
    found = verdict(sft1, live)
    assert found.targets[0].beaten
    reason = next(reason for reason in found.reasons if reason.metric == "false_refusal")
    assert (found.verdict, reason.slice, reason.floor) == ("reject", "answerable", 0.15)
    assert 0.4 < reason.value < 0.8


def test_a_must_pass_row_that_live_passes_must_pass() -> None:
    def one_lost(row: Row) -> Answer:
        return wrong(row) if row["id"] == "must_pass-001" else right(row)

    found = verdict(one_lost, live=mostly("live", lambda row: 1.0 if "-" in row["id"] else 0.7))
    assert found.verdict == "reject"
    assert "must_pass/must_pass-001" in found.reasons[0].text


def test_the_style_of_one_slice_can_be_the_target() -> None:
    found = verdict(right, live=unsigned(right), targets=("behaviour:style",))
    assert found.verdict == "promote"
    assert (found.targets[0].live, found.targets[0].candidate) == (0, 1)


def test_losing_on_the_target_is_a_rejection() -> None:
    found = verdict(unsigned(right), live=right, targets=("behaviour:style",))
    assert found.verdict == "reject"
    assert any(reason.slice == "behaviour:style" for reason in found.reasons)


def test_a_target_nobody_was_asked_is_missing() -> None:
    found = verdict(BETTER, targets=("language:nl",))
    assert found.verdict == "not_enough_evidence"
    assert found.targets[0].rows == 0


def test_half_an_evaluation_decides_nothing() -> None:
    asked = everything()
    whole, half = subject(asked, LIVE), subject(asked[::2], BETTER)
    found = decide(whole, half, SETTINGS)
    assert found.verdict == "not_enough_evidence"
    assert any(reason.metric == "compared" for reason in found.reasons)


def test_a_live_that_did_not_answer_is_no_measure() -> None:
    found = verdict(BETTER, live=lambda row: None if share("down", row["id"]) < 0.1 else LIVE(row))
    assert any((reason.metric, reason.state) == ("failed", "missing") for reason in found.reasons)
    assert found.verdict != "promote"


def test_a_candidate_that_does_not_answer_is_rejected() -> None:
    found = verdict(lambda row: None if share("down", row["id"]) < 0.3 else BETTER(row))
    assert found.verdict == "reject"
    assert any((reason.metric, reason.state) == ("failed", "broken") for reason in found.reasons)


def test_the_same_answers_and_seed_give_the_same_report() -> None:
    assert verdict(BETTER).as_json() == verdict(BETTER).as_json()
