import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bootstrap import codes, holm, paired, quantile_ratio


def test_the_same_seed_gives_the_same_figures() -> None:
    values = np.random.default_rng(1).normal(size=(60, 2))
    groups = codes([n // 2 for n in range(60)])
    one, other = (paired(values, groups, seed=7, rounds=500) for _ in range(2))
    assert (one.low == other.low).all()
    assert (one.p_lower == other.p_lower).all()
    assert (paired(values, groups, seed=8, rounds=500).low != one.low).any()


def test_a_clear_gain_and_a_clear_loss_are_told_from_nothing() -> None:
    generator = np.random.default_rng(3)
    values = np.stack(
        [generator.normal(0.5, 0.5, 80), generator.normal(-0.5, 0.5, 80), generator.normal(0, 0.5, 80)], 1
    )
    found = paired(values, codes(range(80)), seed=1)
    assert found.low[0] > 0
    assert found.p_higher[0] < 0.001
    assert found.high[1] < 0
    assert found.p_lower[1] < 0.001
    assert found.low[2] < 0 < found.high[2]


def test_rows_of_one_conversation_are_no_evidence_for_each_other() -> None:
    values = np.array([[1.0]] * 30 + [[-1.0]] * 10)
    alone = paired(values, codes(range(40)), seed=1)
    together = paired(values, codes([n // 10 for n in range(40)]), seed=1)
    assert together.clusters[0] == 4
    assert together.high[0] - together.low[0] > 2 * (alone.high[0] - alone.low[0])


def test_rows_without_the_figure_do_not_count() -> None:
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [0.0, np.nan]])
    found = paired(values, codes("abc"), seed=1, rounds=200)
    assert found.mean[0] == 0.5
    assert found.rows.tolist() == [2, 0]
    assert np.isnan(found.mean[1])


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    values = generator.normal(0.2, 1.0, size=(80, 400))
    found = paired(values, codes(range(80)), seed=2, rounds=1_000)
    assert 0.91 <= ((found.low <= 0.2) & (found.high >= 0.2)).mean() <= 0.98


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=20))
def test_correction_never_makes_a_chance_smaller(chances: list[float]) -> None:
    corrected = holm(chances)
    assert all(after >= before for before, after in zip(chances, corrected, strict=True))
    assert max(corrected) <= 1


def test_correction_of_one_is_none() -> None:
    assert holm([0.03]) == [0.03]
    assert holm([0.01, 0.04]) == [0.02, 0.04]
    assert holm([]) == []


def test_longer_answers_are_seen_at_their_long_end() -> None:
    live = np.arange(1.0, 101.0)
    ratio, low = quantile_ratio(live, live * 3, codes(range(100)), seed=1)
    assert ratio == pytest.approx(3)
    assert low == pytest.approx(3)
    same, low = quantile_ratio(live, live[::-1], codes(range(100)), seed=1)
    assert same == 1
    assert low < 1
    assert quantile_ratio(np.zeros(30), np.zeros(30), codes(range(30)), seed=1) == (1.0, 1.0)
