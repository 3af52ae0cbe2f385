from __future__ import annotations

from typing import Any

from tests.training.subjects import heldout, mostly, right, row, subject, wrong
from training.advise import Advice, advise, factual
from training.evaluate import tasks

STYLE = [
    row(
        f"s{n}",
        "style",
        f"Is it {n}?",
        f"Yes, it is {n}.\nWarm regards",
        rejected={"content": f"yes it is {n}", "tool_calls": []},
        person=f"p{n % 7}",
    )
    for n in range(150)
]
FACTS = [
    row(
        f"f{n}",
        "grounded",
        "How much is it?",
        f"It costs €{n + 4}.50.",
        rejected={"content": "I am not sure.", "tool_calls": []},
        person="p1",
    )
    for n in range(150)
]


def stopping(found: Advice) -> list[str]:
    return [finding.name for finding in found.findings if finding.stops]


def test_enough_corrections_of_style_are_worth_it() -> None:
    found = advise(STYLE)
    assert found.tune
    assert (found.examples, found.pairs, found.behaviours) == (150, 150, {"style": 150})
    assert found.text().startswith("Yes")


def test_too_few_are_not_and_it_says_how_many_are_missing() -> None:
    found = advise(STYLE[:60])
    assert stopping(found) == ["examples"]
    assert "40 more" in found.text()
    assert found.text().startswith("No")


def test_replayed_examples_do_not_count() -> None:
    assert advise([{**each, "origin": "replay"} for each in STYLE]).examples == 0


def test_missing_facts_go_to_knowledge() -> None:
    found = advise(FACTS)
    assert stopping(found) == ["facts"]
    assert "knowledge base" in found.text()


def test_a_fact_that_stood_in_the_prompt_is_not_missing() -> None:
    asked: dict[str, Any] = FACTS[0]
    assert factual(asked)
    told = {**asked, "messages": [{"role": "system", "content": "[1] It costs €4.50."}, *asked["messages"]]}
    assert not factual(told)
    assert not factual(STYLE[0])


def test_a_model_that_is_good_already_is_left_alone() -> None:
    asked = tasks(heldout(40))
    assert stopping(advise(STYLE, subject(asked, right))) == ["already"]
    assert not stopping(advise(STYLE, subject(asked, mostly(1, 0.3))))


def test_examples_in_the_prompt_that_do_as_well_are_preferred() -> None:
    asked = tasks(heldout(40))
    found = advise(STYLE, subject(asked, wrong), subject(asked, right))
    assert stopping(found) == ["few_shot"]
    assert "system prompt" in found.text()
    assert not stopping(advise(STYLE, subject(asked, wrong), subject(asked, mostly(1, 0.5))))


def test_the_report_is_plain_data() -> None:
    found = advise(STYLE).as_json()
    assert found["tune"] is True
    assert {"name", "stops", "value", "threshold", "text"} == found["findings"][0].keys()
