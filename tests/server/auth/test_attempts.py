from server.auth import attempts
from server.auth.attempts import Attempts, address_key, email_key
from server.problems import Problem
from tests.server.desk import FakeClock


def wait_s(counter: Attempts, *keys: str) -> int:
    """Seconds to wait, 0 when the try is allowed."""
    try:
        counter.take(*keys)
    except Problem as problem:
        return int(problem.headers["Retry-After"]) if problem.status == 429 else -1
    return 0


def test_pauses_double_and_end():
    clock = FakeClock()
    counter = Attempts(3, clock)
    assert [wait_s(counter, "a") for _ in range(3)] == [0, 0, 0]
    pauses = []
    for _ in range(6):
        pauses.append(wait_s(counter, "a"))
        assert wait_s(counter, "a") == pauses[-1]  # trying while locked neither helps nor prolongs
        clock.now_s += pauses[-1]
        assert [wait_s(counter, "a") for _ in range(3)] == [0, 0, 0]
    assert pauses == [60, 120, 240, 480, 900, 900]


def test_a_quiet_window_starts_again_and_strikes_fade():
    clock = FakeClock()
    counter = Attempts(1, clock)
    assert wait_s(counter, "a") == 0
    assert wait_s(counter, "a") == 60
    clock.now_s += 60 + attempts.FORGET_S + 1
    assert wait_s(counter, "a") == 0
    assert wait_s(counter, "a") == 60


def test_a_locked_address_does_not_use_up_the_tries_of_an_email():
    counter = Attempts(2, FakeClock())
    for _ in range(10):
        wait_s(counter, "ip:1", "email:ana")
    assert wait_s(counter, "ip:2", "email:ana") > 0  # two tries were hers, the third locked it
    counter.forgive("email:ana")
    for _ in range(10):
        wait_s(counter, "ip:1", "email:ana")
    assert wait_s(counter, "ip:2", "email:ana") == 0


def test_memory_is_bounded():
    counter = Attempts(1, FakeClock(), most_keys=10)
    for number in range(100):
        wait_s(counter, f"ip:{number}")
    assert len(counter._counts) == 10


def test_an_ipv6_subscriber_is_one_address():
    assert address_key("2001:db8:1:2:3::1") == address_key("2001:db8:1:2:ffff::9")
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")
    assert address_key("192.0.2.1") != address_key("192.0.2.2")
    assert address_key("") == "ip:unknown"
    assert email_key("a@b") != address_key("a@b")
