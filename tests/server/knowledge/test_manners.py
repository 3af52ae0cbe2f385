from __future__ import annotations

import pytest

from server.knowledge.manners import SLOWEST_S, Manners


class Watch:
    """Time that passes by sleeping; may also be set back."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def made(delay_s: float) -> tuple[Manners, Watch]:
    watch = Watch()
    return Manners(delay_s, now=watch.now, sleep=watch.sleep), watch


async def test_requests_are_spaced() -> None:
    manners, watch = made(2.0)
    await manners.turn()
    watch.time += 0.5
    await manners.turn()
    watch.time += 5
    await manners.turn()
    assert watch.slept == [1.5]


async def test_a_site_may_ask_for_more_and_complain() -> None:
    manners, watch = made(0.0)
    manners.at_least(3.0)
    manners.at_least(1.0)
    await manners.turn()
    manners.slower()
    await manners.turn()
    await manners.turn()
    assert watch.slept == [3.0, 6.0]
    for _ in range(5):
        manners.slower()
    await manners.turn()
    await manners.turn()
    assert watch.slept[-1] == SLOWEST_S


async def test_complaints_never_make_it_faster() -> None:
    manners, watch = made(30.0)
    manners.slower()
    await manners.turn()
    await manners.turn()
    assert watch.slept == [30.0]
    quick, watch = made(0.0)
    quick.slower()
    await quick.turn()
    await quick.turn()
    assert watch.slept == [1.0]


async def test_holding_is_kept() -> None:
    manners, watch = made(1.0)
    manners.hold(40)
    manners.hold(10)
    await manners.turn()
    assert watch.slept == [40.0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 08:00:30", 30.0),
        ("Fri, 15 Jan 2021 08:00:30 GMT", 0.0),
        ("99999999999999999999", 999999999.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_what_a_site_asks_to_wait(text: str, seconds: float | None) -> None:
    manners, _ = made(0.0)
    assert manners.retry_after({"retry-after": text}) == seconds
