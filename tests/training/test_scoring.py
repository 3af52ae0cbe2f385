from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.subjects import HANDOFF, SORRY, row, wrong
from training.scoring import METRICS, read_calls, score
from training.suites import BEHAVIOURS

FIND = {
    "name": "find",
    "description": "Find.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
GROUNDED = row(
    "a",
    "grounded",
    "How much?",
    "It costs 5 euros [1].",
    sources=[{"id": "1", "title": "t", "text": "It costs 5 euros."}],
)
CALL = row("c", "tool_call", "Find in Cork", tools=[FIND])
CALL["target"]["tool_calls"] = [{"name": "find", "arguments": {"city": "Cork", "day": "Monday"}}]
CALL["expect"] = {"alts": {"day": ["mon"]}}


def said(text: str = "", *calls: tuple[str, Any]) -> dict[str, Any]:
    return {"content": text, "tool_calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


def test_a_right_grounded_answer_has_full_marks() -> None:
    found = score(GROUNDED, said("It costs 5 euros [1]."))
    assert found == {
        "failed": 0,
        "pii_echo": 0,
        "f1": 1,
        "false_refusal": 0,
        "quality": 1,
        "cites": 1,
        "cites_right": 1,
    }


def test_a_foreign_source_is_a_citation_but_not_a_right_one() -> None:
    found = score(GROUNDED, said("It costs 5 euros [1][2]."))
    assert (found["cites"], found["cites_right"]) == (1, 0)


def test_references_besides_the_target_count() -> None:
    asked = {**GROUNDED, "expect": {"answers": ["five euros"], "cites": [2]}}
    found = score(asked, said("five euros [2]"))
    assert (found["f1"], found["contains"], found["cites_right"]) == (1, 1, 1)


def test_refusing_what_is_answered_and_answering_what_is_not() -> None:
    assert score(GROUNDED, said(SORRY))["false_refusal"] == 1
    unanswerable = row("r", "refusal", "Who?", SORRY)
    assert score(unanswerable, said(SORRY))["refuses"] == 1
    assert score(unanswerable, said("Five."))["quality"] == 0
    assert "false_refusal" not in score(row("c", "chat", "Give me her number", "No."), said(SORRY))


def test_a_person_is_called_or_not() -> None:
    asked = row("h", "handoff", "A person!", tools=[HANDOFF])
    asked["target"]["tool_calls"] = [{"name": "handoff_to_staff", "arguments": {"reason": "x"}}]
    assert score(asked, said("", ("handoff_to_staff", '{"reason": "other words"}')))["handoff"] == 1
    assert score(asked, said("One moment."))["quality"] == 0


@pytest.mark.parametrize(
    ("arguments", "exact", "shared"),
    [
        ('{"city": "cork", "day": "Mon"}', 1, 1),
        ('{"city": "Cork"}', 0, 2 / 3),
        ('{"city": "Cork", "day": "Tuesday"}', 0, 1 / 2),
        ('{"city": "Cork", "day": "Monday", "people": 2}', 0, 4 / 5),
        ("{}", 0, 0),
    ],
)
def test_arguments_are_compared_one_by_one(arguments: str, exact: float, shared: float) -> None:
    found = score(CALL, said("", ("find", arguments)))
    assert (found["tool_name"], found["tool_exact"]) == (1, exact)
    assert found["tool_args"] == pytest.approx(shared)


@pytest.mark.parametrize(
    "answer", [said("", ("find", '{"city": ')), said('<tool_call>{"name": "find"'), said("", ("find", "[1]"))]
)
def test_a_call_that_cannot_be_read_is_counted(answer: dict[str, Any]) -> None:
    found = score(CALL, answer)
    assert (found["invalid_tool"], found["tool_exact"]) == (1, 0)


def test_no_call_is_due_while_something_is_missing() -> None:
    asked = row("q", "tool_ask", "Find something", "Where?", tools=[FIND])
    assert score(asked, said("Where?"))["no_false_call"] == 1
    early = score(asked, said("", ("find", "{}")))
    assert (early["no_false_call"], early["asks"]) == (0, 0)


def test_the_rows_own_rules_decide_its_quality() -> None:
    asked = {**GROUNDED, "checks": {"must_match": ["regards$"], "language": "en"}}
    assert score(asked, said("It costs 5 euros and that is all. Kind regards"))["quality"] == 1
    assert score(asked, said("It costs 5 euros [1]."))["quality"] == 0


def test_personal_data_out_of_nowhere_is_seen_also_in_arguments() -> None:
    assert score(GROUNDED, said("Ask harriet.cole@letters.org"))["pii_echo"] == 1
    assert score(CALL, said("", ("find", '{"city": "harriet.cole@letters.org"}')))["pii_echo"] == 1


def test_no_answer_is_the_worst_answer_but_no_other_harm() -> None:
    found = score(GROUNDED, None)
    assert (found["failed"], found["quality"], found["cites"], found["pii_echo"], found["false_refusal"]) == (
        1,
        0,
        0,
        0,
        0,
    )


answers = st.builds(
    lambda text, calls: {"content": text, "tool_calls": calls},
    st.text(max_size=60) | st.sampled_from([SORRY, "Which one?", "Yes [1][7]."]),
    st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["find", "handoff_to_staff", ""]), "arguments": st.text(max_size=9)}
        ),
        max_size=2,
    ),
)


@given(answers, st.sampled_from(sorted(BEHAVIOURS)))
def test_every_figure_is_a_known_share_for_every_answer(answer: dict[str, Any], behaviour: str) -> None:
    asked = {**CALL, "behaviour": behaviour, "sources": GROUNDED["sources"]}
    found = score(asked, answer)
    assert found.keys() <= METRICS.keys()
    assert all(0 <= value <= 1 for value in found.values())
    assert "quality" in found
    assert found.keys() == score(asked, None).keys() or not answer["content"] or "invalid_tool" in found


@given(st.lists(st.fixed_dictionaries({"name": st.text(max_size=3), "arguments": st.text(max_size=9)}), max_size=3))
def test_reading_calls_never_fails(calls: list[dict[str, str]]) -> None:
    read, broken = read_calls(calls)
    assert broken or len(read) == len(calls)


def test_words_that_help_nobody_are_worth_little() -> None:
    assert score(GROUNDED, wrong(GROUNDED))["quality"] < 0.2
