from __future__ import annotations

import pytest

from training.probe import PROBE_STEPS, Pace


def test_nothing_is_said_before_something_was_timed() -> None:
    pace = Pace(10, 1000)
    assert pace.tokens_per_s == 0
    assert pace.left_s(0) is None
    pace.step(100, 1.0)
    assert pace.estimate() is None


def test_the_whole_run_is_estimated_from_its_tokens() -> None:
    pace = Pace(100, 20_000)
    pace.step(200, 60.0)  # warm-up
    for seconds in (1.0, 2.0, 1.0, 2.0):
        pace.step(200, seconds)
    pace.evaluation(10.0, 6)
    found = pace.estimate(6)
    assert found is not None
    assert found.tokens_per_s == pytest.approx(133.3)
    assert found.seconds == pytest.approx(20_000 / 133.33 + 60, abs=0.1)
    assert found.low_s < found.seconds < found.high_s
    assert found.steps_timed == 5


def test_time_left_follows_the_last_steps() -> None:
    pace = Pace(100)
    for _ in range(PROBE_STEPS):
        pace.step(100, 1.0)
    assert pace.left_s(20) == pytest.approx(80.0)
    for _ in range(PROBE_STEPS):
        pace.step(100, 3.0)
    assert pace.left_s(40) == pytest.approx(180.0)
    assert pace.tokens_per_s == pytest.approx(100 / 3)
    pace.evaluation(5.0, 2)
    assert pace.left_s(100) == pytest.approx(10.0)
