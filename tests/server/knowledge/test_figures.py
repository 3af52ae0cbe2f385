from __future__ import annotations

import pytest

from server.knowledge.figures import figures, known, unknown


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("It costs €13,90", "€13.90"),
        ("1.200 Euro", "1,200 euros"),
        ("1 200 euros", "1200"),
        ("thirty days", "30 days"),
        ("zwölf Monate", "12 months"),
        ("10:30", "at 10:30"),
        ("at 10", "10:00-18:00"),
        ("5.0 kg", "5 kg"),
        ("+353 20 913 0155", "call +353 20 913 0155"),
        ("2026-11-02", "on 2026-11-02"),
        ("1. First\n2. Second", ""),
        ("INFO@Shop.example", "info@shop.example"),
        ("one lamp", ""),
    ],
)
def test_what_is_said_is_held(said: str, held: str):
    assert not unknown(said, known(held))


@pytest.mark.parametrize(
    ("said", "held"), [("€14.90", "€13.90"), ("45 days", "30 days"), ("fifty", "15"), ("me@x.example", "you@x.example")]
)
def test_what_is_made_up_is_found(said: str, held: str):
    assert unknown(said, known(held))


def test_readings():
    assert figures("1.200") == [frozenset({"1200", "1.2"})]
