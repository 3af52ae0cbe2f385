from collections.abc import Callable
from typing import Any

from tests.training.subjects import everything, mostly, right, subject, wrong
from training.floors import Judged, Settings, judge
from training.pairs import pair_up

SETTINGS = Settings(rounds=1_500)


def judged(live: Callable[..., Any], candidate: Callable[..., Any]) -> dict[tuple[str, str], Judged]:
    asked = everything()
    found = judge(pair_up(subject(asked, live), subject(asked, candidate))[0], SETTINGS)
    return {(each.floor.name, each.floor.metric): each for each in found}


def test_equal_subjects_keep_every_floor() -> None:
    found = judged(mostly("a", 0.7), mostly("b", 0.7))
    assert not any(each.state == "broken" for each in found.values())
    assert ("language:de", "quality") in found
    assert {each.state for each in judged(right, right).values()} <= {"kept", "few"}


def test_a_fall_in_one_language_is_named() -> None:
    found = judged(right, lambda row: wrong(row) if row["language"] == "de" else right(row))
    assert found["language:de", "quality"].state == "broken"
    assert found["language:en", "quality"].state == "kept"


def test_an_absolute_bound_counts_where_live_keeps_it() -> None:
    found = judged(right, lambda row: wrong(row) if row["behaviour"] == "handoff" else right(row))
    floor = found["behaviour:handoff", "handoff"]
    assert (floor.state, floor.threshold) == ("broken", 0.9)
    below = judged(wrong, mostly("c", 0.5))["behaviour:handoff", "handoff"]
    assert (below.state, below.threshold) == ("kept", -0.05)


def test_nothing_is_said_of_few_rows() -> None:
    asked = everything()[:12]
    found = judge(pair_up(subject(asked, right), subject(asked, wrong))[0], SETTINGS)
    assert {each.state for each in found} == {"few"}
    assert judge([], SETTINGS) == []


def test_must_pass_rows_are_no_part_of_means() -> None:
    assert not any(name == "suite:must_pass" for name, _ in judged(right, right))
