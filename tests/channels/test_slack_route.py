"""Addresses of conversations and identities of messages."""

from __future__ import annotations

from typing import Any

import pytest

from channels.slack.route import placed, provider_id, seconds, spot


@pytest.mark.parametrize(
    ("ts", "thread", "direct", "address"),
    [
        ("5.1", "", True, "T1/D1"),
        ("5.1", "5.1", True, "T1/D1"),
        ("5.1", "4.0", True, "T1/D1/4.0"),
        ("5.1", "", False, "T1/D1/5.1"),
        ("5.1", "5.1", False, "T1/D1/5.1"),
        ("5.1", "4.0", False, "T1/D1/4.0"),
    ],
)
def test_addresses(ts: str, thread: str, direct: bool, address: str) -> None:
    where = spot("T1", "D1", ts, thread, direct=direct)
    assert where.address == address
    assert where.key == f"D1:{ts}"


def test_the_recipient_is_of_our_team_unless_told() -> None:
    where = spot("T1", "C1", "5.1", "", direct=False)
    assert where.route("U1", "")["recipient_team"] == "T1"
    assert where.route("U1", "T2")["recipient_team"] == "T2"
    assert "user" not in where.route("", "")


def test_provider_ids_say_where_a_message_is() -> None:
    assert placed(provider_id("C1", "5.1"), {}) == ("C1", "5.1")
    assert placed("5.1", {"channel": "C2"}) == ("C2", "5.1")


@pytest.mark.parametrize(
    ("ts", "value"),
    [
        ("5.25", 5.25),
        ("5", 5.0),
        ("", 0.0),
        (None, 0.0),
        ("soon", 0.0),
        (".5", 0.0),
        ("1e5", 0.0),
        ("٣.1", 0.0),
        (7, 0.0),
    ],
)
def test_seconds(ts: Any, value: float) -> None:
    assert seconds(ts) == value
