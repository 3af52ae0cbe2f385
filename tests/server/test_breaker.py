import pytest

from server.breaker import Breaker


class Seconds:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def shown() -> list[float]:
    return []


@pytest.fixture
def breaker(clock: Seconds, shown: list[float]) -> Breaker:
    return Breaker(failures=3, pause_s=5.0, clock=clock, on_change=shown.append)


def test_opens_after_failures_in_a_row_only(breaker: Breaker, shown: list[float]):
    for failure in (True, True, False, True, True):
        assert breaker.allow()
        breaker.failed() if failure else breaker.succeeded()
    assert not breaker.open
    assert breaker.remaining_s == 0
    breaker.failed()
    assert breaker.open
    assert shown == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_an_open_breaker_lets_one_probe_through_per_pause(breaker: Breaker, clock: Seconds):
    for _ in range(3):
        breaker.failed()
    assert not breaker.allow()
    assert breaker.remaining_s == 5.0
    clock.now += 4.9
    assert not breaker.allow()
    clock.now += 0.1
    assert breaker.remaining_s == 0
    assert breaker.allow(), "the probe"
    assert not breaker.allow(), "nobody else meanwhile"
    clock.now += 5
    assert breaker.allow(), "a probe that never reported is not waited for"


def test_a_good_probe_closes_and_a_bad_one_pauses_again(breaker: Breaker, clock: Seconds, shown: list[float]):
    for _ in range(3):
        breaker.failed()
    clock.now += 5
    assert breaker.allow()
    clock.now += 2
    breaker.failed()
    assert breaker.remaining_s == 5.0, "the pause counts from the failure"
    clock.now += 5
    assert breaker.allow()
    breaker.succeeded()
    assert not breaker.open
    assert breaker.allow()
    assert breaker.allow()
    assert shown[-1] == 0.0


def test_works_without_a_listener(clock: Seconds):
    breaker = Breaker(failures=1, pause_s=1.0, clock=clock)
    breaker.failed()
    assert breaker.open
    breaker.succeeded()
    assert not breaker.open
