import pytest

from server import buckets
from server.buckets import Buckets


class Seconds:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_a_minute_and_then_one_at_a_time():
    clock = Seconds()
    bucket = Buckets(6, clock)
    assert [bucket.take("a") for _ in range(6)] == [0.0] * 6
    assert bucket.take("a") == pytest.approx(10.0)
    clock.now += 4
    assert bucket.take("a") == pytest.approx(6.0), "asking too early costs nothing"
    clock.now += 6
    assert bucket.take("a") == 0.0
    assert bucket.take("a") > 0


def test_keys_do_not_share():
    bucket = Buckets(1, Seconds())
    assert bucket.take("a") == 0.0
    assert bucket.take("a") > 0
    assert bucket.take("b") == 0.0


def test_a_long_pause_fills_no_more_than_a_minute():
    clock = Seconds()
    bucket = Buckets(3, clock)
    bucket.take("a")
    clock.now += 3_600
    assert [bucket.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_the_least_recently_used_key_is_forgotten_first():
    bucket = Buckets(1, Seconds())
    bucket.take("old")
    bucket.take("new")
    for number in range(buckets.KEPT - 2):
        bucket.take(f"k{number}")
    assert bucket.take("old") > 0, "still known, and fresh now"
    bucket.take("one more")
    assert bucket.take("new") == 0.0, "forgotten, which favours the caller"
    assert bucket.take("old") > 0
