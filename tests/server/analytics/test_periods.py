"""Times in pieces: days of a zone whose clock changes, weeks from Monday, bounds."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from server.analytics.periods import BadPeriod, cut

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def starts(since: str, until: str, step: str) -> list[str]:
    period = cut(at(since), at(until), step, BERLIN)  # type: ignore[arg-type]
    return [f"{datetime.fromtimestamp(start, BERLIN):%m-%d %H}" for start in period.starts]


def test_days_keep_midnight_when_the_clock_changes() -> None:
    assert starts("2026-10-24T12:00", "2026-10-27T00:00", "day") == ["10-24 12", "10-25 00", "10-26 00"]
    assert len(cut(at("2026-10-25T00:00"), at("2026-10-26T00:00"), "hour", BERLIN).starts) == 25
    assert len(cut(at("2026-03-29T00:00"), at("2026-03-30T00:00"), "hour", BERLIN).starts) == 23


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert starts("2026-10-01T00:00", "2026-10-13T00:00", "week") == ["10-01 00", "10-05 00", "10-12 00"]
    assert starts("2026-10-31T00:00", "2026-12-02T00:00", "month") == ["10-31 00", "11-01 00", "12-01 00"]


def test_a_moment_lies_in_one_piece() -> None:
    period = cut(at("2026-10-01T00:00"), at("2026-10-03T00:00"), "day", BERLIN)
    assert [period.piece(at(f"2026-10-{day}")) for day in ("01T00:00", "01T23:59", "02T00:00")] == [0, 0, 1]
    assert period.end(0) == period.starts[1]
    assert period.end(1) == period.until
    assert period.before == (at("2026-09-29T00:00"), period.since)


@pytest.mark.parametrize(("days", "step"), [(1, "hour"), (30, "day"), (200, "week"), (1_000, "month")])
def test_the_step_follows_the_length(days: int, step: str) -> None:
    assert cut(1e9, 1e9 + days * 86_400, "auto", BERLIN).step == step


@pytest.mark.parametrize(
    ("since", "until", "step"),
    [(2.0, 1.0, "day"), (0.0, float("nan"), "day"), (0.0, 1e10, "hour"), (0.0, 1e12, "auto")],
)
def test_senseless_times_are_refused(since: float, until: float, step: str) -> None:
    with pytest.raises(BadPeriod):
        cut(since, until, step, BERLIN)  # type: ignore[arg-type]
