"""Cron texts: what is one, and when it comes next, in UTC."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from config.cron import is_cron, next_time

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC).timestamp()  # a Saturday


@pytest.mark.parametrize(
    ("text", "means"),
    [("*/2 * * * *", True), ("30 2 * * 1-5", True), ("* * * * * *", True), ("", False), ("61 * * * *", False)],
)
def test_a_cron_text_is_told_from_another(text: str, means: bool) -> None:
    assert is_cron(text) is means


@pytest.mark.parametrize(
    ("cron", "after_s", "then"),
    [
        ("*/2 * * * *", NOON, NOON + 120),
        ("*/2 * * * *", NOON + 119.5, NOON + 120),
        ("0 3 * * *", NOON, NOON + 15 * 3_600),
        ("0 9 * * 1", NOON, NOON + 45 * 3_600),
        ("0 0 29 2 *", NOON, datetime(2028, 2, 29, tzinfo=UTC).timestamp()),
    ],
)
def test_the_next_time_is_behind_the_given_one(cron: str, after_s: float, then: float) -> None:
    assert next_time(cron, after_s) == then


def test_nobody_loads_the_library_before_a_text_is_read() -> None:
    program = "import sys, config.cron; assert 'croniter' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
