"""The sequential test: false alarms stay within what is allowed, harm is seen early."""

from __future__ import annotations

import random

import pytest

from benchmarks.canary import Result, World, simulate
from server.releases.comparison import METRICS, Counts, Rules, Stage, compare, upper_bound

RULES = Rules(false_alarm=0.05, minimum_cases=10, cap=50)
NOTHING = Counts()
USUAL = (0.04, 0.05, 0.02)


def runs(world: World, count: int = 300) -> list[Result]:
    dice = random.Random(world.name)
    return [simulate(world, dice) for _ in range(count)]


def rolled_back(results: list[Result]) -> float:
    return sum(result.at_case is not None for result in results) / len(results)


@pytest.mark.parametrize(
    "world",
    [
        World("equal", USUAL, USUAL),
        World("equal and often bad", (0.2, 0.25, 0.1), (0.2, 0.25, 0.1)),
        World("equal on bad days", USUAL, USUAL, bad_days=True),
    ],
    ids=lambda world: world.name,
)
def test_equal_releases_are_hardly_ever_taken_back(world: World):
    assert rolled_back(runs(world)) <= 0.05


def test_a_regression_is_taken_back_within_fifty_cases():
    results = runs(World("worse", (0.0, 0.1, 0.0), (0.0, 0.45, 0.0)))
    assert rolled_back(results) >= 0.95
    assert all(result.at_case is None or result.at_case <= 50 for result in results)


def test_harm_of_any_kind_counts_and_the_worst_is_named():
    for metric in METRICS[:-1]:
        canary = Counts(cases=20, **{metric: 12}, any_bad=12)
        found = compare([Stage(0.1, canary, Counts(cases=180, **{metric: 18}, any_bad=18))], NOTHING, RULES)
        assert (found.verdict, found.worst, found.against) == ("roll_back", metric, "live")
        assert found.evidence >= found.needed
    assert found.figures()["cases"] == {"canary": 20, "live": 180}


def test_a_better_canary_goes_on_and_passes_when_it_is_full_and_settled():
    def look(cases: int, settled: int) -> str:
        canary = Counts(cases=cases, settled=settled, thumbs=1, any_bad=1)
        live = Counts(cases=450, settled=450, thumbs=45, any_bad=45)
        return compare([Stage(0.1, canary, live)], NOTHING, RULES).verdict

    assert (look(49, 49), look(50, 49), look(50, 50)) == ("continue", "continue", "passed")


def test_a_few_cases_are_not_enough():
    canary = Counts(cases=9, thumbs=9, any_bad=9)
    live = Counts(cases=90)
    assert compare([Stage(0.1, canary, live)], NOTHING, RULES).verdict == "continue"
    assert compare([], NOTHING, RULES).verdict == "continue"


def test_cases_drawn_under_different_shares_count_by_their_own():
    first = Stage(0.1, Counts(cases=5, thumbs=2, any_bad=2), Counts(cases=45, thumbs=4, any_bad=4))
    second = Stage(0.5, Counts(cases=40, thumbs=4, any_bad=4), Counts(cases=40, thumbs=4, any_bad=4))
    both = compare([first, second], NOTHING, RULES)
    pooled = compare([Stage(0.1, first.canary + second.canary, first.live + second.live)], NOTHING, RULES)
    assert both.evidence < pooled.evidence, "raising the share must not look like harm"
    assert both.verdict == "continue"


def test_without_cases_beside_it_the_past_is_what_counts():
    past = Counts(cases=400, settled=400, thumbs=16, handoff=20, tools=8, any_bad=42)

    def look(handoff: int) -> str:
        canary = Counts(cases=50, handoff=handoff, any_bad=handoff + 2)
        found = compare([Stage(1.0, canary, NOTHING)], past, RULES)
        assert found.against == "past"
        return found.verdict

    assert (look(3), look(25)) == ("continue", "roll_back")
    canary = Stage(1.0, Counts(cases=50, handoff=25, any_bad=25), NOTHING)
    assert compare([canary], Counts(cases=5), RULES).verdict == "continue", "five cases are no past"


def test_the_bound_of_a_rate_is_above_it_and_closes_in():
    assert upper_bound(0, 100, 0.01) == pytest.approx(0.045, abs=0.002)
    assert 0.1 < upper_bound(100, 1_000, 0.01) < upper_bound(10, 100, 0.01) < 0.3
    assert upper_bound(10, 10, 0.01) == 0.999
