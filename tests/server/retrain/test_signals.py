"""When a release counts as worse than its own beginning."""

from __future__ import annotations

import random

from server.retrain.signals import Decline, Span, declines
from server.thumbs import Thumbs


def span(bad: float = 0.1, handed: float = 0.1, csat: float = 4.5, n: int = 200) -> Span:
    return Span(Thumbs(n * (1 - bad), n * bad, n), n, round(n * handed), n, csat, csat**2 + 0.5)


def test_each_figure_is_named_with_its_values() -> None:
    found = declines(span(), span(bad=0.3, handed=0.35, csat=3.5))
    assert found == [Decline("thumbs", 0.1, 0.3), Decline("handoff", 0.1, 0.35), Decline("csat", 4.5, 3.5)]
    assert str(found[0]) == "thumbs went from 0.10 to 0.30"


def test_better_equal_small_and_few_are_no_decline() -> None:
    assert declines(span(), span()) == []
    assert declines(span(bad=0.4), span()) == []
    assert declines(span(), span(bad=0.15, handed=0.15, csat=4.2)) == [], "less than is worth a retrain"
    assert declines(span(n=10), span(bad=0.9, n=10)) == [], "too few to tell"
    assert declines(Span(), Span()) == []


def test_chance_alone_seldom_counts() -> None:
    chance = random.Random(7)
    alarms = 0
    for _ in range(500):
        before, now = (sum(chance.random() < 0.2 for _ in range(100)) for _ in range(2))
        one, other = (Span(turns=100, handed_over=handed) for handed in (before, now))
        alarms += bool(declines(one, other))
    assert alarms <= 10
