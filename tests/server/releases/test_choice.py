"""The draw: even, stable, and only ever growing with the share."""

from __future__ import annotations

from server.releases.choice import choose, position

IDS = [f"0192f0c1-{number:04x}" for number in range(10_000)]


def test_positions_are_stable_and_spread_evenly():
    assert position("c1", "trial") == position("c1", "trial") != position("c1", "another")
    assert 0.0 <= min(position(each, "s") for each in IDS) < max(position(each, "s") for each in IDS) < 1.0
    for tenth in range(10):
        found = sum(tenth / 10 <= position(each, "s") < (tenth + 1) / 10 for each in IDS)
        assert 900 < found < 1_100


def test_the_share_is_met_and_a_larger_one_keeps_whoever_was_in():
    drawn = {share: {each for each in IDS if choose(each, "L", "C", share) == "C"} for share in (0.0, 0.1, 0.5, 1.0)}
    assert 900 < len(drawn[0.1]) < 1_100
    assert drawn[0.0] == set() < drawn[0.1] < drawn[0.5] < drawn[1.0] == set(IDS)


def test_each_trial_draws_anew():
    one = {each for each in IDS if choose(each, "L", "C", 0.1, "t1") == "C"}
    other = {each for each in IDS if choose(each, "L", "C", 0.1, "t2") == "C"}
    assert len(one & other) < 200
