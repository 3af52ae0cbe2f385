"""What figures say where there is little, and that each is explained."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from config.insight import Analytics
from server.analytics.definitions import DEFINITIONS
from server.analytics.facts import CaseFacts
from server.analytics.metrics import METRICS, Rules, Sums, figures, rank

DAY_S = 86_400.0


def sums(*cases: dict[str, object], now_s: float = 100 * DAY_S) -> Sums:
    found = Sums(Rules(Analytics(prompt_price=1.0, completion_price=2.0), now_s))
    for number, values in enumerate(cases):
        case = CaseFacts(f"c{number}", "shop", "t", "web", "default", "en", 0.0, number, number, 0.0)
        found.add(asdict(case) | values)
    return found


def test_nothing_is_none_not_zero() -> None:
    found = figures(sums())
    assert {name for name, value in found.items() if value is not None} == {
        "conversations", "backlog", "tokens", "cost",
    }  # fmt: skip


def test_the_first_contact_is_judged_when_its_time_is_over() -> None:
    answered = {"bot_messages": 1, "last_at": DAY_S}
    came_back = answered | {"next_at": 2 * DAY_S}
    later = answered | {"next_at": 9 * DAY_S}
    assert figures(sums(answered, came_back, later))["first_contact_resolution"] == 2 / 3
    assert figures(sums(answered, now_s=2 * DAY_S))["first_contact_resolution"] is None
    assert figures(sums(came_back, now_s=2 * DAY_S))["first_contact_resolution"] == 0.0


def test_scores_and_costs() -> None:
    found = figures(sums({"csat": 5, "csat_asked": 1}, {"csat": 3, "csat_asked": 1}, {"csat_asked": 1}, {"nps": 10},
                         {"nps": 6}, {"nps": 9, "prompt_tokens": 1_000_000, "completion_tokens": 500_000}))  # fmt: skip
    assert (found["csat"], found["csat_average"], found["csat_response"]) == (0.5, 4.0, 2 / 3)
    assert found["nps"] == 100 / 3
    assert found["cost"] == 2.0


def test_ranks_are_values_that_occurred() -> None:
    assert rank([3.0, 1.0, 2.0], 0.5) == 2.0
    assert rank([float(each) for each in range(1, 11)], 0.9) == 9.0
    assert rank([], 0.5) is None


def test_every_metric_is_defined_here_and_in_the_documents() -> None:
    assert DEFINITIONS.keys() == METRICS.keys()
    page = " ".join((Path(__file__).parents[3] / "docs" / "analytics.md").read_text(encoding="utf-8").split())
    assert [name for name, text in DEFINITIONS.items() if f"| `{name}` |" not in page or text not in page] == []
